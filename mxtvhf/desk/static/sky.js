// The sky view: circles, catalogue sources and regions in the tangent plane of the best position (arcmin, East left).
// Redrawn for each view, so that lines and text keep their size.

import { drawGrid, skyPlace } from "./sky_grid.js";

const SVG = "http://www.w3.org/2000/svg";
const hidden = new Set();
let sky = null;
let view = null;
let queued = false;

const canvas = () => document.getElementById("sky-canvas");

function element(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

// Conversion to pixels; the smaller side of the canvas is twice the half width.
function frame() {
  const { clientWidth: width, clientHeight: height } = canvas();
  const scale = Math.min(width, height) / (2 * view.half);
  return {
    width,
    height,
    scale,
    at: (x, y) => [width / 2 - (x - view.x) * scale, height / 2 - (y - view.y) * scale],
    from: (px, py) => [view.x + (width / 2 - px) / scale, view.y + (height / 2 - py) / scale],
  };
}

function drawRegions(svg, on) {
  for (const region of sky.regions) {
    if (hidden.has(region.layer)) continue;
    const line = (outline) => `M${outline.map(([x, y]) => on.at(x, y).map((one) => one.toFixed(1)).join(" ")).join("L")}Z`;
    element("path", { d: region.outlines.map(line).join(""), class: "region", "fill-rule": "evenodd" }, svg);
  }
}

const place = (one, on) => ({ one, at: on.at(one.x, one.y), r: (one.r90_arcmin || 0) * on.scale });

// The widest first, so that no circle lies under a wider one.
function drawCircles(svg, on) {
  const drawn = sky.circles.filter((one) => !hidden.has(one.layer)).map((one) => place(one, on));
  drawn.sort((a, b) => b.r - a.r);
  for (const { one, at: [cx, cy], r } of drawn) {
    const style = `s-${one.style}${one.is_superseded ? " superseded" : ""}`;
    // Browsers draw very large arcs badly; the view is then well inside or outside the circle.
    if (r < 20000 && r > 0) element("circle", { cx, cy, r, class: `ring ${style}` }, svg);
    const mark = one.style === "catalogue" ? `M${cx - 4} ${cy - 4}l8 8m0 -8l-8 8` : `M${cx - 5} ${cy}h10M${cx} ${cy - 5}v10`;
    element("path", { d: mark, class: `cross ${style}` }, svg);
  }
  return drawn;
}

const overlap = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

// Places for a name around its circle: above, below, then along the rim, outside and inside.
function namePlaces([cx, cy], r, width) {
  const around = [90, 270, 45, 135, 315, 225, 0, 180, 22, 68, 112, 158, 202, 248, 292, 338];
  const rim = (distance) => around.map((degree) => {
    const [right, up] = [Math.cos((degree * Math.PI) / 180), Math.sin((degree * Math.PI) / 180)];
    const [x, y] = [cx + right * distance, cy - up * distance];
    const outward = distance > r ? 1 : -1;
    return [x - width / 2 + (outward * right * width) / 2, y - outward * up * 7 + 4];
  });
  return [...rim(r + 8), ...(r > 40 ? rim(r - 8) : [])];
}

// A name without a free place appears only in the legend. Names never cover the corners.
function drawNames(svg, on, drawn) {
  const corners = [[on.width - 190, 0, on.width, 42], [0, on.height - 40, on.width / 3 + 20, on.height], [on.width - 66, on.height - 62, on.width, on.height]];
  const taken = [...corners, ...drawn.map(({ at: [x, y] }) => [x - 7, y - 7, x + 7, y + 7])];
  for (const { one, at, r } of [...drawn].sort((a, b) => a.r - b.r)) {
    const width = 6.6 * one.label.length + 6;
    const box = ([x, y]) => [x, y - 12, x + width, y + 3];
    const free = namePlaces(at, r, width).find((spot) => {
      const [left, top, right, bottom] = box(spot);
      return left > 0 && top > 0 && right < on.width && bottom < on.height && !taken.some((other) => overlap(box(spot), other));
    });
    if (!free) continue;
    taken.push(box(free));
    element("text", { x: free[0] + 3, y: free[1], class: `name s-${one.style}` }, svg).textContent = one.label;
  }
}

function angle(arcmin) {
  if (arcmin < 1) return `${Math.round(60 * arcmin)}"`;
  return arcmin < 60 ? `${arcmin}'` : `${arcmin / 60} deg`;
}

function drawScale(svg, on) {
  const steps = [1, 2, 5, 10, 20, 30].map((one) => one / 60).concat([1, 2, 5, 10, 20, 30, 60, 120]);
  const length = steps.filter((one) => one * on.scale < on.width / 3).pop() || steps[0];
  const [x, y] = [14, on.height - 14];
  element("path", { d: `M${x} ${y - 5}v5h${length * on.scale}v-5`, class: "ink" }, svg);
  element("text", { x: x + 4, y: y - 8, class: "name" }, svg).textContent = angle(length);
  const [cx, cy] = [on.width - 18, on.height - 16];
  element("path", { d: `M${cx - 30} ${cy}H${cx}V${cy - 30}`, class: "ink" }, svg);
  element("text", { x: cx - 4, y: cy - 34, class: "name" }, svg).textContent = "N";
  element("text", { x: cx - 42, y: cy + 4, class: "name" }, svg).textContent = "E";
}

function draw() {
  queued = false;
  const box = canvas();
  if (!box?.clientWidth) return;
  const on = frame();
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${on.width} ${on.height}`);
  svg.setAttribute("aria-hidden", "true");
  drawGrid(sky, on, (name, attributes) => element(name, attributes, svg));
  drawRegions(svg, on);
  const drawn = drawCircles(svg, on);
  drawNames(svg, on, drawn);
  drawScale(svg, on);
  box.replaceChildren(svg);
}

function redraw() {
  if (!queued) requestAnimationFrame(draw);
  queued = true;
}

// The place under the pointer stays fixed.
function zoom(factor, px, py) {
  const before = frame();
  const [x, y] = before.from(px ?? before.width / 2, py ?? before.height / 2);
  const half = Math.min(Math.max(view.half * factor, 0.05), 2 * sky.everything.half);
  const real = half / view.half;
  view = { x: x + (view.x - x) * real, y: y + (view.y - y) * real, half };
  redraw();
}

function move(dx, dy) {
  const { scale } = frame();
  view = { ...view, x: view.x + dx / scale, y: view.y + dy / scale };
  redraw();
}

// The view with its colours as attributes, since an image has no style sheet.
function picture() {
  const drawn = canvas().querySelector("svg");
  const copy = drawn.cloneNode(true);
  const originals = [drawn, ...drawn.querySelectorAll("*")];
  for (const [index, part] of [copy, ...copy.querySelectorAll("*")].entries()) {
    const style = getComputedStyle(originals[index]);
    for (const name of ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "opacity", "font-family", "font-size", "paint-order"]) {
      part.setAttribute(name, style.getPropertyValue(name));
    }
  }
  const { width, height } = frame();
  copy.setAttribute("width", 2 * width);
  copy.setAttribute("height", 2 * height);
  const back = document.createElementNS(SVG, "rect");
  for (const [name, value] of Object.entries({ width, height, fill: getComputedStyle(canvas()).backgroundColor })) back.setAttribute(name, value);
  copy.prepend(back);
  return new XMLSerializer().serializeToString(copy);
}

async function save() {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(picture())}`;
  await image.decode();
  const sheet = document.createElement("canvas");
  [sheet.width, sheet.height] = [image.width, image.height];
  sheet.getContext("2d").drawImage(image, 0, 0);
  const link = document.createElement("a");
  link.download = `${document.getElementById("sky-view").dataset.burst}_sky.png`;
  link.href = sheet.toDataURL("image/png");
  link.click();
}

const deeds = {
  in: () => zoom(0.6),
  out: () => zoom(1 / 0.6),
  all: () => ((view = { ...sky.everything }), redraw()),
  save,
  reset: () => ((view = { ...sky.start }), redraw()),
};
const keys = {
  "+": deeds.in,
  "=": deeds.in,
  "-": deeds.out,
  0: deeds.reset,
  ArrowLeft: () => move(40, 0),
  ArrowRight: () => move(-40, 0),
  ArrowUp: () => move(0, 40),
  ArrowDown: () => move(0, -40),
};

function local(event) {
  const box = canvas().getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

const pointers = new Map();

function drag(event) {
  const [x, y] = local(event);
  const here = frame().from(x, y);
  document.getElementById("sky-place").textContent = skyPlace(sky, ...here);
  const last = pointers.get(event.pointerId);
  if (!last) return;
  if (pointers.size === 1) move(x - last[0], y - last[1]);
  if (pointers.size === 2) {
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    const span = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]) || 1;
    zoom(span(last) / span([x, y]), (x + other[0]) / 2, (y + other[1]) / 2);
  }
  pointers.set(event.pointerId, [x, y]);
}

function listen(box) {
  box.addEventListener("wheel", (event) => (event.preventDefault(), zoom(Math.exp(0.0015 * event.deltaY), ...local(event))), { passive: false });
  box.addEventListener("pointerdown", (event) => (box.setPointerCapture(event.pointerId), pointers.set(event.pointerId, local(event))));
  box.addEventListener("pointermove", drag);
  for (const end of ["pointerup", "pointercancel"]) box.addEventListener(end, (event) => pointers.delete(event.pointerId));
  box.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  new ResizeObserver(redraw).observe(box);
}

// Called again after a refresh of the page; the view is kept.
function begin() {
  const holder = document.getElementById("sky-view");
  if (!holder || holder.dataset.listening) return;
  holder.dataset.listening = "yes";
  sky = JSON.parse(holder.dataset.sky);
  view ??= { ...sky.start };
  for (const box of document.querySelectorAll("[data-layer]")) box.checked = !hidden.has(box.dataset.layer);
  pointers.clear();
  listen(canvas());
  redraw();
}

document.addEventListener("change", (event) => {
  const { layer } = event.target.dataset;
  if (!layer) return;
  if (event.target.checked) hidden.delete(layer);
  else hidden.add(layer);
  redraw();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  deeds[button?.dataset.skyDo]?.();
  if (button?.id === "aladin-open") {
    const place = document.getElementById("aladin");
    const inner = document.createElement("iframe");
    Object.assign(inner, { title: "Aladin Lite", src: button.dataset.address });
    place.replaceChildren(inner);
    place.hidden = false;
  }
});
document.addEventListener("desk:changed", begin);
begin();
