// The decision: asked once more, then given to Airflow's own API in the name of who is logged in.

import { refresh } from "./refresh.js";

let choice = null;

const form = () => document.getElementById("answer");
const dialog = () => document.getElementById("confirm");

function ask(wanted) {
  choice = wanted;
  const { position, comment } = form().elements;
  const what = wanted === "Approve" ? `Announce ${position.selectedOptions[0].textContent.trim()}` : "Announce nothing";
  const words = comment.value.trim();
  document.getElementById("confirm-text").textContent = `${what}${words ? `, with the comment "${words}"` : ", without a comment"}?`;
  document.getElementById("confirm-yes").textContent = wanted;
  dialog().showModal();
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
        params_input: { position: position.value, comment: comment.value.trim() },
      }),
      signal: AbortSignal.timeout(30000),
    });
    if (!answer.ok) throw new Error(await problem(answer));
    document.getElementById("announcement").textContent = `${choice === "Approve" ? "Approved" : "Rejected"}.`;
    dialog().close();
    await refresh();
  } catch (error) {
    document.getElementById("confirm-text").textContent = `Not accepted: ${error.message}`;
  } finally {
    yes.disabled = false;
  }
}

async function problem(answer) {
  if (answer.status === 409) return "it was decided meanwhile; go back to see by whom.";
  const body = await answer.json().catch(() => ({}));
  return `HTTP ${answer.status} ${typeof body.detail === "string" ? body.detail : ""}`;
}

function countComment() {
  const comment = form()?.elements.comment;
  if (comment) document.getElementById("comment-left").textContent = `${comment.maxLength - comment.value.length} characters left`;
}

document.addEventListener("input", (event) => event.target.id === "comment" && countComment());
document.addEventListener("desk:changed", countComment);
countComment();

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.choice) ask(button.dataset.choice);
  if (button?.id === "confirm-yes") send();
  if (button?.id === "confirm-no") dialog().close();
});
