// Adds to each command of the page a button that copies it and one that sends it. Without this the page is complete.
"use strict";

function button(text, kind, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.className = kind;
  made.addEventListener("click", action);
  return made;
}

async function copy(command, from) {
  try {
    await navigator.clipboard.writeText(command.textContent);
    from.textContent = "Copied";
  } catch {
    // Without permission, or without TLS, the command is at least selected
    getSelection().selectAllChildren(command);
    from.textContent = "Selected";
  }
  setTimeout(() => { from.textContent = "Copy"; }, 1500);
}

function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text; // NaN and Infinity are not JSON's
  }
}

async function send({ method, path, body }, answer) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  answer.hidden = false;
  const status = answer.querySelector("h3");
  status.textContent = "Waiting…";
  try {
    const response = await fetch(path, { method, headers, body: body || undefined });
    const text = await response.text();
    status.textContent = `${response.status} ${response.statusText}`;
    status.classList.toggle("failed", !response.ok);
    answer.querySelector("pre").textContent = indented(text);
  } catch (error) {
    status.textContent = String(error);
    status.classList.add("failed");
  }
}

for (const attempt of document.querySelectorAll(".try")) {
  const command = attempt.querySelector(".command code");
  const answer = document.createElement("div");
  answer.className = "answer";
  answer.hidden = true;
  answer.setAttribute("aria-live", "polite");
  answer.append(document.createElement("h3"), document.createElement("pre"));
  const actions = document.createElement("div");
  actions.className = "actions";
  // A body that the command makes is too long for this page
  if ("body" in attempt.dataset) actions.append(button("Send", "send", () => send(attempt.dataset, answer)));
  actions.append(button("Copy", "copy", (event) => copy(command, event.currentTarget)));
  attempt.append(actions, answer);
}

function open() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
}
addEventListener("hashchange", open);
open();
