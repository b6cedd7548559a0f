// The page of a burst: what changes is shown by itself and said to those who do not see it; copy buttons.

import "./links.js";
import "./refresh.js";

const announcement = document.getElementById("announcement");
let said = document.getElementById("said").textContent;

document.addEventListener("desk:changed", () => {
  const now = document.getElementById("said").textContent;
  if (now !== said) announcement.textContent = now;
  said = now;
});

export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Over plain HTTP from another machine there is no clipboard: the old way.
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("refused");
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await copy(button.dataset.copy);
    button.textContent = "Copied";
    announcement.textContent = `Copied ${button.dataset.copy}`;
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => (button.textContent = "Copy"), 1500);
});
