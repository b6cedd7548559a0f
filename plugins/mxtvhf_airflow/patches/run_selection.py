"""Run selection of the scheduler: start live alerts first, examine runs with changes first.

Of the queued runs Airflow 3.3 starts the oldest: a live alert would wait behind any number of tests, and the
question about the first alert of a storm behind all of its alerts.

In each loop it examines the 20 running runs that were not examined for the longest time, whether they have
changed or not. Among many runs, such as decisions that wait for a person for days, each step of an alert then
waits for several loops, and most of the scheduler's time goes to runs where nothing changed
(``docs/performance.md``).
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow._shared.timezones import timezone
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.utils.retries import retry_db_transaction
from airflow.utils.sqlalchemy import with_row_locks
from airflow.utils.state import DagRunState, State, TaskInstanceState
from sqlalchemy import Interval, and_, case, exists, false, func, literal, not_, or_, select, update

from mxtvhf.models.ids import REPLAY_MARK, TEST_MARK, RunKind
from mxtvhf.workflow.airflow_api import DAG_ID
from mxtvhf_airflow.alert_role import is_test_alert
from mxtvhf_airflow.priority import WEIGHTS

if TYPE_CHECKING:
    from sqlalchemy.engine import ScalarResult
    from sqlalchemy.orm import Session
    from sqlalchemy.sql.elements import ColumnElement

log = logging.getLogger(__name__)

QUIET_FOR = timedelta(seconds=5)
"""A run without a known change is examined after this time: only the passing of time can change it."""
LATE_BY = timedelta(seconds=1)
"""Longest delay until a change is visible: its transaction, and the clock difference of two hosts."""
NEWS = (*State.finished, TaskInstanceState.UP_FOR_RESCHEDULE)
"""States of a task after which another task, or the same one, may be due; a retry becomes due by time."""


def select_runs() -> None:
    """Make the scheduler of this process select runs by `runs_to_start` and `runs_to_examine`."""
    DagRun.get_queued_dag_runs_to_set_running = classmethod(runs_to_start)  # type: ignore[assignment]
    DagRun.get_running_dag_runs_to_examine = classmethod(runs_to_examine)  # type: ignore[assignment]


@retry_db_transaction  # as Airflow does: a deadlock is no end of the scheduler
def runs_to_start(cls: type[DagRun], session: Session) -> ScalarResult[DagRun]:
    """Return the queued runs to start in this loop, locked: live alerts before tests before replays.

    Of the runs of a DAG that may be active at once, tests and replays get half: a live alert always finds a
    place. Only runs that have a place are returned, so that those of one DAG do not hide another's.

    Replaces `DagRun.get_queued_dag_runs_to_set_running`; backfills are not used here.
    """
    now = timezone.utcnow()
    tests = unmarked_tests(cls, session)
    lower_weights(tests, session)
    is_replay = cls.run_id.contains(REPLAY_MARK, autoescape=True)
    is_test = or_(cls.run_id.endswith(TEST_MARK, autoescape=True), cls.run_id.in_(tests))
    kind = case((is_replay, 2), (is_test, 1), else_=0)
    is_beside = or_(is_replay, is_test)
    in_turn = (kind, cls.run_after, cls.id)
    waiting = (
        select(
            cls.id,
            func.row_number().over(partition_by=cls.dag_id, order_by=in_turn).label("place"),
            func.row_number().over(partition_by=(cls.dag_id, is_beside), order_by=in_turn).label("beside"),
        )
        .where(cls.state == DagRunState.QUEUED, cls.run_after <= now)
        .subquery()
    )
    running = (
        select(cls.dag_id, func.count().label("all"), func.count().filter(is_beside).label("beside"))
        .where(cls.state == DagRunState.RUNNING)
        .group_by(cls.dag_id)
        .subquery()
    )

    def place(queue: ColumnElement[int], at_work: ColumnElement[int]) -> ColumnElement[int]:
        return queue + func.coalesce(at_work, 0)

    query = (
        select(cls)
        .join(DagModel, DagModel.dag_id == cls.dag_id)
        .join(waiting, waiting.c.id == cls.id)
        .outerjoin(running, running.c.dag_id == cls.dag_id)
        .where(
            cls.state == DagRunState.QUEUED,
            DagModel.is_paused == false(),
            DagModel.is_stale == false(),
            place(waiting.c.place, running.c.all) <= DagModel.max_active_runs,
            or_(kind == 0, 2 * place(waiting.c.beside, running.c.beside) <= DagModel.max_active_runs),
        )
        .order_by(*in_turn)
        .limit(cls.DEFAULT_DAGRUNS_TO_EXAMINE)
    )
    return session.scalars(with_row_locks(query, of=cls, session=session, skip_locked=True))


def unmarked_tests(cls: type[DagRun], session: Session) -> list[str]:
    """Return the ids of the runs, queued or at work, of test alerts whose id does not say so.

    Only the intake marks the ids of tests. A run that was started by REST, from the form or by hand is known
    for a test by the role of its alert, which is read once.
    """
    unmarked = (
        cls.dag_id == DAG_ID,
        cls.state.in_((DagRunState.QUEUED, DagRunState.RUNNING)),
        not_(cls.run_id.contains(REPLAY_MARK, autoescape=True)),
        not_(cls.run_id.endswith(TEST_MARK, autoescape=True)),
    )
    found = session.execute(select(cls.id, cls.run_id).where(*unmarked)).all()
    for number in _is_test.keys() - {number for number, _ in found}:
        del _is_test[number]
    for number, _ in found:
        if number not in _is_test:
            _is_test[number] = _says_test(session.scalar(select(cls.conf).where(cls.id == number)))
    return [run_id for number, run_id in found if _is_test[number]]


def _says_test(conf: object) -> bool:
    """Tell whether the alert of a run is a test; what cannot be read counts as live."""
    try:
        return is_test_alert(conf.get("alert") if isinstance(conf, dict) else None) is True
    except Exception:
        # Whatever a run names: it must not end the scheduler.
        log.exception("the role of an alert cannot be read; its run counts as live")
        return False


_is_test: dict[int, bool] = {}
"""Number of a run in Airflow's database -> whether its alert is a test."""


def lower_weights(tests: Collection[str], session: Session) -> None:
    """Give the tasks of these runs the weight of tests; Airflow weighted them before the alert was read."""
    if tests:
        live, test = WEIGHTS[RunKind.LIVE], WEIGHTS[RunKind.TEST]
        session.execute(
            update(TaskInstance)
            .where(TaskInstance.run_id.in_(tests), TaskInstance.priority_weight >= live)
            .values(priority_weight=TaskInstance.priority_weight - (live - test))
            .execution_options(synchronize_session=False)
        )


@retry_db_transaction  # as Airflow does: a deadlock is no end of the scheduler
def runs_to_examine(cls: type[DagRun], session: Session) -> ScalarResult[DagRun]:
    """Return the runs to examine in this loop, locked: changed ones before new ones before unchanged ones.

    Replaces `DagRun.get_running_dag_runs_to_examine`; backfills, which are not used here, have no order
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
