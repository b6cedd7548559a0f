// The announcement: number of its circular, name of the event, and its correction or retraction after a confirmation.

import { notRecommended } from "./recommended.js";
import { refresh } from "./refresh.js";
import { post } from "./send.js";

const WEBHOOK_MS = 60000; // Long enough for a webhook that does not answer.
const WORDS = { retract: "Retract", correct: "Correct" };
let changing = null;

const dialog = () => document.getElementById("change");

const values = (form) => Object.fromEntries([...form.elements].filter((field) => field.name).map((field) => [field.name, field.value.trim()]));

// Sent values no longer count as typed, so that the page may be refreshed.
function settle(form) {
  for (const field of form.elements) if (field.name && field.tagName !== "SELECT") field.defaultValue = field.value;
  for (const field of form.querySelectorAll("select")) field.selectedIndex = 0;
  document.activeElement?.blur();
}

async function record(form) {
  const problem = form.querySelector("[data-error]");
  problem.hidden = true;
  try {
    const content = values(form);
    if (form.dataset.run) content.run = form.dataset.run;
    await post(form.dataset.address, content);
    settle(form);
    document.getElementById("announcement").textContent = "Saved.";
    await refresh();
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
  }
}

function ask(form) {
  const { action } = form.dataset;
  const reason = form.elements.reason.value.trim();
  if (!form.reportValidity()) return;
  changing = form;
  const { position } = form.elements;
  const place = position?.selectedOptions[0].dataset.place;
  const other = position?.selectedIndex > 0 ? ` ${notRecommended(position)}` : "";
  const title = form.closest("details").querySelector("summary").textContent;
  document.getElementById("change-text").textContent = `${title} of ${form.dataset.burst}${place ? `: announce ${place} in its place` : ""}, with the reason "${reason}"?${other}`;
  const yes = document.getElementById("change-yes");
  yes.textContent = WORDS[action];
  yes.hidden = false;
  dialog().showModal();
  // Pressing Enter twice must not change anything.
  document.getElementById("change-no").focus();
}

async function change() {
  const yes = document.getElementById("change-yes");
  const { action, about, run, report } = changing.dataset;
  yes.disabled = true;
  document.getElementById("change-text").textContent = "Releasing ...";
  try {
    const read = run ? { run, report } : {};
    await post(changing.dataset.address, { action, about, ...read, ...values(changing) }, WEBHOOK_MS);
    settle(changing);
    dialog().close();
    document.getElementById("announcement").textContent = "Released.";
    await refresh();
  } catch (error) {
    document.getElementById("change-text").textContent = `Not accepted: ${error.message}`;
    yes.hidden = true;
  } finally {
    yes.disabled = false;
  }
}

document.addEventListener("submit", (event) => {
  if (!event.target.closest("#announced")) return;
  event.preventDefault();
  if (event.target.querySelector("[data-record]")) record(event.target);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("#announced button");
  if (!button) return;
  if ("record" in button.dataset && button.form.reportValidity()) record(button.form);
  if ("change" in button.dataset) ask(button.form);
  if (button.id === "change-yes") change();
  if (button.id === "change-no") dialog().close();
});
