// Small comforts for the first report. The page is complete without them: everything here is optional.
"use strict";

const form = document.getElementById("report");
const day = document.getElementById("aware_date");
const time = document.getElementById("aware_time");

// The form speaks of Japan's time, wherever the browser stands: UTC+9, without summer time.
function japan(instant) {
  return new Date(instant + 9 * 3600 * 1000).toISOString();
}

function setNow() {
  const text = japan(Date.now());
  day.value = text.slice(0, 10);
  time.value = text.slice(11, 16);
  showElapsed();
}

// Only the plain spelling is understood here; the server reads many more.
function awareAt() {
  const plain = /^\d{4}-\d{2}-\d{2}$/.test(day.value.trim()) && /^\d{1,2}:\d{2}$/.test(time.value.trim());
  const text = `${day.value.trim()}T${time.value.trim().padStart(5, "0")}:00+09:00`;
  return plain ? Date.parse(text) : NaN;
}

const note = document.querySelector("[data-elapsed]");
const usual = note ? note.textContent : "";

function showElapsed() {
  const minutes = Math.floor((Date.now() - awareAt()) / 60000);
  const words = note.dataset.elapsed.replace("{h}", Math.floor(minutes / 60)).replace("{m}", minutes % 60);
  note.textContent = minutes >= 0 ? words : usual;
}

// People count characters, not UTF-16 halves; the server counts the same way.
function showCount(line) {
  const box = document.getElementById(line.dataset.countFor);
  const left = Number(box.dataset.limit) - [...box.value].length;
  const words = left < 0 ? line.dataset.overWords : line.dataset.words;
  line.textContent = words.replace("{n}", Math.abs(left));
  line.toggleAttribute("data-over", left < 0);
}

// "Not known yet" stands alone: choosing it clears the others, and choosing another clears it.
function keepExclusive(event) {
  const chosen = event.target;
  if (chosen.type !== "checkbox" || !chosen.checked) return;
  for (const other of form.querySelectorAll(`input[name="${chosen.name}"]:checked`)) {
    const clash = "exclusive" in chosen.dataset || "exclusive" in other.dataset;
    if (other !== chosen && clash) other.checked = false;
  }
}

function start() {
  const now = document.getElementById("now");
  now.hidden = false;
  now.addEventListener("click", setNow);
  form.addEventListener("change", keepExclusive);
  for (const box of [day, time]) box.addEventListener("input", showElapsed);
  for (const line of form.querySelectorAll("[data-count-for]")) {
    document.getElementById(line.dataset.countFor).addEventListener("input", () => showCount(line));
    showCount(line);
  }
  showElapsed();
  setInterval(showElapsed, 30000);
}

if (form && day && time && note) start();
