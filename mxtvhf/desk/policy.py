"""HTTP headers of web pages, which restrict what a browser loads and runs."""

from __future__ import annotations

CDS = "https://*.cds.unistra.fr https://*.u-strasbg.fr"


def page_headers(**sources: str) -> dict[str, str]:
    """Return the headers of a page that loads nothing but what the sources allow.

    Parameters
    ----------
    **sources
        Directives of the Content Security Policy with their values, for example ``img_src="'self' data:"``.
        They replace the defaults: nothing is loaded, no form is sent, and only pages of this server may show
        it in a frame.
    """
    policy = {
        "default-src": "'none'",
        "frame-ancestors": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
    } | {name.replace("_", "-"): value for name, value in sources.items()}
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
    }


PRIVATE = {"Cache-Control": "private, no-cache"}
HEADERS = PRIVATE | page_headers(
    script_src="'self'", style_src="'self'", img_src="'self' data:", connect_src="'self'", frame_src="'self'"
)
# Aladin Lite runs WebAssembly, sets its own styles, and loads survey images and tables from CDS mirrors.
ALADIN_HEADERS = PRIVATE | page_headers(
    script_src=f"'self' 'wasm-unsafe-eval' {CDS}",
    style_src="'self' 'unsafe-inline'",
    img_src=f"'self' data: blob: {CDS}",
    connect_src=f"'self' data: blob: {CDS}",
    worker_src="blob:",
    font_src=f"data: {CDS}",
)
