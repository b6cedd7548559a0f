"""What Airflow loads: the report pages, served by the API server, and the links from tasks to them."""

from airflow.plugins_manager import AirflowPlugin

from mxtvhf_airflow.links import PREFIX, ReportLink
from mxtvhf_airflow.web import create_app


class MxtVhfPlugin(AirflowPlugin):
    """Registers the pages of the runs under ``/mxtvhf``."""

    name = "mxtvhf"
    fastapi_apps = [{"app": create_app(), "url_prefix": PREFIX, "name": "MXT-VHF reports"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        # A tab of the run's page: the final report, before it the preliminary one.
        {
            "name": "Report",
            "href": f"{PREFIX}/runs/{{RUN_ID}}/report",
            "destination": "dag_run",
            "url_route": "report",
        }
    ]
    operator_extra_links = [ReportLink()]  # noqa: RUF012
