import os
import signal

import pytest

from mxtvhf.errors import Failure
from mxtvhf.operation.stack.postgresql import embedded_postgresql
from mxtvhf.operation.stack.processes import ProcessGroup, wait_until
from support.airflow_runs import state_folder

pytestmark = pytest.mark.service


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT])
def test_an_ended_server_is_restarted(tmp_path, number):
    # Within the group its orphans are our children, as in a stack: a killed server stays as a zombie.
    with state_folder() as state, embedded_postgresql(state / "postgres") as database:
        with ProcessGroup({}, tmp_path) as group:
            assert not database.revive()
            first = database.pid
            os.kill(first, number)
            wait_until(lambda: database.pid is None, what="end of the server", timeout=60)

            def revived():
                try:
                    return database.revive()
                except Failure:
                    # Processes of the old server still end.
                    return False

            wait_until(revived, what="PostgreSQL", timeout=60)
            assert database.pid not in (None, first)
            group.leave_alone(database.pid)
        assert database._server.psql("SELECT 1;").split()[2] == "1"
