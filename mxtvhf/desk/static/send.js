// Sends data to the desk in the name of the user, and shows errors on the page.

const trouble = document.getElementById("trouble");

export async function post(address, content, timeout = 30000) {
  const answer = await fetch(address, {
    method: "POST",
    credentials: "same-origin",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(content),
    signal: AbortSignal.timeout(timeout),
  });
  if (answer.ok) return;
  const body = await answer.json().catch(() => ({}));
  throw new Error(typeof body.detail === "string" ? body.detail : `HTTP ${answer.status}`);
}

export async function send(address, content) {
  try {
    await post(address, content);
    trouble.hidden = true;
    return true;
  } catch (error) {
    trouble.textContent = `Not saved: ${error.message}`;
    trouble.hidden = false;
    return false;
  }
}
