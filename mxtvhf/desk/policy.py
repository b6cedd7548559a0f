"""HTTP headers of the desk's pages, which restrict what a browser loads and runs."""

from __future__ import annotations

CDS = "https://*.cds.unistra.fr https://*.u-strasbg.fr"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "frame-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-cache",
}
# Aladin Lite runs WebAssembly, sets its own styles, and loads survey images and tables from CDS mirrors.
ALADIN_HEADERS = HEADERS | {
    "Content-Security-Policy": (
        f"default-src 'none'; script-src 'self' 'wasm-unsafe-eval' {CDS}; style-src 'self' 'unsafe-inline'; "
        f"img-src 'self' data: blob: {CDS}; connect-src 'self' data: blob: {CDS}; worker-src blob:; "
        f"font-src data: {CDS}; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
    )
}
