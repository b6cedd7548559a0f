"""The pages of the runs: reports and products over HTTP, behind Airflow's own authentication.

An app that a plugin mounts answers without any login unless it asks for one, so every route depends on
``may_read_runs``.
"""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from mxtvhf.airflow_api import DAG_ID
from mxtvhf.products import product_file
from mxtvhf.settings import Settings
from mxtvhf_airflow.links import PREFIX

may_read_runs = Depends(requires_access_dag("GET", DagAccessEntity.RUN, DAG_ID))

# The report is one self-contained page: nothing it shows may load or run anything.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
}

NO_REPORT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>No report</title>
<style>body {{ font: 1rem/1.5 sans-serif; margin: 2rem; color-scheme: light dark }}</style>
<h1>No report of {run_id}</h1>
<p>The run has none yet, or had nothing to report: a notice without a position, a retraction, an alert
without packets, or an input that could not be read. The log of its first task that is not green tells which.
</p></html>"""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the app; ``settings`` name the folder of the products."""
    settings = settings or Settings()
    app = FastAPI(
        title="MXT-VHF", dependencies=[may_read_runs], docs_url=None, redoc_url=None, openapi_url=None
    )

    @app.get("/runs/{run_id}/report")
    def report(run_id: str) -> Response:
        """Return the final report, else the preliminary one, else a page that says that there is none yet."""
        for name in ("report.html", "preliminary/report.html"):
            if product_file(settings.products, run_id, name):
                return RedirectResponse(f"{PREFIX}/runs/{quote(run_id, safe='')}/{name}")
        return HTMLResponse(NO_REPORT.format(run_id=escape(run_id)), 404, HEADERS)

    @app.get("/runs/{run_id}/{product:path}", response_class=FileResponse)
    def product(run_id: str, product: str) -> FileResponse:
        """Return one product of a run."""
        path = product_file(settings.products, run_id, product)
        if path is None:
            raise HTTPException(404, f"no product {product!r} of a run {run_id!r}")
        return FileResponse(path, headers=HEADERS)

    return app
