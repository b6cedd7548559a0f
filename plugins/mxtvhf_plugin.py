"""The Airflow plugin of MXT-VHF: web pages, links to them, the listener, task priority and middleware."""

from functools import cached_property
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from mxtvhf_airflow import listener
from mxtvhf_airflow.addresses import PREFIX
from mxtvhf_airflow.links import ComparisonLink, DecisionLink, DeskLink, PreliminaryReportLink, ReportLink
from mxtvhf_airflow.priority import LiveAlertsFirst
from mxtvhf_airflow.wakeup import WakeScheduler


class MxtVhfPlugin(AirflowPlugin):
    """Registration of the pages below ``/mxtvhf``, the links to them, and the listener that reports steps."""

    name = "mxtvhf"
    external_views = [  # noqa: RUF012
        {
            "name": "MXT desk",  # short, because Airflow's menu is narrow
            "href": f"{PREFIX}/desk",
            "icon": f"{PREFIX}/desk/static/desk.svg",
            "icon_dark_mode": f"{PREFIX}/desk/static/desk-dark.svg",
            "destination": "nav",
            "url_route": "mxtvhf-desk",
        },
        {
            "name": "MXT docs",
            "href": f"{PREFIX}/manual/",
            "destination": "nav",
            "category": "docs",  # in Airflow's own menu; with two entries at the top Airflow would fold both
            "url_route": "mxtvhf-docs",
        },
        {
            "name": "Desk",
            "href": f"{PREFIX}/desk/runs/{{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "desk",
        },
        {
            "name": "Desk",
            "href": f"{PREFIX}/desk/runs/{{RUN_ID}}",
            "destination": "task_instance",
            "url_route": "task-desk",
        },
        # A tab on the page of a run with the final report, or the preliminary one until GP has answered.
        {
            "name": "Report",
            "href": f"{PREFIX}/runs/{{RUN_ID}}/report",
            "destination": "dag_run",
            "url_route": "report",
        },
    ]
    operator_extra_links = [  # noqa: RUF012
        ReportLink(),
        PreliminaryReportLink(),
        DeskLink(),
        DecisionLink(),
        ComparisonLink(),
    ]
    listeners = [listener]  # noqa: RUF012
    priority_weight_strategies = [LiveAlertsFirst]  # noqa: RUF012
    fastapi_root_middlewares = [{"middleware": WakeScheduler, "name": "wake the idle scheduler"}]  # noqa: RUF012

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:
        """Return the pages. Only the API server asks for them; the other processes do not load them."""
        from mxtvhf_airflow.web.app import create_app

        return [{"app": create_app(), "url_prefix": PREFIX, "name": "MXT-VHF reports"}]
