"""The files of the documentation served below ``/mxtvhf/manual``."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from mxtvhf_airflow.web import manual


@pytest.fixture
def site(tmp_path, monkeypatch):
    folder = tmp_path / "docs"
    (folder / "_static").mkdir(parents=True)
    (folder / "index.html").write_text("<h1>MXT-VHF</h1>")
    (folder / "_static" / "site.css").write_text("body {}")
    (tmp_path / "secret").write_text("secret")
    monkeypatch.setattr(manual, "SITE", folder)
    return folder


@pytest.fixture
def client(site):
    app = FastAPI()
    app.include_router(manual.router)
    root = FastAPI()
    root.mount("/mxtvhf", app)

    async def ask(path):
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(root), base_url="http://airflow/mxtvhf"
        ) as server:
            return await server.get(path)

    return lambda path: asyncio.run(ask(path))


def test_the_first_page_and_what_it_loads_are_served_with_the_policy(client):
    assert client("/manual").headers["location"] == "/mxtvhf/manual/"
    page = client("/manual/")
    assert page.text == "<h1>MXT-VHF</h1>"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert client("/manual/_static/site.css").headers["content-type"].startswith("text/css")


@pytest.mark.parametrize(
    "path",
    ["../secret", "%2e%2e/secret", "_static", "_static/../../secret", "//etc/passwd", "a%00b", "a" * 300],
)
def test_no_request_reads_files_outside_the_folder(client, path):
    answer = client(f"/manual/{path}")
    assert answer.status_code == 404
    assert list(answer.json()) == ["detail"]


def test_without_a_built_manual_the_answer_tells_how_to_build_it(client, site):
    for path in sorted(site.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    answer = client("/manual/")
    assert answer.status_code == 404
    assert "run `make docs` in" in answer.json()["detail"]
