"""Choosing what the replay DAG sends again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from mxtvhf.archive import Archive
from mxtvhf.replay import select_replays
from mxtvhf.settings import Settings

if TYPE_CHECKING:
    from airflow.sdk import Context


class SelectArchivedInputsOperator(BaseOperator):
    """Returns one set of arguments for ``TriggerDagRunOperator`` per archived input."""

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Select the inputs; the replay's time is the run's own, so that a retry makes the same run ids."""
        params = context["params"]
        chosen = select_replays(
            Archive(Settings().archive),
            at=context["dag_run"].run_after,
            burst_id=params["burst_id"],
            limit=params["limit"],
        )
        if not chosen:
            raise AirflowSkipException(f"nothing in the archive for burst {params['burst_id'] or '(any)'}")
        for replay in chosen:
            self.log.info("%s: replayed as %s", replay.conf.burst_id, replay.run_id)
        return [
            {"trigger_run_id": replay.run_id, "conf": replay.conf.model_dump(mode="json")}
            for replay in chosen
        ]
