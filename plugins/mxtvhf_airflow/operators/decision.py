"""Operators for the Burst Advocate's decision: ask, wait for the answer, and announce."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import BaseOperator, BaseOperatorLink, Param
from airflow.sdk.definitions.param import ParamsDict

from mxtvhf.errors import InvalidInput, NothingToDo
from mxtvhf.reporting.announcement.request import APPROVE, REJECT, DecisionRequest, check_askable
from mxtvhf.workflow.airflow_api import DECISION_DAG_ID
from mxtvhf_airflow.addresses import desk_url, web_address
from mxtvhf_airflow.environment import process_settings
from mxtvhf_airflow.notifiers import DecisionNotifier
from mxtvhf_airflow.run_context import airflow_errors, checked_params, run_of

if TYPE_CHECKING:
    from airflow.sdk import Context

REPORT_KEY = "report_sha256"
"""Key of the XCom of ``ba_decision`` with the digest of the report in the question."""


class AskBAOperator(TriggerDagRunOperator):
    """Starts the run of the decision about a report under the same run id, without waiting for its end.

    The task is skipped if the run exists: the question was asked before, by the other task that asks at the
    same time, or by a request whose answer was lost and which Airflow repeats. By default Airflow would fail
    the task at once, without a retry.
    """

    template_fields: Sequence[str] = ()
    # The link of the plugin needs no XCom (``mxtvhf_airflow.links``).
    operator_extra_links: list[BaseOperatorLink] = []  # noqa: RUF012  Airflow's own type

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            trigger_dag_id=DECISION_DAG_ID, logical_date=None, skip_when_already_exists=True, **kwargs
        )

    def execute(self, context: Context) -> None:
        """Ask once about a report. Skip the task if there is nothing to announce, or nothing new."""
        from mxtvhf.archive.products import report_summary
        from mxtvhf.reporting.announcement.news import check_news

        with airflow_errors(context, self.log):
            run = run_of(context)
            summary = report_summary(run.settings.products, run.run_id)
            if summary is None:
                raise InvalidInput(f"{run.run_id}: no report found; see the log of the task that writes it")
            check_askable(summary)
            check_news(run.settings.releases, run.settings.products, run.burst_id, run.run_id)
        self.trigger_run_id, self.conf = run.run_id, {"burst_id": run.burst_id}
        super().execute(context)


class BADecisionOperator(HITLOperator):
    """Shows the result to the Burst Advocate and waits for the answer without occupying a process."""

    template_fields: Sequence[str] = ()

    def __init__(self, **kwargs: Any) -> None:
        # The form has its own parameters, but Airflow passes those of the DAG to the task.
        own = {
            "subject": "",
            "options": [APPROVE, REJECT],
            "params": answer_params(),
            "notifiers": [DecisionNotifier()],
            "response_timeout": timedelta(days=process_settings().answer_within_days),
        }
        super().__init__(**{**kwargs, **own})

    def execute(self, context: Context) -> None:
        """Write the drafts and ask the question."""
        from mxtvhf.archive.products import product_folder
        from mxtvhf.reporting.announcement.question import read_report, write_question

        with airflow_errors(context, self.log):
            settings, request = process_settings(), request_of(context)
            report, digest = read_report(settings.products, request.burst_id, context["dag_run"].run_id)
            question = write_question(
                report,
                out=product_folder(settings.products, report.burst_id, report.run_id),
                releases=settings.releases,
                desk_url=desk_url(report.burst_id, report.run_id),
                page=web_address(f"/runs/{quote(report.run_id, safe='')}"),
                texts=settings.announcement,
            )
        context["ti"].xcom_push(key=REPORT_KEY, value=digest)
        self.subject, self.body = question.subject, question.body
        self.params = ParamsDict(answer_params(question.positions, digest))
        if request.answer_within_s is not None:
            self.response_timeout = timedelta(seconds=request.answer_within_s)
        super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Return the decision. Skip the task if nobody answered in time.

        An answer about an outdated report fails this try. The next try asks about the newest report.
        """
        from mxtvhf.reporting.announcement.question import answered_report, decision_of

        ti, run_id = context["ti"], context["dag_run"].run_id
        with airflow_errors(context, self.log):
            if event.get("error_type") == "timeout":
                raise NothingToDo(f"{run_id}: no answer in time; nothing is announced")
            user, answers = event["responded_by_user"], event["params_input"] or {}
            report, digest = answered_report(
                process_settings().products,
                request_of(context).burst_id,
                run_id,
                digest=answers.get("report") or ti.xcom_pull(task_ids=self.task_id, key=REPORT_KEY),
                answered=event["responded_at"],
            )
            decision = decision_of(
                report,
                digest,
                options=event["chosen_options"],
                answers=answers,
                decided_by=user["name"] or user["id"],
                decided_at=event["responded_at"],
            )
        self.log.info("%s: %s by %s", decision.run_id, decision.choice, decision.decided_by)
        return decision.model_dump(mode="json")


class AnnounceOperator(BaseOperator):
    """Archives the decision and, if approved, releases the announcement once."""

    def __init__(self, *, decided_by: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.decided_by = decided_by

    def execute(self, context: Context) -> dict[str, Any]:
        """Release the announcement and return it as the XCom of the task."""
        from mxtvhf.archive.archive import Archive
        from mxtvhf.reporting.announcement.deliveries import Channels
        from mxtvhf.reporting.announcement.model import Decision
        from mxtvhf.reporting.announcement.question import decided_report
        from mxtvhf.reporting.announcement.release import release

        ti, settings = context["ti"], process_settings()
        with airflow_errors(context, self.log):
            decision = Decision.model_validate(ti.xcom_pull(task_ids=self.decided_by))
            # A decision made before an upgrade from version 0.2.0 contains no digest of its report.
            digest = decision.report_sha256 or ti.xcom_pull(task_ids=self.decided_by, key=REPORT_KEY)
            report = decided_report(settings.products, decision.burst_id, decision.run_id, digest)
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
                desk_url=desk_url(report.burst_id, report.run_id),
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


def answer_params(positions: Sequence[str] = (), report: str = "") -> dict[str, Param]:
    """Return the fields of the answer form.

    The positions and the digest of the shown report are known only when the question is asked.
    """
    choice: dict[str, Any] = {"enum": list(positions)} if positions else {}
    read: dict[str, Any] = {"enum": [report]} if report else {}
    comment: dict[str, Any] = {"maxLength": 2000, "format": "multiline"}
    return {
        "position": Param("best", type="string", description="Position to announce", source="task", **choice),
        "comment": Param(
            "", type=["null", "string"], description="Comment to publish", source="task", **comment
        ),
        "report": Param(
            report, type=["null", "string"], description="Report shown to you", source="task", **read
        ),
    }


def request_of(context: Context) -> DecisionRequest:
    """Return the validated parameters of the run."""
    return checked_params(DecisionRequest, context["dag_run"].conf or {})
