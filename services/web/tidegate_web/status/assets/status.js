// Puts what the server draws each second into its place; where nothing changed, nothing is touched.
"use strict";

const RETRY_MS = 3000;
const shown = new Map();
const live = document.getElementById("live");

function say(text, bad) {
  if (live.textContent !== text) live.textContent = text;
  live.classList.toggle("bad", bad);
}

function show(event) {
  const news = JSON.parse(event.data);
  for (const [id, html] of Object.entries(news.parts)) {
    const place = document.getElementById(id);
    if (shown.get(id) !== html) {
      place.innerHTML = html;
      shown.set(id, html);
    }
  }
  const ready = document.getElementById("ready");
  ready.textContent = news.not_ready.join(", ") || "ready";
  ready.classList.toggle("bad", news.not_ready.length > 0);
  live.dataset.clock = news.clock;
  say("live", false);
}

function follow() {
  const source = new EventSource("status/events");
  source.addEventListener("sample", show);
  source.addEventListener("error", () => {
    say(`not connected; as of ${live.dataset.clock || "the page's loading"} UTC`, true);
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, RETRY_MS); // refused: the browser will not ask again
  });
}

follow();
