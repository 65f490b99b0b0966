// The form without reloads. The server renders every page; this only puts the new one's parts into the present one,
// so that what works here works without it too.

const parser = new DOMParser();
const part = (id, root = document) => root.getElementById(id);
const page = () => location.pathname + location.search;
let latest = 0;
let awaited = "";
let shown = page();

document.documentElement.classList.add("scripted");

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("#ask form")) {
    event.preventDefault();
    predict(form);
  } else if (form.matches(".pickers")) {
    event.preventDefault();
    visit(chosen(form));
  }
});

document.addEventListener("change", (event) => {
  const control = event.target;
  const pickers = control.closest(".pickers");
  if (pickers) {
    const other = { version: "label", label: "version" }[control.name];
    if (other && control.value) pickers.elements[other].value = "";
    visit(chosen(pickers));
  } else if (control.matches("input[type=file]")) {
    preview(control);
  }
});

document.addEventListener("input", (event) => {
  const file = event.target.dataset?.file && part(event.target.dataset.file);
  if (file?.files.length) {
    file.value = ""; // what is typed or drawn last counts
    preview(file);
  }
});

document.addEventListener("click", (event) => {
  const plain = !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey && event.button === 0;
  const link = event.target.closest("a[data-visit]");
  if (link && plain) {
    event.preventDefault();
    visit(link.href);
  }
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});

addEventListener("popstate", () => {
  if (page() !== shown) visit(location.href, false); // else it is a link to a place in this page
});

/** The address of what is chosen. Another model has other versions, labels and signatures. */
function chosen(pickers) {
  const values = new URLSearchParams(new FormData(pickers));
  const model = values.get("model");
  const kept = values.get("was") === model ? [...values] : [["model", model]];
  const url = new URL(pickers.action);
  url.search = new URLSearchParams(kept.filter(([name, value]) => value && name !== "was"));
  return url.href;
}

/** Show another page of the form in this one's place; where it is an error page, show that as an answer. */
async function visit(address, push = true) {
  if (address === awaited) return; // Enter in a picker both changes and submits it
  awaited = address;
  const turn = ++latest;
  let next;
  try {
    next = await load(address);
  } catch {
    location.assign(address); // the browser says best what is wrong
    return;
  } finally {
    if (turn === latest) awaited = "";
  }
  if (turn !== latest) return;
  const failure = part("failure", next);
  if (failure && push && part("said")) {
    fail(failure);
    document.querySelector(".pickers").reset(); // they say what the form is about
    return;
  }
  const focused = document.activeElement?.id;
  part("main").replaceChildren(...part("main", next).childNodes);
  document.title = next.title;
  if (push) history.pushState(null, "", address);
  shown = page();
  if (focused) part(focused)?.focus({ preventScroll: true });
}

/** Send the form, and show what it is answered. */
async function predict(form) {
  const answer = part("answer");
  if (answer.ariaBusy === "true") return;
  const turn = ++latest;
  const button = part("predict");
  answer.ariaBusy = "true";
  button.ariaDisabled = "true";
  const data = new FormData(form);
  const body = form.enctype === "multipart/form-data" ? data : new URLSearchParams(data);
  try {
    const next = await load(form.action.split("#")[0], { method: "POST", body });
    if (turn === latest) show(next);
  } catch {
    if (turn === latest) say("The gateway cannot be reached. What you typed is still here: try again.");
  }
  answer.ariaBusy = "false";
  button.ariaDisabled = "false";
}

async function load(address, options = {}) {
  const response = await fetch(address, { ...options, headers: { Accept: "text/html" } });
  const type = response.headers.get("Content-Type") ?? "";
  if (!type.startsWith("text/html")) throw new Error(`expected a page, came ${type}`);
  return parser.parseFromString(await response.text(), "text/html");
}

/** Put a page's answer into this one; an error page leaves the form as it is. */
function show(next) {
  const failure = part("failure", next);
  if (failure) {
    fail(failure);
  } else {
    const focused = document.activeElement?.id;
    const files = [...document.querySelectorAll("#ask input[type=file]")].filter((file) => file.files.length);
    part("ask").replaceChildren(...part("ask", next).childNodes);
    for (const file of files) {
      const anew = part(file.id);
      if (!anew) continue;
      describe(file, anew);
      anew.replaceWith(file); // a page cannot choose files
      preview(file);
    }
    part("said").replaceChildren(...part("said", next).childNodes);
    part("told").replaceChildren(...part("told", next).childNodes);
    const wrong = document.querySelector("#ask [aria-invalid=true]");
    (wrong ?? part(focused))?.focus({ preventScroll: !wrong });
    if (wrong) return;
  }
  document.title = next.title;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (part("answer").getBoundingClientRect().top > innerHeight * 0.7) {
    part("answer").scrollIntoView({ behavior: calm ? "auto" : "smooth" });
  }
}

/** Show an error page's words in the place of an answer. What was wrong with a field before may not be any more. */
function fail(failure) {
  const title = failure.querySelector("h1");
  failure.querySelector(".again")?.remove();
  title.replaceWith(Object.assign(document.createElement("p"), { textContent: title.textContent }));
  for (const error of document.querySelectorAll("#ask .error")) error.remove();
  for (const field of document.querySelectorAll("#ask [aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    const hints = field.getAttribute("aria-describedby").split(" ").filter((id) => part(id));
    field.setAttribute("aria-describedby", hints.join(" "));
  }
  part("said").replaceChildren(...failure.childNodes);
  part("told").replaceChildren();
}

/** Give a control the state and the description of the one that it takes the place of. */
function describe(control, like) {
  for (const name of ["aria-invalid", "aria-describedby"]) {
    if (like.hasAttribute(name)) control.setAttribute(name, like.getAttribute(name));
    else control.removeAttribute(name);
  }
}

function say(text) {
  const line = Object.assign(document.createElement("p"), { className: "error", textContent: text });
  part("said").replaceChildren(line);
  part("told").replaceChildren();
}

/** Show a chosen picture under its control. */
function preview(input) {
  const known = input.parentElement.querySelector(".chosen");
  if (known) {
    URL.revokeObjectURL(known.src);
    known.remove();
  }
  const file = input.files[0];
  if (file) input.parentElement.querySelector(".seen")?.remove();
  if (!file?.type.startsWith("image/")) return;
  const image = Object.assign(new Image(), { className: "chosen", alt: `Preview of ${file.name}` });
  image.onerror = () => image.remove(); // no picture after all: the answer will say so
  image.src = URL.createObjectURL(file);
  input.after(image);
}

async function copy(button) {
  const source = part(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    getSelection().selectAllChildren(source); // without TLS a page has no clipboard of that kind
    document.execCommand("copy");
  }
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 2000);
}
