// The decision: after a confirmation it is sent to Airflow's API in the name of the user, if it is about the newest
// report.

import { notRecommended } from "./recommended.js";
import { refresh } from "./refresh.js";

let choice = null;

const form = () => document.getElementById("answer");
const dialog = () => document.getElementById("confirm");

function ask(wanted) {
  choice = wanted;
  const { position, comment } = form().elements;
  const { burst } = form().dataset;
  const words = comment.value.trim();
  const what = wanted === "Approve" ? `Announce ${burst} at ${position.selectedOptions[0].dataset.place}` : `Announce nothing for ${burst}`;
  const other = wanted === "Approve" && position.selectedIndex > 0 ? ` ${notRecommended(position)}` : "";
  document.getElementById("confirm-text").textContent = `${what}${words ? `, with the comment "${words}"` : ", without a comment"}?${other}`;
  const yes = document.getElementById("confirm-yes");
  yes.textContent = wanted;
  yes.hidden = false;
  document.getElementById("confirm-cautions").hidden = wanted !== "Approve";
  dialog().showModal();
  // Pressing Enter twice must not announce anything.
  document.getElementById("confirm-no").focus();
}

async function send() {
  const { position, comment } = form().elements;
  const yes = document.getElementById("confirm-yes");
  yes.disabled = true;
  try {
    const answer = await fetch(form().dataset.address, {
      method: "PATCH",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        chosen_options: [choice],
        params_input: { position: position.value, comment: comment.value.trim(), report: form().dataset.report },
      }),
      signal: AbortSignal.timeout(30000),
    });
    if (!answer.ok) throw Object.assign(new Error(await problem(answer)), { isClosed: answer.status === 409 });
    document.getElementById("announcement").textContent = `${choice === "Approve" ? "Approved" : "Rejected"}.`;
    sessionStorage.removeItem(draftKey());
    form().reset();
    dialog().close();
    await refresh();
  } catch (error) {
    document.getElementById("confirm-text").textContent = `Not accepted: ${error.message}`;
    // Somebody else has decided, or there is a newer result: nothing is left to confirm.
    yes.hidden = error.isClosed;
  } finally {
    yes.disabled = false;
  }
}

async function problem(answer) {
  const body = await answer.json().catch(() => ({}));
  const detail = typeof body.detail === "string" ? body.detail : "";
  if (answer.status !== 409) return `HTTP ${answer.status} ${detail}`;
  // Airflow's own message is about its database.
  return new URL(answer.url).pathname.includes("/api/v2/") ? "this question is already answered. Go back to see the answer." : detail;
}

function countComment() {
  const comment = form()?.elements.comment;
  if (comment) document.getElementById("comment-left").textContent = `${comment.maxLength - comment.value.length} characters left`;
}

// The menu cuts long lines, so the chosen position is repeated below it.
function showPlace() {
  const position = form()?.elements.position;
  if (position) document.getElementById("chosen-place").textContent = position.selectedOptions[0]?.dataset.place ?? "";
}

// The comment is kept over updates and reloads of the page.
const draftKey = () => `mxtvhf-comment-${form().dataset.burst}`;

function keepDraft() {
  const comment = form()?.elements.comment;
  if (comment) sessionStorage.setItem(draftKey(), comment.value);
}

function restoreDraft() {
  const comment = form()?.elements.comment;
  if (comment && comment.value === "" && comment !== document.activeElement) {
    comment.value = sessionStorage.getItem(draftKey()) ?? "";
  }
  countComment();
}

document.addEventListener("input", (event) => {
  if (event.target.id === "position") showPlace();
  if (event.target.id !== "comment") return;
  keepDraft();
  countComment();
});
document.addEventListener("desk:changed", restoreDraft);
document.addEventListener("desk:changed", showPlace);
restoreDraft();
showPlace();

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.choice) ask(button.dataset.choice);
  if (button?.id === "confirm-yes") send();
  if (button?.id === "confirm-no") dialog().close();
});
