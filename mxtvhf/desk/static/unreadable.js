// Unreadable inputs: a dismissed one disappears from the list.

import { refresh } from "./refresh.js";
import { send } from "./send.js";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-dismiss]");
  if (button && (await send(button.dataset.dismiss, {}))) await refresh();
});
