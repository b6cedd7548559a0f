// Refreshes a page: it is fetched again, and only the parts that changed are replaced.
// Scroll position, zoom, open folds and typed text are kept. A form that somebody is filling in is never replaced,
// and its result stays next to it until they request the newer one.

const main = document.querySelector("main");
const trouble = document.getElementById("trouble");
const parts = (page) => page.querySelectorAll("[data-part]");
const shown = new Map([...parts(document)].map((part) => [part.id, part.outerHTML]));
const clock = document.getElementById("clock");
let tag = null;
let timer = null;
let waiting = null;
let lastAnswer = new Date().toISOString().slice(11, 19);

function showTime() {
  clock.textContent = `· ${new Date().toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
setInterval(showTime, 1000);
showTime();

function keepState(before, after) {
  for (const open of before.querySelectorAll("details[open][id]")) {
    const same = after.querySelector(`#${CSS.escape(open.id)}`);
    if (same) same.open = true;
  }
  for (const field of before.querySelectorAll("select, textarea, input")) {
    const same = after.querySelector(`[name="${field.name}"]`);
    // The choice of a position of one result does not apply to another result.
    if (!same || field.form?.dataset.report !== same.form?.dataset.report) continue;
    same.value = field.value;
    if (same.value !== field.value) same.selectedIndex = 0;
  }
  for (const box of before.querySelectorAll(".scroll")) {
    const same = [...after.querySelectorAll(".scroll")].find((one) => one.ariaLabel === box.ariaLabel);
    if (same) requestAnimationFrame(() => (same.scrollLeft = box.scrollLeft));
  }
}

const ids = (page) => [...parts(page)].map((part) => part.id).join();

function swapAll(fresh) {
  const next = document.importNode(fresh.querySelector("main"), true);
  keepState(main, next);
  main.replaceChildren(...next.childNodes);
  // The header is outside the main part and is replaced like the other changed parts.
  for (const part of parts(fresh.querySelector("main"))) shown.set(part.id, part.outerHTML);
}

function swapPart(old, part) {
  const focused = old.contains(document.activeElement) ? document.activeElement.id : null;
  const next = document.importNode(part, true);
  keepState(old, next);
  old.replaceWith(next);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  shown.set(part.id, part.outerHTML);
}

// The form that somebody is filling in: one of its fields has the focus or a changed value.
function heldForm() {
  const own = (field) => (field.tagName === "SELECT" ? field.selectedIndex > 0 : field.value.trim() !== field.defaultValue.trim());
  const isHeld = (form) => [...form.querySelectorAll("select, textarea, input")].some((field) => field === document.activeElement || own(field));
  return [...document.querySelectorAll("form[data-keep]")].find(isHeld) ?? null;
}

// Next to a held form, only parts of the same result change; a message tells of a newer result.
function swapAround(form, fresh) {
  const { run, report } = fresh.querySelector("main").dataset;
  const isSame = main.dataset.run === run && main.dataset.report === report;
  const hold = form.querySelector("[data-hold]");
  const same = fresh.querySelector(`#${form.id}`);
  const isOpen = ["address", "report", "about"].every((fact) => same?.dataset[fact] === form.dataset[fact]);
  const news = main.dataset.run === run ? fresh.querySelector("[data-news]")?.textContent : "";
  for (const part of parts(fresh)) {
    const old = document.getElementById(part.id);
    if (!old || shown.get(part.id) === part.outerHTML || old.contains(form)) continue;
    if (isSame || (part.id === "banners" && main.dataset.run !== run)) swapPart(old, part);
  }
  hold.hidden = isSame && isOpen;
  hold.querySelector("span").textContent = isSame ? "This question is closed." : `${news || "A newer result is available."} Your comment is kept.`;
  for (const button of form.querySelectorAll("[data-choice], [data-change]")) button.disabled = isSame && !isOpen;
}

function swap(fresh, { force = false } = {}) {
  // An update must not close an open dialog.
  if (document.querySelector("dialog[open]")) return false;
  const form = force ? null : heldForm();
  if (form) {
    waiting = fresh;
    swapAround(form, fresh);
    document.dispatchEvent(new CustomEvent("desk:changed"));
    return false;
  }
  const changed = [...parts(fresh)].filter((part) => shown.get(part.id) !== part.outerHTML);
  // The first report adds parts to the page.
  if (ids(document) !== ids(fresh)) swapAll(fresh);
  for (const part of changed) {
    const old = document.getElementById(part.id);
    if (shown.get(part.id) !== part.outerHTML) swapPart(old, part);
  }
  Object.assign(main.dataset, fresh.querySelector("main").dataset);
  document.title = fresh.title;
  if (changed.length) document.dispatchEvent(new CustomEvent("desk:changed"));
  return true;
}

function report(problem) {
  trouble.hidden = !problem;
  trouble.textContent = problem || "";
}

async function look() {
  try {
    const answer = await fetch(location.href, {
      headers: tag ? { "If-None-Match": tag } : {},
      cache: "no-store",
      credentials: "same-origin",
      signal: AbortSignal.timeout(20000),
    });
    if (answer.status === 401 || answer.status === 403) return report("Logged out. Log in to Airflow again and reload this page.");
    if (!answer.ok && answer.status !== 304) throw new Error(`HTTP ${answer.status}`);
    report(null);
    lastAnswer = new Date().toISOString().slice(11, 19);
    if (answer.status === 304) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (swap(fresh)) tag = answer.headers.get("ETag");
  } catch (error) {
    report(`Connection lost (${error.message}); data from ${lastAnswer} UTC.`);
  }
}

// No refresh in the background, unless notifications are on (duty.js).
const rests = () => document.hidden && !document.body.hasAttribute("data-watching");

function plan() {
  clearTimeout(timer);
  const seconds = Number(main.dataset.refresh);
  if (seconds > 0 && !rests()) timer = setTimeout(refresh, 1000 * seconds);
}

export async function refresh() {
  clearTimeout(timer);
  await look();
  plan();
}

const units = [[86400, "d"], [3600, "h"], [60, "min"]];

function ages() {
  for (const time of document.querySelectorAll("time[data-age]")) {
    const seconds = Math.max(0, (Date.now() - Date.parse(time.dateTime)) / 1000);
    const [length, unit] = units.find(([one]) => seconds >= 2 * one) || [1, "s"];
    const text = `${Math.floor(seconds / length)} ${unit}${time.dataset.age === "elapsed" ? "" : " ago"}`;
    if (time.textContent !== text) time.textContent = text;
  }
}

document.addEventListener("click", (event) => {
  if (!waiting || !event.target.closest("[data-show-newer]")) return;
  swap(waiting, { force: true });
  waiting = null;
});
document.addEventListener("visibilitychange", () => (rests() ? clearTimeout(timer) : refresh()));
document.addEventListener("desk:changed", ages);
ages();
setInterval(ages, 1000);
plan();
