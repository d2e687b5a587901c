// The list of recipients brings itself up to date. The page is complete without it: a reload does the same.
"use strict";

const EVERY_MS = 10000;
const list = document.querySelector("[data-live]");
const said = document.querySelector("[data-live-said]");

function isDone() {
  return list.querySelector("[data-live-done]") !== null;
}

// Somebody who reads on in the list must not lose the place: only what has changed is put in.
function show(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html").body;
  const before = list.querySelector("[data-live-sum]").textContent;
  if (fresh.innerHTML.trim() === list.innerHTML.trim()) return;
  list.replaceChildren(...fresh.childNodes);
  const after = list.querySelector("[data-live-sum]").textContent;
  if (after !== before) said.textContent = after;
}

// A redirection says that the login is over: a reload then leads to the sign-in page. A silent network may come back.
async function again() {
  if (!document.hidden) {
    try {
      const answer = await fetch(list.dataset.live, { redirect: "manual" });
      if (answer.type === "opaqueredirect") return;
      if (answer.ok) show(await answer.text());
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
  }
  if (!isDone()) setTimeout(again, EVERY_MS);
}

if (list && !isDone()) setTimeout(again, EVERY_MS);
