"""The queries that replace Airflow's keep what Airflow puts around its own."""

import textwrap

import pytest

pytestmark = pytest.mark.slow

# The database chooses each of the two queries once as the victim of a deadlock.
DEADLOCK = textwrap.dedent("""
    from airflow.models.dagrun import DagRun
    from sqlalchemy.exc import OperationalError
    from unittest.mock import MagicMock
    from mxtvhf_airflow.patches.run_selection import runs_to_examine, runs_to_start

    for query in (runs_to_start, runs_to_examine):
        session = MagicMock()
        session.get_bind().dialect.name = "postgresql"
        deadlock = OperationalError("SELECT", {}, Exception("deadlock detected"))
        session.scalars.side_effect = [deadlock, MagicMock()]
        query(DagRun, session=session)
        print(query.__name__, session.scalars.call_count, session.rollback.call_count)
""")


def test_a_deadlock_is_tried_again_as_in_airflows_own_queries(beside_plugins):
    status, told = beside_plugins(DEADLOCK)
    assert status == 0, told
    assert told.splitlines()[-2:] == ["runs_to_start 2 1", "runs_to_examine 2 1"]
