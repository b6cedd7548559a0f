"""The web application below ``/mxtvhf`` with REST API, desk, reports and products, behind Airflow's login.

Airflow does not protect the app of a plugin, so every route depends on ``may_read_runs``. Errors are JSON
``{"detail": "<one line>"}`` for programs and pages for browsers (``error_pages``).
"""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from mxtvhf import __version__
from mxtvhf.archive.archive import Archive
from mxtvhf.archive.products import product_file, report_summary
from mxtvhf.desk import figures
from mxtvhf.desk.policy import HEADERS as DESK_HEADERS
from mxtvhf.desk.policy import page_headers
from mxtvhf.models.files import safe_name
from mxtvhf.models.times import utc_text
from mxtvhf.settings import Settings, read_settings
from mxtvhf.workflow.airflow_api import DAG_ID
from mxtvhf.workflow.body_limit import refuse_long_bodies
from mxtvhf.workflow.runs import Problem
from mxtvhf_airflow.addresses import PREFIX
from mxtvhf_airflow.dag_runs import find_run
from mxtvhf_airflow.web import desk, docs, health, manual, rest
from mxtvhf_airflow.web.error_pages import add_error_pages

MAX_REQUEST = 2_000_000
"""Longest request body, bytes; sufficient for an alert of 200 000 characters in any JSON encoding."""
DESCRIPTION = """Start and follow the runs of alerts. The schema follows GP's contract.

Authentication is that of Airflow: `POST /auth/token` returns a token for the header
`Authorization: Bearer ...`, and the cookie of the web UI is also accepted. Reading requires the permission to
read the runs of `mxt_vhf`; starting a run requires the permission to trigger them. Errors are
`{"detail": "<one line>"}`."""

may_read_runs = Depends(requires_access_dag("GET", DagAccessEntity.RUN, DAG_ID))

# The report is one self-contained page, so it may not load or run anything else.
HEADERS = page_headers(img_src="data:", style_src="'unsafe-inline'")

RETRACTED = (
    '<main><div class="banner retracted" role="alert">RETRACTED after this report was written, by {ivorn}, '
    "received {time}</div>"
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the web application of an installation."""
    app = FastAPI(
        title="MXT-VHF",
        description=DESCRIPTION,
        version=__version__,
        dependencies=[may_read_runs],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        responses={
            status: {"model": Problem, "description": text}
            for status, text in ((401, "Not logged in"), (403, "Not allowed"), (422, "Invalid request"))
        },
    )
    app.state.settings = settings or read_settings()
    app.middleware("http")(refuse_long_bodies(MAX_REQUEST))
    add_error_pages(app)
    app.include_router(rest.router)
    app.include_router(health.router)
    app.include_router(docs.router)
    app.include_router(manual.router)
    app.include_router(desk.router)
    _add_products(app, app.state.settings)
    return app


def _add_products(app: FastAPI, settings: Settings) -> None:
    @app.get(
        "/runs/{run_id}/report",
        status_code=307,
        response_class=RedirectResponse,
        # JSON: the API server itself answers a request whose address contains a line break.
        responses={
            404: {"description": "No report yet", "content": {"text/html": {}, "application/json": {}}}
        },
    )
    def report(run_id: str, request: Request, session: SessionDep) -> Response:
        """Return the final report, else the preliminary one, else a page that explains its absence."""
        from mxtvhf.desk.render import render_no_report

        for name in ("report.html", "preliminary/report.html"):
            if product_file(settings.products, run_id, name):
                return RedirectResponse(f"{PREFIX}/runs/{quote(run_id, safe='')}/{name}")
        found, base = find_run(run_id, session), str(request.scope.get("root_path", ""))
        page = render_no_report(
            run_id, found[0] if found else None, base=base, airflow=base.removesuffix(PREFIX)
        )
        return HTMLResponse(page, 404, DESK_HEADERS)

    @app.get("/replays/{run_id}", response_class=FileResponse, responses={404: {"model": Problem}})
    def replays(run_id: str) -> FileResponse:
        """Return the comparisons of a run of the replay DAG as a table."""
        path = settings.comparisons / f"{safe_name(run_id)}.txt"
        if not path.is_file():
            raise HTTPException(404, f"no comparisons found for run {run_id!r} of the replay DAG")
        return FileResponse(path, media_type="text/plain", headers=HEADERS)

    @app.get(
        "/runs/{run_id}/{product:path}",
        response_class=FileResponse,
        responses={200: {"content": {"*/*": {}}}, 404: {"model": Problem}},
    )
    def product(run_id: str, product: str, tasks: BackgroundTasks) -> Response:
        """Return one product of a run. Opening a report or one of its figures draws the figures."""
        path = product_file(settings.products, run_id, product)
        path = path or figures.figure(settings.products, run_id, product)
        if path is None:
            raise HTTPException(404, f"no product {product!r} found for run {run_id!r}")
        if path.name != "report.html":
            return FileResponse(path, headers=HEADERS)
        page, headers = path.read_text(), dict(HEADERS)
        if figures.awaits_figures(path):
            tasks.add_task(figures.draw, path)
            headers["Refresh"] = str(figures.REFRESH_S)
        if retraction := _later_retraction(settings, run_id):
            page = page.replace("<main>", retraction, 1)
        return HTMLResponse(page, headers=headers)


def _later_retraction(settings: Settings, run_id: str) -> str | None:
    """Return the banner of a report whose burst was retracted later; None without a later retraction."""
    report = report_summary(settings.products, run_id)
    if report is None or report.is_retracted:
        return None
    retraction = Archive(settings.archive).retraction(report.burst_id, is_test=report.is_test)
    if retraction is None:
        return None
    return RETRACTED.format(ivorn=escape(retraction.ivorn), time=utc_text(retraction.received))
