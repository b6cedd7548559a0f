"""Errors of the web application: pages for people, one line of JSON for programs."""

import asyncio
from typing import Annotated

import httpx
import pytest
from fastapi import Body, FastAPI, HTTPException

from mxtvhf_airflow.web.error_pages import add_error_pages

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def get():
    """Return a client of the app, mounted like in Airflow."""
    app = FastAPI()
    add_error_pages(app)

    @app.get("/desk/{number}")
    def desk(number: int):
        if number == 500:
            raise RuntimeError("of the database")
        raise HTTPException(number, "nothing is known of <sb26010101>")

    root = FastAPI()
    root.mount("/air/mxtvhf", app)
    transport = httpx.ASGITransport(root, raise_app_exceptions=False)

    async def ask(path, headers):
        async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
            return await client.get(path, headers=headers)

    return lambda path, headers=None: asyncio.run(ask(path, headers))


def test_a_browser_without_login_is_redirected_to_the_login_and_back(get):
    """A link to the desk without a session used to show raw JSON."""
    answer = get("/air/mxtvhf/desk/401?run=sb26010101__1", headers=BROWSER)
    assert answer.status_code == 302
    back = "next=%2Fair%2Fmxtvhf%2Fdesk%2F401%3Frun%3Dsb26010101__1"
    assert answer.headers["location"].endswith(f"/api/v2/auth/login?{back}")


@pytest.mark.parametrize(
    ("path", "status", "title", "words"),
    [
        ("/air/mxtvhf/desk/404", 404, "Not found", "nothing is known of &lt;sb26010101&gt;"),
        ("/air/mxtvhf/desk/403", 403, "Not allowed", "nothing is known of &lt;sb26010101&gt;"),
        (
            "/air/mxtvhf/desk/five",
            422,
            "Invalid address",
            "path.number: found &#39;five&#39;, expected a valid integer",
        ),
        ("/air/mxtvhf/desk/500", 500, "Error 500", "see the API server&#39;s log"),
        ("/air/mxtvhf/nothing", 404, "Not found", "Not Found"),
    ],
)
def test_an_error_is_a_page_for_people_and_a_line_for_programs(get, path, status, title, words):
    page = get(path, headers=BROWSER)
    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert f"<h1>{title}</h1>" in page.text
    assert words in page.text
    assert "of the database" not in page.text
    line = get(path)
    assert line.status_code == status
    assert "\n" not in line.json()["detail"]


def test_a_program_that_is_not_logged_in_gets_401(get):
    assert get("/air/mxtvhf/desk/401").status_code == 401


def test_the_error_of_a_body_names_field_and_cause():
    app = FastAPI()
    add_error_pages(app)

    @app.post("/")
    def number(number: Annotated[int, Body(embed=True)]):
        return number

    async def ask(body):
        transport = httpx.ASGITransport(app)
        headers = {"Content-Type": "application/json"}
        async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
            return (await client.post("/", content=body, headers=headers)).json()["detail"]

    assert asyncio.run(ask('{"number": "x"}')) == "body.number: found 'x', expected a valid integer"
    assert asyncio.run(ask("{}")) == "body.number: missing"
    assert asyncio.run(ask("{,")).startswith("body: not JSON: Expecting property name")
