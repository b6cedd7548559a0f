"""A long request body is refused before it is read, and so before a login is checked."""

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from mxtvhf.workflow.body_limit import refuse_long_bodies

LIMIT = 1000


@pytest.fixture
def client():
    app = FastAPI()
    app.middleware("http")(refuse_long_bodies(LIMIT))

    @app.api_route("/", methods=["GET", "POST", "PUT", "PATCH"])
    async def length(request: Request) -> int:
        return len(await request.body())

    return TestClient(app)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_bodies_are_limited_with_every_method(client, method):
    assert client.request(method, "/", content=bytes(LIMIT)).json() == LIMIT
    assert client.request(method, "/", content=bytes(LIMIT + 1)).status_code == 413
    assert client.request(method, "/", content=iter([b"{}"])).status_code == 411


def test_requests_without_a_body_need_no_length(client):
    assert client.get("/").json() == 0
