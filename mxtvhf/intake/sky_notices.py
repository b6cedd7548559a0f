"""Notices of other missions: stored by the sources, and read apart from the intake of our own messages."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from mxtvhf.intake.spool import ReceivedMessage
from mxtvhf.models.text import escaped
from mxtvhf.sky_notices.store import SkyStore

log = logging.getLogger(__name__)

_Stored = tuple[Path, datetime, str]
"""File, time of reception and source of a stored notice."""
WAIT_S = 0.5
"""Longest wait for a notice before the part reports that it works, seconds."""


class SkyNotices:
    """Reads the notices of other missions, which start no run.

    A storm of notices never takes more than half of the time of its thread, so that alerts are not slowed.

    Parameters
    ----------
    store
        Store of the notices.
    """

    def __init__(self, store: SkyStore) -> None:
        self.store = store
        self._waiting: queue.SimpleQueue[_Stored] = queue.SimpleQueue()

    def keep(self, message: ReceivedMessage) -> None:
        """Store a notice durably. It may be acknowledged afterwards. Sources call it from any thread.

        Raises
        ------
        OSError
            The notice cannot be stored and must not be acknowledged.
        """
        path = self.store.keep(message.raw, received=message.received, source=message.source)
        self._waiting.put((path, message.received, message.source))

    def run(self, stop: threading.Event, works: Callable[[], None] = lambda: None) -> None:
        """Read stored notices until ``stop`` is set; new ones before those of an earlier, killed listener.

        Raises
        ------
        OSError
            The index cannot be written. The next start reads what is missing.
        """
        backlog = self.store.missing()
        while not stop.is_set():
            works()
            if (found := self._next(backlog)) is None:
                continue
            began = time.monotonic()
            for notice in self.store.read(*found):
                log.info("notice of %s: %s, %s", notice.detector, notice.event_id, notice.kind)
                for text in filter(None, (*notice.warnings, notice.map_problem)):
                    log.warning("%s: %s %s: %s", escaped(found[2]), notice.detector, notice.event_id, text)
            stop.wait(time.monotonic() - began)

    def _next(self, backlog: Iterator[_Stored]) -> _Stored | None:
        """Return the next new notice, otherwise one of the backlog, or None if none arrives in `WAIT_S`."""
        if self._waiting.empty() and (missed := next(backlog, None)) is not None:
            return missed
        try:
            return self._waiting.get(timeout=WAIT_S)
        except queue.Empty:
            return None
