"""Limit the size of request bodies in MXT-VHF's own HTTP services."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.middleware.base import RequestResponseEndpoint
from starlette.responses import Response

WITH_BODY = ("POST", "PUT", "PATCH")
"""Methods whose requests have a body."""
Middleware = Callable[[Request, RequestResponseEndpoint], Awaitable[Response]]


def refuse_long_bodies(limit: int) -> Middleware:
    """Return a middleware that rejects a request with a body without a Content-Length, or with one over the limit.

    The request is rejected before its body is read, and before a login is checked.

    Parameters
    ----------
    limit
        Largest accepted body, bytes.
    """

    async def _refuse(request: Request, call_next: RequestResponseEndpoint) -> Response:
        if request.method in WITH_BODY:
            length = request.headers.get("content-length", "")
            if not (length.isascii() and length.isdecimal()):
                return JSONResponse(
                    {"detail": "Content-Length is missing; send the length of the body"}, status_code=411
                )
            if int(length[:12]) > limit:
                return JSONResponse({"detail": f"the body is longer than {limit} bytes"}, status_code=413)
        return await call_next(request)

    return _refuse
