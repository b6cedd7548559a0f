"""Wake-up of the idle scheduler by the API server.

Airflow's scheduler looks for work at a fixed interval. An interval that is short enough for an alert costs a
fifth of a core when there is nothing to do. On one machine the idle scheduler therefore looks rarely, and the
API server, which creates and clears all runs, wakes it through a named pipe in the state folder.
"""

from __future__ import annotations

import errno
import logging
import os
import select
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from mxtvhf.settings import Settings
from mxtvhf_airflow.environment import process_settings

log = logging.getLogger(__name__)

READING = frozenset({"GET", "HEAD", "OPTIONS"})
NOBODY_WAITS = frozenset({errno.ENOENT, errno.ENXIO})
"""Errors of the pipe if no scheduler of this machine has opened it."""

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


def wakeup_pipe(settings: Settings) -> Path:
    """Return the path of the named pipe."""
    return settings.home / "scheduler-wakeup"


class WakeUps:
    """The scheduler's end of the named pipe, which is created if it does not exist."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_fifo():
            os.mkfifo(path, 0o600)
        # Open for writing, too: otherwise the pipe would always be ready, with its end, while nobody writes.
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def wait(self, timeout_s: float) -> bool:
        """Wait at most `timeout_s` seconds, and return whether there was a wake-up since the last call."""
        ready, _, _ = select.select([self._pipe], [], [], timeout_s)
        if ready:
            os.read(self._pipe, 65536)
        return bool(ready)

    def close(self) -> None:
        """End the waiting. Later wake-ups have no effect."""
        os.close(self._pipe)


def wake_scheduler(path: Path) -> None:
    """Wake the scheduler that waits at the named pipe `path`. Without a scheduler this has no effect."""
    try:
        pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.write(pipe, b"\0")
        finally:
            os.close(pipe)
    except BlockingIOError:
        pass  # The pipe is full of wake-ups.
    except OSError as error:
        if error.errno not in NOBODY_WAITS:
            log.warning("the idle scheduler sees the request late: %s", error)


class WakeScheduler:
    """Middleware of the API server that wakes the scheduler after each request that may change a run."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._path = wakeup_pipe(process_settings())

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer a request or another event of the server, then wake the scheduler."""
        await self._app(scope, receive, send)
        if scope["type"] == "http" and scope["method"] not in READING and not _is_heartbeat(scope):
            wake_scheduler(self._path)


def _is_heartbeat(scope: Scope) -> bool:
    return bool(scope["path"].endswith("/heartbeat"))
