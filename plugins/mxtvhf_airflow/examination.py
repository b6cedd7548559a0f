"""Which runs the scheduler looks at: those of which something happened, instead of all in turn.

In each round Airflow 3.3 looks at the 20 running runs that it has not looked at for the longest time, whether
anything came of them or not. Among many runs, which may be decisions that wait for a person for days, each
step of an alert then waits for several rounds, and most of the scheduler's time goes to runs where nothing
changed (``docs/performance.md``).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow._shared.timezones import timezone
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.utils.sqlalchemy import with_row_locks
from airflow.utils.state import DagRunState, State, TaskInstanceState
from sqlalchemy import Interval, and_, exists, false, literal, or_, select

if TYPE_CHECKING:
    from sqlalchemy.engine import ScalarResult
    from sqlalchemy.orm import Session

QUIET_FOR = timedelta(seconds=5)
"""A run of which nothing is known to have happened is looked at after so long; only the time changes it."""
LATE_BY = timedelta(seconds=1)
"""A change may be seen so long after its own time: by its transaction, and by the clocks of two hosts."""
NEWS = (*State.finished, TaskInstanceState.UP_FOR_RESCHEDULE)
"""States of a task after which another task, or itself once more, may be due; a try again is due by time."""


def examine_what_changed() -> None:
    """Have the scheduler of this process choose runs by `runs_to_examine`."""
    DagRun.get_running_dag_runs_to_examine = classmethod(runs_to_examine)  # type: ignore[assignment]


def runs_to_examine(cls: type[DagRun], session: Session) -> ScalarResult[DagRun]:
    """Return the runs to look at in this round, locked: under way before fresh ones, fresh before quiet ones.

    Stands in for `DagRun.get_running_dag_runs_to_examine`; backfills, which are not used here, have no order
    of their own.
    """
    now = timezone.utcnow()
    news = exists().where(
        and_(
            TaskInstance.dag_id == cls.dag_id,
            TaskInstance.run_id == cls.run_id,
            or_(
                TaskInstance.state == TaskInstanceState.UP_FOR_RETRY,
                and_(
                    or_(TaskInstance.state.in_(NEWS), TaskInstance.state.is_(None)),
                    TaskInstance.updated_at >= cls.last_scheduling_decision - literal(LATE_BY, Interval()),
                ),
            ),
        )
    )
    is_fresh = cls.last_scheduling_decision.is_(None)
    query = (
        select(cls)
        .join(DagModel, DagModel.dag_id == cls.dag_id)
        .where(
            cls.state == DagRunState.RUNNING,
            cls.run_after <= now,
            DagModel.is_paused == false(),
            DagModel.is_stale == false(),
            or_(is_fresh, cls.last_scheduling_decision < now - QUIET_FOR, news),
        )
        .order_by(news.desc(), is_fresh.desc(), cls.last_scheduling_decision, cls.run_after)
        .limit(cls.DEFAULT_DAGRUNS_TO_EXAMINE)
    )
    return session.scalars(with_row_locks(query, of=cls, session=session, skip_locked=True)).unique()
