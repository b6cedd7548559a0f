// The comments on a burst.

import { refresh } from "./refresh.js";
import { send } from "./send.js";

const note = () => document.getElementById("note");

function count() {
  const field = note();
  if (field) document.getElementById("note-left").textContent = `${field.maxLength - field.value.length} characters left`;
}

document.addEventListener("input", (event) => event.target.id === "note" && count());
document.addEventListener("desk:changed", count);
count();

document.addEventListener("submit", async (event) => {
  if (event.target.id !== "new-comment") return;
  event.preventDefault();
  const text = note().value.trim();
  if (!text || !(await send(event.target.dataset.address, { text }))) return;
  note().value = "";
  document.getElementById("announcement").textContent = "Comment added.";
  await refresh();
});
