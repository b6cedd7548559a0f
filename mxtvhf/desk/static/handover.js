// The hand-over: choice of the start of the shift, and its text for the logbook.

import "./copy.js";
import "./refresh.js";

document.getElementById("shift").addEventListener("submit", (event) => {
  event.preventDefault();
  const since = event.target.elements.since.value;
  if (since) location.search = `?since=${encodeURIComponent(`${since}:00Z`)}`;
});
