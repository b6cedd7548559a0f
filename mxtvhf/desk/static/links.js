// Airflow shows the desk in a frame that may not open tabs; such links are opened by the outer page.

if (window.top !== window.self) {
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[target="_blank"]');
    if (!link) return;
    const outer = window.top.document;
    const same = outer.createElement("a");
    Object.assign(same, { href: link.href, target: "_blank", rel: "noopener noreferrer" });
    outer.body.append(same);
    same.click();
    same.remove();
    event.preventDefault();
  });
}
