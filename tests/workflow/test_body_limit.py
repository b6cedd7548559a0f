"""A long request body is refused before it is read, and so before a login is checked."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI, Request

from mxtvhf.workflow.body_limit import refuse_long_bodies

LIMIT = 1000


@pytest.fixture
def ask():
    app = FastAPI()
    app.middleware("http")(refuse_long_bodies(LIMIT))

    @app.api_route("/", methods=["GET", "POST", "PUT", "PATCH"])
    async def length(request: Request) -> int:
        return len(await request.body())

    async def answer(method, content):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mxtvhf") as client:
            return await client.request(method, "/", content=content)

    return lambda method, content=None: asyncio.run(answer(method, content))


async def without_length():
    yield b"{}"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_bodies_are_limited_with_every_method(ask, method):
    assert ask(method, bytes(LIMIT)).json() == LIMIT
    assert ask(method, bytes(LIMIT + 1)).status_code == 413
    assert ask(method, without_length()).status_code == 411


def test_requests_without_a_body_need_no_length(ask):
    assert ask("GET").json() == 0
