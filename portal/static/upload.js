// Sends files while the form is still being filled in, and shows how far each is. Without it they go with the form.

const question = document.querySelector("[data-upload]");
const input = question.querySelector("input[type=file]");
const list = question.querySelector("[data-files]");
const row = question.querySelector("template[data-file]");
const home = input.form;
const queue = []; // The first is under way; one after another, as one person may send few at once.
let waiting = null;

function shown(file) {
  const line = row.content.firstElementChild.cloneNode(true);
  line.querySelector(".file__name").textContent = file.name;
  list.hidden = false;
  list.append(line);
  return line;
}

function say(line, words, failed) {
  line.querySelector("progress").remove();
  const state = line.querySelector(".file__state");
  state.textContent = words;
  line.toggleAttribute("data-failed", failed);
}

function received(line, answer) {
  const kept = line.querySelector("input");
  const remove = line.querySelector("button");
  kept.disabled = false;
  kept.value = remove.value = answer.id;
  line.querySelector(".file__name").textContent = answer.name;
  remove.hidden = false;
  say(line, line.querySelector(".file__state").dataset.sent, false);
  // What keeps drafts hears of it as of anything typed.
  kept.dispatchEvent(new Event("input", { bubbles: true }));
}

function settle(line, request) {
  const answer = request.response;
  if (request.status === 201) received(line, answer);
  else say(line, (answer && answer.message) || line.querySelector(".file__state").dataset.failed, true);
  queue.shift();
  if (queue.length) send(...queue[0]);
  else if (waiting) home.requestSubmit(waiting);
}

function send(file, line) {
  const body = new FormData();
  body.append("csrf_token", home.elements.csrf_token.value);
  for (const kept of list.querySelectorAll("input:enabled")) body.append("attached", kept.value);
  body.append("attachment", file);
  const request = new XMLHttpRequest();
  request.open("POST", question.dataset.upload);
  request.responseType = "json";
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) line.querySelector("progress").value = (100 * event.loaded) / event.total;
  });
  request.addEventListener("loadend", () => settle(line, request));
  request.send(body);
}

function chosen() {
  const idle = !queue.length;
  for (const file of input.files) queue.push([file, shown(file)]);
  input.value = "";
  if (idle && queue.length) send(...queue[0]);
}

// The form goes when its files are here.
function hold(event) {
  if (!queue.length) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  waiting = event.submitter;
}

input.addEventListener("change", chosen);
home.addEventListener("submit", hold, true);
