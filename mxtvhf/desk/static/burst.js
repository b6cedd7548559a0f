// The page of a burst: it refreshes itself and announces changes to screen readers.

import "./comments.js";
import "./copy.js";
import "./links.js";
import "./refresh.js";

const announcement = document.getElementById("announcement");
let said = document.getElementById("said").textContent;

document.addEventListener("desk:changed", () => {
  const now = document.getElementById("said").textContent;
  if (now !== said) announcement.textContent = now;
  said = now;
});
