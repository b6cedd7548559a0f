"""Operators of the Burst Advocate's decision: ask, wait for the answer, announce."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import BaseOperator, Param
from airflow.sdk.configuration import conf as airflow_configuration
from airflow.sdk.definitions.param import ParamsDict

from mxtvhf.errors import InvalidInput, NothingToDo
from mxtvhf.reporting.announcement.request import APPROVE, REJECT, DecisionRequest, check_askable
from mxtvhf.settings import read_settings
from mxtvhf.workflow.airflow_api import DECISION_DAG_ID
from mxtvhf_airflow.links import PREFIX
from mxtvhf_airflow.run_context import airflow_errors, checked_params, run_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mxtvhf.reporting.report import Report

REPORT_KEY = "report_sha256"
"""XCom of ``ba_decision``: the report that was shown."""


class AskBAOperator(TriggerDagRunOperator):
    """After step 7: starts the run of the decision, under the same run id, without waiting for its end."""

    template_fields: Sequence[str] = ()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trigger_dag_id=DECISION_DAG_ID, logical_date=None, **kwargs)

    def execute(self, context: Context) -> None:
        """Ask once about a report; skip where there is nothing to announce."""
        from mxtvhf.archive.products import report_summary

        with airflow_errors(context, self.log):
            run = run_of(context)
            summary = report_summary(run.settings.products, run.run_id)
            if summary is None:
                raise InvalidInput(f"{run.run_id}: no report to ask about")
            check_askable(summary)
        if context["ti"].get_dr_count(dag_id=self.trigger_dag_id, run_ids=[run.run_id]):
            self.log.info("%s was asked about before", run.run_id)
            return
        self.trigger_run_id, self.conf = run.run_id, {"burst_id": run.burst_id}
        super().execute(context)


class BADecisionOperator(HITLOperator):
    """Shows the result to the Burst Advocate and waits for the answer; no process waits."""

    template_fields: Sequence[str] = ()

    def __init__(self, **kwargs: Any) -> None:
        # Airflow passes the parameters of the DAG as those of the task, too; the form has its own.
        own = {
            "subject": "",
            "options": [APPROVE, REJECT],
            "params": answer_params(),
            "response_timeout": timedelta(days=read_settings().answer_within_days),
        }
        super().__init__(**{**kwargs, **own})

    def execute(self, context: Context) -> None:
        """Write the drafts and ask."""
        from mxtvhf.archive.products import product_folder
        from mxtvhf.reporting.announcement.question import write_question

        with airflow_errors(context, self.log):
            settings, request = read_settings(), request_of(context)
            report, digest = report_of(context)
            question = write_question(
                report,
                out=product_folder(settings.products, report.burst_id, report.run_id),
                releases=settings.releases,
                desk_url=desk_url(report),
                page=_web(f"/runs/{quote(report.run_id, safe='')}"),
                texts=settings.announcement,
            )
        context["ti"].xcom_push(key=REPORT_KEY, value=digest)
        self.subject, self.body = question.subject, question.body
        self.params = ParamsDict(answer_params(question.positions))
        if request.answer_within_s is not None:
            self.response_timeout = timedelta(seconds=request.answer_within_s)
        super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Return the decision; skip when nobody answered in time."""
        from mxtvhf.reporting.announcement.question import decision_of

        with airflow_errors(context, self.log):
            report, _ = report_of(context)
            if event.get("error_type") == "timeout":
                raise NothingToDo(f"{report.run_id}: nobody answered in time: nothing is announced")
            user = event["responded_by_user"]
            decision = decision_of(
                report,
                options=event["chosen_options"],
                answers=event["params_input"] or {},
                decided_by=user["name"] or user["id"],
                decided_at=event["responded_at"],
            )
        self.log.info("%s: %s by %s", decision.run_id, decision.choice, decision.decided_by)
        return decision.model_dump(mode="json")


class AnnounceOperator(BaseOperator):
    """Archives the decision and, when it approves, releases the announcement, once."""

    def __init__(self, *, decided_by: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.decided_by = decided_by

    def execute(self, context: Context) -> dict[str, Any]:
        """Release; what was released is the task's XCom."""
        from mxtvhf.archive.archive import Archive
        from mxtvhf.reporting.announcement.deliveries import Channels
        from mxtvhf.reporting.announcement.model import Decision
        from mxtvhf.reporting.announcement.release import release

        ti, settings = context["ti"], read_settings()
        with airflow_errors(context, self.log):
            decision = Decision.model_validate(ti.xcom_pull(task_ids=self.decided_by))
            report, digest = report_of(context)
            if digest != ti.xcom_pull(task_ids=self.decided_by, key=REPORT_KEY):
                raise InvalidInput(
                    f"{report.run_id}: the report was changed since it was decided about: ask again"
                )
            retraction = Archive(settings.archive).retraction(report.burst_id, is_test=report.is_test)
            released = release(
                report,
                decision,
                releases=settings.releases,
                channels=Channels(
                    outbox=settings.outbox if settings.nats_url else None, webhook=settings.webhook_file
                ),
                now=datetime.now(UTC),
                retracted_by=retraction.ivorn if retraction else None,
                desk_url=desk_url(report),
                texts=settings.announcement,
            )
        for delivery in released.deliveries:
            self.log.info(
                "%s: %s: %s after %d attempts %s",
                released.ivorn,
                delivery.channel,
                delivery.state,
                delivery.attempts,
                delivery.reason or "",
            )
        return released.model_dump(mode="json")


def answer_params(positions: Sequence[str] = ()) -> dict[str, Param]:
    """Return the fields of the answer's form; which positions there are is known when the question is put."""
    choice: dict[str, Any] = {"enum": list(positions)} if positions else {}
    comment: dict[str, Any] = {"maxLength": 2000, "format": "multiline"}
    return {
        "position": Param("best", type="string", description="Position to announce", source="task", **choice),
        "comment": Param(
            "", type=["null", "string"], description="To be announced with it", source="task", **comment
        ),
    }


def request_of(context: Context) -> DecisionRequest:
    """Check the parameters of the run."""
    return checked_params(DecisionRequest, context["dag_run"].conf or {})


def report_of(context: Context) -> tuple[Report, str]:
    """Read the report that the run is about, and the digest of its file."""
    from mxtvhf.reporting.announcement.question import read_report

    return read_report(read_settings().products, request_of(context).burst_id, context["dag_run"].run_id)


def desk_url(report: Report) -> str | None:
    """Return the address of the run on the desk; None where the web server's address is not configured."""
    return _web(f"/desk/{report.burst_id}?{urlencode({'run': report.run_id})}")


def _web(path: str) -> str | None:
    base = str(airflow_configuration.get("api", "base_url", fallback="")).rstrip("/")
    return f"{base}{PREFIX}{path}" if base else None
