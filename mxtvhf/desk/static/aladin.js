// Aladin Lite of the CDS with the overlays of the sky view, loaded on request in a frame of its own.

const view = document.getElementById("aladin-view");
const state = document.getElementById("aladin-state");
const sky = JSON.parse(view.dataset.sky);
const COLOURS = { eclairs: "#4da3ff", "mxt-on-board": "#ffb347", "mxt-vhf": "#ff5c9e", source: "#ffa3c8", "mxt-gp": "#3ddc97", vt: "#b692ff" };
const OTHER = "#c8d0d8";
const UNREACHED = "Aladin Lite cannot be reached: no answer from CDS. The sky view above needs no network.";

function fail(words) {
  state.textContent = words;
  view.remove();
}

function overlays(A, aladin) {
  const circles = A.graphicOverlay({ lineWidth: 2 });
  aladin.addOverlay(circles);
  const names = A.catalog({ name: "positions", sourceSize: 10, shape: "plus", color: OTHER });
  aladin.addCatalog(names);
  for (const one of sky.circles) {
    const color = COLOURS[one.style] || OTHER;
    if (one.r90_arcmin) circles.add(A.circle(one.ra_deg, one.dec_deg, one.r90_arcmin / 60, { color }));
    names.addSources([A.marker(one.ra_deg, one.dec_deg, { popupTitle: one.label })]);
  }
  for (const region of sky.regions) {
    for (const outline of region.sky_outlines) circles.add(A.polyline(outline, { color: COLOURS["mxt-vhf"] }));
  }
}

async function start() {
  const A = window.A;
  await A.init;
  const aladin = A.aladin("#aladin-view", {
    target: `${sky.ra_deg} ${sky.dec_deg}`,
    fov: (2 * sky.start.half) / 60,
    cooFrame: "ICRSd",
    survey: "P/DSS2/color",
  });
  overlays(A, aladin);
  state.textContent = "Images: CDS, Aladin Lite.";
}

const script = document.createElement("script");
const late = setTimeout(() => fail(UNREACHED), 15000);
script.addEventListener("error", () => (clearTimeout(late), fail(UNREACHED)));
script.addEventListener("load", () => {
  clearTimeout(late);
  start().catch((error) => fail(`Aladin Lite did not start: ${error.message}`));
});
script.src = view.dataset.source;
document.head.append(script);
