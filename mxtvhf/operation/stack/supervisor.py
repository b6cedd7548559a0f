"""Bringing back what dies: PostgreSQL and the processes of a stack, as long as it is up."""

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
    """What is supervised: the embedded stack, or a cluster."""

    @property
    def database(self) -> EmbeddedPostgresql:
        """Its PostgreSQL."""

    @property
    def processes(self) -> ProcessGroup:
        """All the rest of it."""


def supervise(stack: Supervised, stop: threading.Event, tell: Callable[[str], None] = log.warning) -> None:
    """Start again whatever ends, until ``stop`` is set.

    The kernel ends what is started here with the thread that does it: where that is not the main thread,
    leave the stack right after it.

    Parameters
    ----------
    stack
        What is to stay up.
    stop
        Ends this.
    tell
        Gets one line for each end.
    """
    complaint = ""
    while not stop.wait(LOOK_EVERY_S):
        try:
            if stack.database.revive() and (pid := stack.database.pid):
                stack.processes.leave_alone(pid)
                tell("PostgreSQL ended and was started again")
            complaint = ""
        except Failure as error:
            if str(error) != complaint:
                complaint = str(error)
                tell(complaint)
        for name, status in stack.processes.revive().items():
            tell(f"{name} ended with status {status} and was started again")
