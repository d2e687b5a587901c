// Saves what is typed while it is typed. Without it the buttons of the page save; nothing else is different.
// A module: its names must not meet those of the other script of the page.

const PAUSE = 1500;
const RETRY = 10000;
const MOST_AFTER_CLOSING = 60000; // What a browser still sends when its page is gone.
const AGAIN = [400, 401, 408, 429]; // Signed out, or for the moment: tried again. Other refusals would be the same.
const SHOWN = [403, 404, 409, 422, 429]; // What a button gets then is a page with everything that was typed, or more.

const page = document.querySelector("form[data-autosave]");
const note = page.querySelector("[data-saving]");
let timer = 0;
let underWay = null;
let dirty = false;
let shown = false;
let checked = false;

function clock() {
  return new Date(Date.now() + 9 * 3600 * 1000).toISOString().slice(11, 16); // Japan: UTC+9, without summer time.
}

function later(delay) {
  clearTimeout(timer);
  timer = setTimeout(save, delay);
}

function post() {
  const said = [...new FormData(page)].filter(([, value]) => typeof value === "string"); // Files go with a button.
  const body = new URLSearchParams(said).toString();
  const headers = { "Content-Type": "application/x-www-form-urlencoded" };
  const keepalive = body.length < MOST_AFTER_CLOSING;
  return fetch(page.dataset.autosave, { method: "POST", redirect: "manual", headers, body, keepalive });
}

// Who signs in again, on another tab, gets a new token against forged forms: this page, asked again, has it.
async function takeToken() {
  const answer = await fetch(location.href, { redirect: "manual" });
  if (!answer.ok) return false;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[name=csrf_token]");
  for (const own of document.querySelectorAll("[name=csrf_token]")) own.value = fresh.value;
  return true;
}

async function send() {
  const answer = await post();
  return answer.status === 400 && (await takeToken()) ? post() : answer;
}

// The first save of a quick report makes its draft; from now on this page is the page of that draft.
function begun(place) {
  history.replaceState(null, "", place);
  page.elements.draft.value = new URL(place, location.href).searchParams.get("draft");
}

function kept(answer) {
  page.elements.revision.value = answer.headers.get("ETag").replaceAll('"', "");
  if (answer.headers.get("Noroshi-Base")) page.elements.base.value = answer.headers.get("Noroshi-Base");
  if (answer.headers.get("Location")) begun(answer.headers.get("Location"));
  note.textContent = note.dataset.saved.replace("{time}", clock());
}

// Whatever is no success: it is not saved, says so, and what was typed is still to be saved.
function settle(answer) {
  shown = SHOWN.includes(answer.status);
  if (answer.status === 204) kept(answer);
  else notKept(answer);
}

function notKept(answer) {
  dirty = true;
  note.textContent = note.dataset[reason(answer)];
  if (!isFinal(answer.status)) later(RETRY);
}

function isFinal(status) {
  return status >= 400 && status < 500 && !AGAIN.includes(status);
}

function reason(answer) {
  if (answer.status === 409) return "conflict";
  if (answer.status === 404) return "gone";
  if (answer.type === "opaqueredirect" || answer.status === 400 || answer.status === 401) return "signedOut";
  return isFinal(answer.status) ? "refused" : "unsaved";
}

async function save() {
  if (underWay) await underWay;
  dirty = false;
  underWay = send().then(settle, () => settle(Response.error()));
  await underWay;
  underWay = null;
}

function touched() {
  dirty = true;
  later(PAUSE);
}

// What is typed is saved before the page is left: pressed when signed out or offline, a button would lose it.
async function submit(event) {
  if (checked || !(underWay || dirty)) return;
  event.preventDefault();
  clearTimeout(timer);
  if (underWay) await underWay;
  if (dirty) await save();
  if (dirty && !shown) return;
  checked = true;
  page.requestSubmit(event.submitter);
  checked = false;
}

function leave() {
  if (document.visibilityState === "hidden" && dirty) save();
}

// "Not known yet" stands alone: choosing it clears the others, and choosing another clears it.
function keepExclusive(event) {
  const chosen = event.target;
  if (chosen.type !== "checkbox" || !chosen.checked) return;
  for (const other of page.querySelectorAll(`input[name="${CSS.escape(chosen.name)}"]:checked`)) {
    const clash = "exclusive" in chosen.dataset || "exclusive" in other.dataset;
    if (other !== chosen && clash) other.checked = false;
  }
}

// People count characters, not UTF-16 halves; the server counts the same way.
function showCount(line) {
  const box = document.getElementById(line.dataset.countFor);
  const left = Number(box.dataset.limit) - [...box.value].length;
  const words = left < 0 ? line.dataset.overWords : line.dataset.words;
  line.textContent = words.replace("{n}", Math.abs(left));
  line.toggleAttribute("data-over", left < 0);
}

page.addEventListener("input", touched);
page.addEventListener("change", keepExclusive);
page.addEventListener("submit", submit);
document.addEventListener("visibilitychange", leave);
for (const line of page.querySelectorAll("[data-count-for]")) {
  document.getElementById(line.dataset.countFor).addEventListener("input", () => showCount(line));
  showCount(line);
}
