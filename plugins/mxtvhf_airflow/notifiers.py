"""Airflow's notifier of a question to the Burst Advocate.

It sends nothing itself: it keeps the event in the ledger of notifications, and the listener's notifier sends,
repeats and escalates it. So a channel that hangs delays no task.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow.sdk.bases.notifier import BaseNotifier

from mxtvhf.settings import read_settings

if TYPE_CHECKING:
    from airflow.sdk import Context


class DecisionNotifier(BaseNotifier):
    """Notifies people that a decision about a run is wanted; called when the question was put."""

    def notify(self, context: Context) -> None:
        """Keep the event; a fault of it is logged, since the question is worth more than the notification."""
        settings = read_settings()
        if settings.notification is None:
            return
        from mxtvhf.notification.ledger import Ledger
        from mxtvhf.notification.run_events import decision_wanted
        from mxtvhf.reporting.announcement.question import read_report

        run = context["dag_run"]
        try:
            report, _ = read_report(settings.products, str((run.conf or {}).get("burst_id")), run.run_id)
            occurrence = decision_wanted(report, desk=settings.desk, now=datetime.now(UTC))
            Ledger(settings.notifications).raise_occurrence(occurrence)
        except Exception:
            self.log.exception("run %s: nobody is notified of the question", run.run_id)
