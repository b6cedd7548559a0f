"""Error pages for browsers and JSON errors for programs. A browser without a login is sent to the login page.

A browser accepts ``text/html``. Other clients receive ``{"detail": "<one line>"}``.
"""

from __future__ import annotations

import logging
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException

from mxtvhf.desk.policy import page_headers
from mxtvhf.models.text import one_line
from mxtvhf.models.toml import fault_cause
from mxtvhf_airflow.addresses import PREFIX

log = logging.getLogger(__name__)

LOGIN = "/api/v2/auth/login"
"""Login of Airflow's public API, which works with every auth manager and returns to ``next``."""
HEADERS = page_headers(style_src="'self'", img_src="data:")


def add_error_pages(app: FastAPI) -> None:
    """Register the error handlers of an app."""
    app.exception_handler(HTTPException)(_refused)
    app.exception_handler(RequestValidationError)(_not_by_the_schema)
    app.exception_handler(Exception)(_unexpected)


async def _refused(request: Request, error: HTTPException) -> Response:
    """Answer a rejected request."""
    if not _is_of_browser(request):
        return await http_exception_handler(request, error)
    if error.status_code == 401:
        address = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"{_airflow(request)}{LOGIN}?{urlencode({'next': address})}", 302)
    return _page(request, error.status_code, one_line(str(error.detail), 1000))


async def _not_by_the_schema(request: Request, error: RequestValidationError) -> Response:
    """Answer an invalid request with its faults in one line."""
    detail = one_line("; ".join(_problem(fault) for fault in error.errors()), 1000)
    return _page(request, 422, detail) if _is_of_browser(request) else JSONResponse({"detail": detail}, 422)


def _problem(fault: ErrorDetails) -> str:
    if fault["type"] == "json_invalid":
        # The place is the position in the body, and the message does not have the reason.
        return f"{fault['loc'][0]}: not JSON: {fault['ctx']['error']} at character {fault['loc'][-1]}"
    return f"{'.'.join(map(str, fault['loc']))}: {fault_cause(fault)}"


async def _unexpected(request: Request, error: Exception) -> Response:
    """Answer an unexpected error of the server and log its traceback."""
    log.error("%s %s", request.method, request.url.path, exc_info=error)
    detail = "unexpected error; see the API server's log"
    return _page(request, 500, detail) if _is_of_browser(request) else JSONResponse({"detail": detail}, 500)


def _is_of_browser(request: Request) -> bool:
    return request.method == "GET" and "text/html" in request.headers.get("accept", "")


def _page(request: Request, status: int, detail: str) -> HTMLResponse:
    from mxtvhf.desk.render import render_error

    page = render_error(status, detail, base=str(request.scope.get("root_path", "")))
    return HTMLResponse(page, status, HEADERS)


def _airflow(request: Request) -> str:
    """Return the root path of Airflow, which is often empty."""
    return str(request.scope.get("root_path", "")).removesuffix(PREFIX)
