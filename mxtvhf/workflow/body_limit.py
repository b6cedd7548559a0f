"""A limit for the bodies of requests, for the services that MXT-VHF offers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.middleware.base import RequestResponseEndpoint
from starlette.responses import Response

Middleware = Callable[[Request, RequestResponseEndpoint], Awaitable[Response]]


def refuse_long_bodies(limit: int) -> Middleware:
    """Return a middleware that refuses a POST by its announced length, and one without, before it is read.

    Parameters
    ----------
    limit
        Longest body, bytes.
    """

    async def refuse(request: Request, call_next: RequestResponseEndpoint) -> Response:
        if request.method == "POST":
            length = request.headers.get("content-length", "")
            if not (length.isascii() and length.isdecimal()):
                return JSONResponse({"detail": "Content-Length is missing"}, status_code=411)
            if int(length[:12]) > limit:
                return JSONResponse({"detail": f"longer than {limit} bytes"}, status_code=413)
        return await call_next(request)

    return refuse
