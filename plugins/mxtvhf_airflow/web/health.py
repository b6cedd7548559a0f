"""Health and metrics of the installation.

Both need a login, because it is not public which component is down. Airflow's own
``/api/v2/monitor/health`` is a health check without a login.
"""

from __future__ import annotations

from airflow.api.common.airflow_health import get_airflow_health
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.models.connection import Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from mxtvhf.errors import InvalidInput
from mxtvhf.operation.health import Health, health
from mxtvhf.operation.metrics import exposition
from mxtvhf.workflow.airflow_api import COMPONENTS
from mxtvhf.workflow.gp.contract import checked_base_url
from mxtvhf_airflow.compat import version_text
from mxtvhf_airflow.dag_runs import questions, runs_by_state
from mxtvhf_airflow.hooks.gp import gp_base_url

GP = "mxt_gp"

router = APIRouter()


@router.get("/health")
def health_of_all_parts(request: Request) -> Health:
    """Return the health of every part. Like Airflow's own, the status is 200 even if a part is unhealthy."""
    return _health(request)


@router.get(
    "/metrics", response_class=PlainTextResponse, responses={200: {"content": {CONTENT_TYPE_LATEST: {}}}}
)
def metrics(request: Request, session: SessionDep) -> PlainTextResponse:
    """Return the metrics of the installation for Prometheus."""
    state, runs = request.app.state.settings, runs_by_state(session)
    content = exposition(state, runs, _health(request), questions(session))
    return PlainTextResponse(content, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _health(request: Request) -> Health:
    found, url, fault = get_airflow_health(), None, None
    airflow = {name: str((found.get(name) or {}).get("status")) for name in COMPONENTS}
    try:
        url = checked_base_url(gp_base_url(Connection.get_connection_from_secrets(GP)))
    except AirflowNotFoundException:
        pass
    except InvalidInput as error:
        fault = f"Airflow Connection {GP}: {error}"
    return health(request.app.state.settings, airflow, url, gp_fault=fault, airflow_version=version_text())
