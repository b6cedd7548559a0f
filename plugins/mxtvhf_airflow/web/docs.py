"""The OpenAPI description of the REST API and its page, served to logged-in users without other servers."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse

from mxtvhf.desk.policy import page_headers

ASSETS = Path(str(files("fastapi_offline") / "static"))
SERVED = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png")
# Swagger UI starts from an inline script and uses data URLs for its icons.
HEADERS = page_headers(
    script_src="'self' 'unsafe-inline'",
    style_src="'self' 'unsafe-inline'",
    img_src="'self' data:",
    connect_src="'self'",
)

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
def description(request: Request) -> dict[str, Any]:
    """Return the OpenAPI description with the path under which the app is mounted."""
    return {**request.app.openapi(), "servers": [{"url": request.scope.get("root_path", "")}]}


@router.get("/docs")
def page(request: Request) -> HTMLResponse:
    """Return Swagger UI."""
    base = request.scope.get("root_path", "")
    script, style, icon = (f"{base}/docs/{name}" for name in SERVED)
    html = get_swagger_ui_html(
        openapi_url=f"{base}/openapi.json",
        title=request.app.title,
        swagger_js_url=script,
        swagger_css_url=style,
        swagger_favicon_url=icon,
    )
    html.headers.update(HEADERS)
    return html


@router.get("/docs/{name}")
def asset(name: str) -> FileResponse:
    """Return a file of Swagger UI."""
    if name not in SERVED:
        raise HTTPException(404, f"file {name!r} not found")
    return FileResponse(ASSETS / name, headers={"X-Content-Type-Options": "nosniff"})
