"""The documentation, as ``make docs`` builds it in the project's folder, served to logged-in users."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import FileResponse, RedirectResponse

from mxtvhf.desk.policy import page_headers
from mxtvhf.models.files import file_inside

PROJECT = Path(__file__).parents[3]
SITE = PROJECT / "build" / "docs"
THEME_SCRIPT = "sha256-ySvT2PEZeueHGC1y2crNuNTfphBynFPP7i+U21fEgX0="
"""Hash of the only inline script of the pages, by which the theme sets light or dark."""
HEADERS = page_headers(
    script_src=f"'self' '{THEME_SCRIPT}'",
    # Sphinx writes some widths and colours of tables and code into the pages as styles.
    style_src="'self' 'unsafe-inline'",
    img_src="'self' data:",
    font_src="'self'",
    connect_src="'self'",
    form_action="'self'",
)

router = APIRouter(include_in_schema=False)


@router.get("/manual")
def start(request: Request) -> RedirectResponse:
    """Redirect to the first page, whose links are relative to the folder."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/manual/")


@router.get("/manual/{page:path}", response_class=FileResponse)
def file(page: str) -> FileResponse:
    """Return a page of the documentation, or a file that a page loads."""
    if path := file_inside(SITE, page or "index.html"):
        return FileResponse(path, headers=HEADERS)
    if not (SITE / "index.html").is_file():
        raise HTTPException(
            404,
            f"documentation not built: run `make docs` in {PROJECT}, then reload this page",
        )
    raise HTTPException(404, f"documentation page {page!r} not found: start at the first page, manual/")
