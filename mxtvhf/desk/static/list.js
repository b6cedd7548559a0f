// The list of bursts: filters, and what changes is shown by itself.

import "./refresh.js";

const form = document.querySelector("form.filters");
const key = "mxtvhf-desk-filters";

function filter() {
  const wanted = new Set([...form.querySelectorAll("input[type=checkbox]:checked")].map((box) => box.name));
  const text = form.elements.text.value.trim().toLowerCase();
  const rows = [...document.querySelectorAll("#bursts tbody tr")];
  for (const row of rows) {
    row.hidden = !wanted.has(row.dataset.kind) || !row.textContent.toLowerCase().includes(text);
  }
  const left = rows.filter((row) => !row.hidden).length;
  const words = left || !rows.length ? `${left} of ${rows.length}` : `None of the ${rows.length} bursts passes the filters.`;
  const count = document.getElementById("count");
  if (count.textContent !== words) count.textContent = words;
}

const kept = JSON.parse(sessionStorage.getItem(key) || "{}");
for (const box of form.querySelectorAll("input[type=checkbox]")) box.checked = kept[box.name] ?? box.checked;
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", () => {
  const boxes = [...form.querySelectorAll("input[type=checkbox]")];
  sessionStorage.setItem(key, JSON.stringify(Object.fromEntries(boxes.map((box) => [box.name, box.checked]))));
  filter();
});
document.addEventListener("desk:changed", filter);
filter();
