"""Notices of other missions: stored by the sources, and read apart from the intake of our own messages."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

from mxtvhf.intake.precedence import Precedence
from mxtvhf.intake.spool import ReceivedMessage
from mxtvhf.models.text import escaped
from mxtvhf.sky_notices.store import SkyStore

log = logging.getLogger(__name__)

_Stored = tuple[Path, datetime, str]
"""File, time of reception and source of a stored notice."""
WAIT_S = 0.5
"""Longest wait for a notice before the part reports that it works, seconds."""


LATE = timedelta(seconds=2.0)
"""Age of a notice at which others may be unread."""
STORM = 40
"""Number of notices in `STORM_S` seconds at which others may wait at their source."""
STORM_S = 10.0
CAUGHT_UP_S = 3.0
"""Time without a notice, while none is held back, after which all count as read, seconds."""


class SkyNotices:
    """Reads the notices of other missions, which start no run.

    A storm of notices never takes more than half of the time of its thread, and waits while an alert of ours
    is processed. Until all are read, the store tells that some are not.

    Parameters
    ----------
    store
        Store of the notices.
    precedence
        Precedence of our own alerts.
    """

    def __init__(self, store: SkyStore, precedence: Precedence | None = None) -> None:
        self.store = store
        self.precedence = precedence or Precedence()
        self._waiting: queue.SimpleQueue[_Stored] = queue.SimpleQueue()
        self._kept = deque[float](maxlen=STORM)

    def keep(self, message: ReceivedMessage) -> None:
        """Store a notice durably. It may be acknowledged afterwards. Sources call it from any thread.

        Raises
        ------
        OSError
            The notice cannot be stored and must not be acknowledged.
        """
        path = self.store.keep(message.raw, received=message.received, source=message.source)
        self._waiting.put((path, message.received, message.source))
        self.precedence.other_taken()
        self._kept.append(now := time.monotonic())
        if self.precedence.pause_s or (len(self._kept) == STORM and now - self._kept[0] < STORM_S):
            self.store.note_unread()

    def slowly(
        self, keep: Callable[[ReceivedMessage], None], stop: threading.Event
    ) -> Callable[[ReceivedMessage], None]:
        """Return a function that stores a message and pauses while an alert of ours is processed.

        Parameters
        ----------
        keep
            Stores the message.
        stop
            Ends a pause.
        """

        def keep_and_pause(message: ReceivedMessage) -> None:
            keep(message)
            stop.wait(self.precedence.pause_s)

        return keep_and_pause

    def run(self, stop: threading.Event, works: Callable[[], None] = lambda: None) -> None:
        """Read stored notices until ``stop`` is set; new ones before those of an earlier, killed listener.

        Raises
        ------
        OSError
            The index cannot be written. The next start reads what is missing.
        """
        backlog, last = self.store.missing(), time.monotonic()
        while not stop.is_set():
            works()
            if (found := self._next(backlog)) is None:
                if self.precedence.pause_s:
                    last = time.monotonic()
                elif time.monotonic() - last >= CAUGHT_UP_S and self.store.has_unread:
                    backlog = self._rest()
                continue
            last = time.monotonic()
            if datetime.now(UTC) - found[1] > LATE:
                self.store.note_unread()
            for notice in self.store.read(*found):
                log.info("notice of %s: %s, %s", notice.detector, notice.event_id, notice.kind)
                for text in filter(None, (*notice.warnings, notice.map_problem)):
                    log.warning("%s: %s %s: %s", escaped(found[2]), notice.detector, notice.event_id, text)
            stop.wait(max(time.monotonic() - last, self.precedence.pause_s))

    def _rest(self) -> Iterator[_Stored]:
        """Return the notices that the index lacks, for example because another process set it aside.

        If none is missing, the store is told that all are read.
        """
        backlog = self.store.missing()
        if (first := next(backlog, None)) is None:
            self.store.note_all_read()
            return backlog
        return chain([first], backlog)

    def _next(self, backlog: Iterator[_Stored]) -> _Stored | None:
        """Return the next new notice, otherwise one of the backlog, or None if none arrives in `WAIT_S`."""
        if self._waiting.empty() and (missed := next(backlog, None)) is not None:
            return missed
        try:
            return self._waiting.get(timeout=WAIT_S)
        except queue.Empty:
            return None
