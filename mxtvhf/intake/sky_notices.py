"""Notices of other missions: stored by the sources, and read apart from the intake of our own messages."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from mxtvhf.intake.spool import ReceivedMessage
from mxtvhf.sky_notices.store import SkyStore

log = logging.getLogger(__name__)

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
        self._waiting: queue.SimpleQueue[tuple[Path, datetime]] = queue.SimpleQueue()

    def keep(self, message: ReceivedMessage) -> None:
        """Store a notice durably. It may be acknowledged afterwards. Sources call it from any thread.

        Raises
        ------
        OSError
            The notice cannot be stored and must not be acknowledged.
        """
        path = self.store.keep(message.raw, received=message.received, source=message.source)
        self._waiting.put((path, message.received))

    def run(self, stop: threading.Event, works: Callable[[], None] = lambda: None) -> None:
        """Read stored notices until ``stop`` is set; those of an earlier, killed listener come first.

        Raises
        ------
        OSError
            The index cannot be written. The next start reads what is missing.
        """
        if missed := self.store.complete():
            log.info("%d notices of other missions read after a restart", missed)
        while not stop.is_set():
            works()
            try:
                path, received = self._waiting.get(timeout=WAIT_S)
            except queue.Empty:
                continue
            began = time.monotonic()
            for notice in self.store.read(path, received):
                log.info("notice of %s: %s, %s", notice.detector, notice.event_id, notice.kind)
            stop.wait(time.monotonic() - began)
