// The offline form: checks the answers, seals them for the installation whose public key the page carries, and saves
// them as a file. It never asks the network for anything; the page's policy would not let it.
"use strict";

const form = document.getElementById("report");
const words = JSON.parse(form.dataset.words);
const day = form.elements.aware_date;
const time = form.elements.aware_time;
const problemBox = document.getElementById("problems");
const LIMITS = { summary: 400, ioc_paste: 65536, callback: 40 };
const BIDI = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/;
let parcel = null;

const tongue = () => document.documentElement.lang;
const plain = (text) => text.normalize("NFKC").replace(/\s/g, "");
const japan = (instant) => new Date(instant + 9 * 3600 * 1000).toISOString();

// --- checking ---------------------------------------------------------------------------------------

// The plain spellings; the installation reads many more.
function awareAt() {
  const date = /^(\d{4})(?:[-/.]|年)(\d{1,2})(?:[-/.]|月)(\d{1,2})日?$/.exec(plain(day.value));
  const dayOnly = chosen("aware_fidelity")[0] === "day" && !time.value.trim();
  const clock = /^(\d{1,2})(?::|時)(\d{1,2})?分?$/.exec(plain(time.value)) || (dayOnly && ["", "0", "0"]);
  if (!date || !clock) return NaN;
  const [year, month, dayOfMonth, hour, minute] = [...date.slice(1), ...clock.slice(1)].map((part) => Number(part || 0));
  const text = japan(Date.UTC(year, month - 1, dayOfMonth, hour, minute) - 9 * 3600 * 1000);
  const exact = text.startsWith([year, month, dayOfMonth].map((part) => String(part).padStart(2, "0")).join("-"));
  return exact && hour < 24 && minute < 60 ? Date.UTC(year, month - 1, dayOfMonth, hour - 9, minute) : NaN;
}

function wrongTime() {
  if (!day.value.trim() && !time.value.trim()) return "required";
  const at = awareAt();
  if (Number.isNaN(at)) return "bad-time";
  if (at > Date.now() + 5 * 60 * 1000) return "too-late";
  const oldest = new Date();
  oldest.setFullYear(oldest.getFullYear() - 2);
  return at < oldest.getTime() ? "too-early" : "";
}

function wrongPhone() {
  const typed = form.elements.callback.value;
  if (!typed.trim()) return "required";
  if (typed.length > LIMITS.callback) return "too-long";
  if (BIDI.test(typed)) return "bidi-character";
  if (CONTROL.test(typed)) return "control-character";
  const number = typed.normalize("NFKC").replace(/[\s()\-\u2010-\u2015\u2212\u2500\u2501\u30fc]/g, "").replace("+810", "+81");
  return /^(0[1-9]\d{8,9}|\+81[1-9]\d{8,9}|\+(?!81)[1-9]\d{6,14})$/.test(number) ? "" : "bad-phone";
}

// People count characters, not UTF-16 halves; what is pasted is counted in bytes.
function wrongText(name) {
  const typed = form.elements[name].value;
  const size = name === "summary" ? [...typed].length : new TextEncoder().encode(typed).length;
  if (size > LIMITS[name]) return "too-long";
  return CONTROL.test(typed) ? "control-character" : "";
}

function chosen(name) {
  return [...form.querySelectorAll(`input[name="${name}"]:checked`)].map((box) => box.value);
}

function wrongChoice(name) {
  const boxes = [...form.querySelectorAll(`input[name="${name}"]:checked`)];
  if (!boxes.length) return "required";
  return boxes.length > 1 && boxes.some((box) => "exclusive" in box.dataset) ? "exclusive" : "";
}

function wrong(name) {
  if (name === "aware_at") return wrongTime();
  if (name === "callback") return wrongPhone();
  if (name === "summary" || name === "ioc_paste") return wrongText(name);
  const code = wrongChoice(name);
  return code === "required" && !("required" in words[name]) ? "" : code;
}

// Each message in both languages: the switch must also turn what is on the page already.
function both(line, message) {
  for (const lang of ["ja", "en"]) {
    const part = document.createElement("span");
    part.lang = part.dataset.in = lang;
    part.textContent = message[lang];
    line.append(part);
  }
}

function showProblem(name, code, list) {
  const line = document.getElementById(`${name}-error`);
  const question = line.closest(".question");
  line.replaceChildren();
  line.hidden = !code;
  question.toggleAttribute("data-wrong", Boolean(code));
  if (!code) return;
  both(line, words[name][code]);
  const item = list.appendChild(document.createElement("li"));
  const link = item.appendChild(document.createElement("a"));
  link.href = name === "aware_at" ? "#aware_date" : `#${name}`;
  both(link, words[name][code]);
}

function check() {
  const list = problemBox.querySelector("ul");
  list.replaceChildren();
  for (const line of form.querySelectorAll(".question__error")) {
    const name = line.id.replace("-error", "");
    showProblem(name, wrong(name), list);
  }
  problemBox.hidden = !list.children.length;
  if (!problemBox.hidden) problemBox.focus();
  return problemBox.hidden;
}

// --- sealing ----------------------------------------------------------------------------------------

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const utf8 = (text) => new TextEncoder().encode(text);

function base64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

function typed() {
  const answers = {};
  for (const [name, value] of new FormData(form)) if (value.trim()) (answers[name] ||= []).push(value);
  const { organization = [""], ...said } = answers;
  return { made_at: new Date().toISOString(), lang: tongue(), organization: organization[0].trim(), answers: said };
}

async function keyFor(pair, ephemeral, theirs) {
  const curve = { name: "ECDH", namedCurve: "P-256" };
  const other = await crypto.subtle.importKey("raw", theirs, curve, false, []);
  const shared = await crypto.subtle.deriveBits({ name: "ECDH", public: other }, pair.privateKey, 256);
  const start = await crypto.subtle.importKey("raw", shared, "HKDF", false, ["deriveKey"]);
  const salt = new Uint8Array([...ephemeral, ...theirs]);
  const how = { name: "HKDF", hash: "SHA-256", salt, info: utf8("noroshi offline report 1") };
  return crypto.subtle.deriveKey(how, start, { name: "AES-GCM", length: 256 }, false, ["encrypt"]);
}

async function seal(plainText) {
  const theirs = bytesOf(form.dataset.key);
  const pair = await crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, false, ["deriveBits"]);
  const ephemeral = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const id = hex(crypto.getRandomValues(new Uint8Array(16)));
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const key = await keyFor(pair, ephemeral, theirs);
  const how = { name: "AES-GCM", iv, additionalData: utf8(`${id}.${form.dataset.keyId}`) };
  const sealed = new Uint8Array(await crypto.subtle.encrypt(how, key, utf8(plainText)));
  const head = { format: "noroshi-offline-report", version: 1, id, key_id: form.dataset.keyId };
  return { ...head, ephemeral: base64(ephemeral), nonce: base64(iv), sealed: base64(sealed) };
}

// Slow on purpose: twelve digits are few, and nobody must find another file with the same ones.
async function codeOf(file) {
  const whole = [file.id, file.key_id, file.ephemeral, file.nonce, file.sealed].join(".");
  const start = await crypto.subtle.importKey("raw", utf8(whole), "PBKDF2", false, ["deriveBits"]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt: utf8("noroshi offline code 1"), iterations: 100000 };
  const bits = new Uint8Array(await crypto.subtle.deriveBits(how, start, 64));
  const digits = String(BigInt(`0x${hex(bits)}`) % 10n ** 12n).padStart(12, "0");
  return digits.match(/.{4}/g).join("-");
}

// --- saving -----------------------------------------------------------------------------------------

async function save(event) {
  event.preventDefault();
  if (!check()) return;
  // Saved twice without a change it is the same file, and one report.
  parcel ||= await seal(JSON.stringify(typed()));
  const name = `noroshi-${parcel.id.slice(0, 4).toUpperCase()}.json`;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(parcel, null, 1)], { type: "application/json" }));
  link.download = name;
  link.click();
  document.getElementById("saved-name").textContent = name;
  document.getElementById("saved-code").textContent = await codeOf(parcel);
  for (const id of ["saved", "saved-next"]) document.getElementById(id).hidden = false;
  document.getElementById("saved").focus();
}

// "Not known yet" stands alone: choosing it clears the others, and choosing another clears it.
function keepExclusive(box) {
  if (box.type !== "checkbox" || !box.checked) return;
  for (const other of form.querySelectorAll(`input[name="${box.name}"]:checked`)) {
    if (other !== box && ("exclusive" in box.dataset || "exclusive" in other.dataset)) other.checked = false;
  }
}

function changed(event) {
  keepExclusive(event.target);
  parcel = null;
  for (const id of ["saved", "saved-next"]) document.getElementById(id).hidden = true;
}

function setNow() {
  [day.value, time.value] = japan(Date.now()).slice(0, 16).split("T");
}

function speak(lang) {
  document.documentElement.lang = lang;
}

function start() {
  const able = Boolean(window.crypto && crypto.subtle);
  document.getElementById("no-crypto").hidden = able;
  document.getElementById("save").hidden = !able;
  for (const id of ["tongue", "print"]) document.getElementById(id).hidden = false;
  document.getElementById("tongue").addEventListener("click", () => speak(tongue() === "ja" ? "en" : "ja"));
  document.getElementById("print").addEventListener("click", () => window.print());
  document.getElementById("now").addEventListener("click", setNow);
  form.addEventListener("change", changed);
  form.addEventListener("submit", save);
  window.addEventListener("beforeunload", (event) => {
    if (!parcel && typed().answers.callback) event.preventDefault();
  });
  if (!navigator.language.startsWith("ja")) speak("en");
}

start();
