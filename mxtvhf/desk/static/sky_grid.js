// The grid of right ascension and declination in the sky view, and the coordinates under the pointer.
// Gnomonic projection and its inverse: Calabretta & Greisen 2002, A&A 395, 1077, section 5.1.3.

const RADIAN = Math.PI / 180;
const DEC_STEPS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18000]; // arcsec
const RA_STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600]; // seconds of time

// Right ascension and declination of a place, degrees; x, y in arcmin to the East and the North.
function inverse(sky, x, y) {
  const [east, north, dec0] = [(x / 60) * RADIAN, (y / 60) * RADIAN, sky.dec_deg * RADIAN];
  const along = Math.cos(dec0) - north * Math.sin(dec0);
  const ra = sky.ra_deg + Math.atan2(east, along) / RADIAN;
  return [ra, Math.atan2(Math.sin(dec0) + north * Math.cos(dec0), Math.hypot(along, east)) / RADIAN];
}

function project(sky, ra, dec) {
  const [lon, lat, lat0] = [(ra - sky.ra_deg) * RADIAN, dec * RADIAN, sky.dec_deg * RADIAN];
  const along = Math.sin(lat0) * Math.sin(lat) + Math.cos(lat0) * Math.cos(lat) * Math.cos(lon);
  if (along <= 0) return null;
  const east = (Math.cos(lat) * Math.sin(lon)) / along;
  const north = (Math.cos(lat0) * Math.sin(lat) - Math.sin(lat0) * Math.cos(lat) * Math.cos(lon)) / along;
  return [(60 * east) / RADIAN, (60 * north) / RADIAN];
}

const turn = (ra) => ((ra % 360) + 360) % 360;
const two = (number) => String(number).padStart(2, "0");

export function skyPlace(sky, x, y) {
  const [ra, dec] = inverse(sky, x, y);
  return `${turn(ra).toFixed(4)} ${dec < 0 ? "-" : "+"}${Math.abs(dec).toFixed(4)} deg`;
}

function raText(ra, step) {
  const tenths = Math.round((turn(ra) / 15) * 36000) % 864000;
  const seconds = step < 1 ? (tenths % 600) / 10 : Math.round((tenths % 600) / 10);
  return `${two(Math.floor(tenths / 36000))}h${two(Math.floor(tenths / 600) % 60)}m${step < 60 ? `${step < 1 ? seconds.toFixed(1).padStart(4, "0") : two(seconds)}s` : ""}`;
}

function decText(dec, step) {
  const seconds = Math.round(Math.abs(dec) * 3600);
  return `${dec < 0 ? "-" : "+"}${two(Math.floor(seconds / 3600))}\u00b0${two(Math.floor(seconds / 60) % 60)}'${step < 60 ? `${two(seconds % 60)}"` : ""}`;
}

function values(low, high, step) {
  const first = Math.ceil(low / step);
  const count = Math.min(Math.floor(high / step) - first + 1, 40);
  return Array.from({ length: Math.max(count, 0) }, (_, index) => (first + index) * step);
}

const pick = (steps, span) => steps.find((step) => span / step <= 5) ?? steps.at(-1);

// Lines of constant right ascension and declination, with labels at the left or upper edge.
export function drawGrid(sky, on, add) {
  const edge = [];
  for (let part = 0; part <= 10; part += 1) {
    const [across, down] = [(part / 10) * on.width, (part / 10) * on.height];
    edge.push(on.from(across, 0), on.from(across, on.height), on.from(0, down), on.from(on.width, down));
  }
  const places = edge.map(([x, y]) => inverse(sky, x, y));
  const [decs, ras] = [places.map(([, dec]) => dec), places.map(([ra]) => ra)];
  const [south, north, west, east] = [Math.min(...decs), Math.max(...decs), Math.min(...ras), Math.max(...ras)];
  // No grid around a pole, where the edge of the view does not enclose the range of right ascension.
  if (Math.max(Math.abs(south), Math.abs(north)) > 89 || east - west > 90) return;
  const decStep = pick(DEC_STEPS, 3600 * (north - south)) / 3600;
  const raStep = pick(RA_STEPS, 240 * (east - west)) / 240;
  const path = (points) => `M${points.filter(Boolean).map(([x, y]) => on.at(x, y).map((one) => one.toFixed(1)).join(" ")).join("L")}`;
  const along = (low, high) => Array.from({ length: 25 }, (_, index) => low + ((high - low) * index) / 24);
  for (const dec of values(south, north, decStep)) {
    add("path", { d: path(along(west, east).map((ra) => project(sky, ra, dec))), class: "grid" });
    const [, y] = on.at(0, project(sky, inverse(sky, on.from(0, 0)[0], on.from(0, 0)[1])[0], dec)?.[1] ?? 0);
    if (y > 60 && y < on.height - 50) add("text", { x: 4, y: y - 3, class: "grid-name" }).textContent = decText(dec, 3600 * decStep);
  }
  for (const ra of values(west, east, raStep)) {
    add("path", { d: path(along(south, north).map((dec) => project(sky, ra, dec))), class: "grid" });
    const top = inverse(sky, ...on.from(on.width / 2, 0))[1];
    const [x] = on.at(project(sky, ra, top)?.[0] ?? 0, 0);
    if (x > 4 && x < on.width - 250) add("text", { x: x + 3, y: 12, class: "grid-name" }).textContent = raText(ra, 240 * raStep);
  }
}
