// The list of bursts: filters, order and automatic refresh.

import "./refresh.js";

const form = document.querySelector("form.filters");
const key = "mxtvhf-desk-filters";
const orderKey = "mxtvhf-desk-order";
const NUMBERS = ["r90", "latency", "updates"];
let order = JSON.parse(sessionStorage.getItem(orderKey) || "null");

function filter() {
  const wanted = new Set([...form.querySelectorAll("input[type=checkbox]:checked")].map((box) => box.name));
  const text = form.elements.text.value.trim().toLowerCase();
  const rows = [...document.querySelectorAll("#bursts tbody tr")];
  for (const row of rows) {
    row.hidden = !wanted.has(row.dataset.kind) || !row.textContent.toLowerCase().includes(text);
  }
  const left = rows.filter((row) => !row.hidden).length;
  const words = left || !rows.length ? `${left} of ${rows.length}` : `No burst of ${rows.length} matches the filters.`;
  const count = document.getElementById("count");
  if (count.textContent !== words) count.textContent = words;
  // A search opens the fold.
  const fold = document.getElementById("notices-only");
  if (fold && text) fold.open = true;
}

function compare(a, b) {
  const [first, second] = [a.dataset[order.by], b.dataset[order.by]];
  // Unknown values come last in both directions.
  if (!first || !second) return (first ? 0 : 1) - (second ? 0 : 1);
  const sign = order.up ? 1 : -1;
  return sign * (NUMBERS.includes(order.by) ? first - second : first.localeCompare(second));
}

function sort() {
  if (!order) return;
  for (const body of document.querySelectorAll("#bursts tbody")) body.append(...[...body.rows].sort(compare));
  for (const button of document.querySelectorAll("[data-sort]")) {
    const head = button.closest("th");
    if (button.dataset.sort === order.by) head.setAttribute("aria-sort", order.up ? "ascending" : "descending");
    else head.removeAttribute("aria-sort");
  }
}

document.addEventListener("click", (event) => {
  const by = event.target.closest("[data-sort]")?.dataset.sort;
  if (!by) return;
  order = { by, up: order?.by === by ? !order.up : by === "burst" || by === "r90" };
  sessionStorage.setItem(orderKey, JSON.stringify(order));
  sort();
});

function arrange() {
  sort();
  filter();
}

const kept = JSON.parse(sessionStorage.getItem(key) || "{}");
for (const box of form.querySelectorAll("input[type=checkbox]")) box.checked = kept[box.name] ?? box.checked;
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", () => {
  const boxes = [...form.querySelectorAll("input[type=checkbox]")];
  sessionStorage.setItem(key, JSON.stringify(Object.fromEntries(boxes.map((box) => [box.name, box.checked]))));
  filter();
});
document.addEventListener("desk:changed", arrange);
arrange();
