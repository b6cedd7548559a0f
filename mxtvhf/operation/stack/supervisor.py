"""Supervision of a running stack: PostgreSQL and all processes are restarted when they end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from mxtvhf.errors import Failure
from mxtvhf.operation.stack.postgresql import EmbeddedPostgresql
from mxtvhf.operation.stack.processes import ProcessGroup

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5


class Supervised(Protocol):
    """A stack that can be supervised: the embedded stack or a cluster."""

    @property
    def database(self) -> EmbeddedPostgresql:
        """The PostgreSQL server of the stack."""

    @property
    def processes(self) -> ProcessGroup:
        """All other processes of the stack."""


def supervise(stack: Supervised, stop: threading.Event, tell: Callable[[str], None] = log.warning) -> None:
    """Restart ended processes of a stack until ``stop`` is set.

    The kernel ends the processes started here when the calling thread ends. If this is not the main thread,
    leave the context of the stack right after the call.

    Parameters
    ----------
    stack
        The supervised stack.
    stop
        Ends the supervision.
    tell
        Called with one line for each ended process.
    """
    complaint = ""
    while not stop.wait(LOOK_EVERY_S):
        try:
            if stack.database.revive() and (pid := stack.database.pid):
                stack.processes.leave_alone(pid)
                tell("PostgreSQL ended and was restarted")
            complaint = ""
        except Failure as error:
            if str(error) != complaint:
                complaint = str(error)
                tell(complaint)
        for name, status in stack.processes.revive().items():
            tell(f"{name} ended with status {status} and was restarted")
