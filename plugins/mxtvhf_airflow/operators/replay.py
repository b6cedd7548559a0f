"""Operators of the replay DAG: select archived inputs, run them again, and compare the reports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.standard.triggers.external_task import DagStateTrigger
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException
from airflow.utils.state import DagRunState

from mxtvhf.archive.archive import Archive
from mxtvhf.errors import Failure
from mxtvhf.models.files import safe_name, write_atomically
from mxtvhf.models.times import utc_text
from mxtvhf.settings import Settings
from mxtvhf.workflow.replay import Replay, schedule, select_replays
from mxtvhf.workflow.replay_request import ReplayRequest
from mxtvhf_airflow.environment import process_settings
from mxtvhf_airflow.run_context import airflow_errors, checked_params

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mxtvhf.workflow.comparison import Comparison, ComparisonSummary

ENDED = [DagRunState.SUCCESS, DagRunState.FAILED]
"""Final states of a replay. A failed one still has a report if only GP failed."""


class SelectArchivedInputsOperator(BaseOperator):
    """Returns the replays as parallel series. The replays of one series run one after the other.

    ``MXTVHF_REPLAYS_AT_ONCE`` sets the number of series. Each replay has a start time, or None to start at
    once.
    """

    def execute(self, context: Context) -> list[list[dict[str, Any]]]:
        """Select the inputs. Replays use the time of this run, so that a retry gives the same run ids."""
        with airflow_errors(context, self.log):
            settings, request = process_settings(), checked_params(ReplayRequest, context["params"])
            chosen = select_replays(Archive(settings.archive), request, at=context["dag_run"].run_after)
        if missing := request.bursts - {replay.conf.burst_id for replay in chosen}:
            self.log.warning("no complete input of %s in the archive", ", ".join(sorted(missing)))
        if not chosen:
            raise AirflowSkipException("no matching input in the archive")
        planned = schedule(chosen, datetime.now(UTC), request.speed)
        for replay, moment in planned:
            self.log.info("replay of %s at %s as %s", replay.original, utc_text(moment), replay.run_id)
        selected = [
            {
                "replay": replay.model_dump(mode="json"),
                "starts": moment.isoformat() if request.speed else None,
            }
            for replay, moment in planned
        ]
        number = min(settings.replays_at_once, len(selected))
        return [selected[first::number] for first in range(number)]


class ReplaySeriesOperator(TriggerDagRunOperator):
    """Starts the replays of a series one after the other and waits for each without occupying a worker.

    Airflow starts a run at its start time. A retry continues where the previous try stopped. No field is a
    template, so that archived values are passed on unchanged.

    :param series: replays as dicts with ``replay`` and ``starts``.
    """

    template_fields: Sequence[str] = ()

    def __init__(self, *, series: list[dict[str, Any]], **kwargs: Any) -> None:
        self.series = series
        super().__init__(
            logical_date=None,
            wait_for_completion=True,
            deferrable=True,
            poke_interval=1,
            allowed_states=[*ENDED],
            failed_states=[],
            **kwargs,
        )

    def execute(self, context: Context) -> None:
        """Start the first replay that has not ended, or wait for it if it is active."""
        for selected in self.series:
            replay = Replay.model_validate(selected["replay"])
            runs: dict[str, Any] = {"dag_id": self.trigger_dag_id, "run_ids": [replay.run_id]}
            if context["ti"].get_dr_count(**runs, states=[*map(str, ENDED)]):
                continue
            if context["ti"].get_dr_count(**runs):
                self.log.info("%s was started by an earlier try", replay.run_id)
                trigger = DagStateTrigger(**runs, states=ENDED, poll_interval=1.0)
                self.defer(trigger=trigger, method_name="execute_complete")
            self.trigger_run_id, self.note = replay.run_id, f"replay of {replay.original}"
            self.conf = replay.conf.model_dump(mode="json")
            if selected["starts"]:
                self.run_after = selected["starts"]
            super().execute(context)

    def execute_complete(self, context: Context, event: Any) -> None:
        """Continue with the next replay."""
        self.execute(context)


class CompareReportsOperator(BaseOperator):
    """Compares the report of every replay with that of its original and returns short comparisons."""

    def __init__(self, *, selected_by: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.selected_by = selected_by

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Write ``comparison.json`` next to each new report, and a table of all comparisons."""
        from mxtvhf.workflow.comparison import comparisons_text

        settings = process_settings()
        found = []
        for selected in chain.from_iterable(context["ti"].xcom_pull(task_ids=self.selected_by)):
            with airflow_errors(context, self.log):
                found.append(self._compare(settings, Replay.model_validate(selected["replay"])).summary())
        table = "\n".join(comparisons_text(found)) + "\n"
        write_atomically(settings.comparisons / f"{safe_name(context['run_id'])}.txt", table.encode())
        return [one.model_dump(mode="json") for one in found]

    def _compare(self, settings: Settings, replay: Replay) -> Comparison:
        from mxtvhf.workflow.comparison import compare_runs, write_comparison

        found = compare_runs(
            settings.products,
            replay.conf.burst_id,
            archived_run=replay.original,
            new_run=replay.run_id,
            has_packets=replay.conf.packets is not None,
        )
        path = write_comparison(settings.products, found)
        self.log.info("%s: %s: %s (%s)", replay.run_id, found.outcome, found.reason, path)
        return found


class NothingChangedOperator(BaseOperator):
    """Fails if the result of a replay differs from the original, so that the DAG run fails."""

    def __init__(self, *, compared_by: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.compared_by = compared_by

    def execute(self, context: Context) -> None:
        """Log the comparisons and fail if a result changed."""
        from mxtvhf.workflow.comparison import ComparisonSummary, Outcome, comparisons_text

        given = context["ti"].xcom_pull(task_ids=self.compared_by)
        found = [ComparisonSummary.model_validate(one) for one in given]
        for line in comparisons_text(found):
            self.log.info("%s", line)
        changed = [one for one in found if one.outcome is Outcome.CHANGED]
        if changed:
            with airflow_errors(context, self.log):
                raise Failure(_changed_text(changed, len(found)))


def _changed_text(changed: list[ComparisonSummary], total: int) -> str:
    first = changed[0]
    return f"{len(changed)} of {total} replays changed: {first.new_run}: {first.reason}" + (
        " ..." if len(changed) > 1 else ""
    )
