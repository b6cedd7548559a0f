// Duty: "I have it", and the opt-in sound and browser notification for live bursts.

import { refresh } from "./refresh.js";

const key = "mxtvhf-desk-alarm";
const calls = ["receiving", "preliminary", "awaiting decision", "retracted"];
const box = () => document.getElementById("alarm");
const isOn = () => localStorage.getItem(key) === "on";
let sound = null;

function note(text) {
  const place = document.getElementById("alarm-note");
  if (place) place.textContent = text;
}

// Live bursts of the page: burst -> state.
function signs() {
  const own = document.querySelector("#duty[data-burst]");
  const found = own ? [[own.dataset.burst, own.dataset.alarm]] : [];
  for (const row of document.querySelectorAll('#bursts tr[data-kind="live"]')) {
    found.push([row.dataset.burst, row.dataset.state]);
  }
  return new Map(found);
}

function beep() {
  sound ??= new AudioContext();
  sound.resume();
  for (const [start, pitch] of [[0, 880], [0.25, 660], [0.5, 880]]) {
    const tone = sound.createOscillator();
    tone.frequency.value = pitch;
    tone.connect(sound.destination);
    tone.start(sound.currentTime + start);
    tone.stop(sound.currentTime + start + 0.2);
  }
}

function call(burst, state) {
  beep();
  if ("Notification" in window && Notification.permission === "granted") {
    new Notification(`${burst}: ${state}`, { body: "MXT-VHF desk", tag: burst, requireInteraction: true });
  }
}

let known = signs();

function changed() {
  const now = signs();
  if (isOn()) {
    for (const [burst, state] of now) {
      if (known.get(burst) !== state && calls.some((one) => state.startsWith(one))) call(burst, state);
    }
  }
  known = now;
  show();
}

function show() {
  box().checked = isOn();
  // With notifications on, the page keeps refreshing in a background tab.
  document.body.toggleAttribute("data-watching", isOn());
}

async function choose() {
  localStorage.setItem(key, box().checked ? "on" : "off");
  show();
  if (!isOn()) return note("");
  beep();
  if (!("Notification" in window)) return note("Sound only: browsers need HTTPS for notifications.");
  const answer = await Notification.requestPermission();
  note(answer === "granted" ? "On." : "Sound only: the browser blocks notifications.");
}

async function acknowledge(button) {
  button.disabled = true;
  try {
    const answer = await fetch(button.dataset.acknowledge, {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ subject: button.dataset.subject, instead_of: button.dataset.holder || null }),
      signal: AbortSignal.timeout(30000),
    });
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(typeof body.detail === "string" ? body.detail : `HTTP ${answer.status}`);
    document.getElementById("announcement").textContent = "You have it.";
  } catch (error) {
    note(`Not accepted: ${error.message}`);
  } finally {
    button.disabled = false;
  }
  await refresh();
}

document.addEventListener("change", (event) => {
  if (event.target.id === "alarm") choose();
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-acknowledge]");
  if (button) acknowledge(button);
});
document.addEventListener("desk:changed", changed);
show();
