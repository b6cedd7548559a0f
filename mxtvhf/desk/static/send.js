// Sends what somebody wrote to the desk, in the name of who is logged in; says on the page what went wrong.

const trouble = document.getElementById("trouble");

export async function send(address, content) {
  try {
    const answer = await fetch(address, {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(content),
      signal: AbortSignal.timeout(30000),
    });
    const body = answer.ok ? {} : await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(`HTTP ${answer.status} ${typeof body.detail === "string" ? body.detail : ""}`);
    trouble.hidden = true;
    return true;
  } catch (error) {
    trouble.textContent = `Not saved: ${error.message}`;
    trouble.hidden = false;
    return false;
  }
}
