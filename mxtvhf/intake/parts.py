"""The parts of the listener. Each runs in its own thread and is restarted after a failure.

::

    archive/failing/<part>.json    reason, start and number of the current failures; see `PartFailure`

A failing part does not stop the others. `mxtvhf health` shows it as unhealthy until it reports progress.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from mxtvhf.archive.failures import PartFailure, failing_folder
from mxtvhf.errors import Failure, MxtVhfError, Retriable
from mxtvhf.models.files import safe_name, write_atomically
from mxtvhf.models.text import escaped

log = logging.getLogger(__name__)

Work = Callable[[threading.Event, Callable[[], None]], None]
"""Function that works until the event is set, and calls the given function after each progress."""

FIRST_PAUSE_S = 1.0
LONGEST_OUTAGE_PAUSE_S = 5.0
"""Longest pause between two attempts to reach a server or a disk, seconds."""
LONGEST_PAUSE_S = 60.0
"""Longest pause between two starts of a part with a wrong setting or a defect, seconds."""
MAX_REASON = 1000


class Part:
    """One part: a source, the intake itself, or the publisher of messages.

    Parameters
    ----------
    name
        Name in the log and in `mxtvhf health`.
    work
        Function of the part. It is called again after each failure and then reads its settings again.
    archive_root
        Folder of the archive, which contains the record of the failures.
    """

    def __init__(self, name: str, work: Work, archive_root: Path) -> None:
        self.name = name
        self._work = work
        self._record = failing_folder(archive_root) / f"{safe_name(name)}.json"
        self._failures = 0
        self._reason = ""
        self._since = datetime.now(UTC)

    def run(self, stop: threading.Event) -> None:
        """Run the part until ``stop`` is set and restart it after each failure. Needs its own thread."""
        while not stop.is_set():
            began = time.monotonic()
            try:
                self._work(stop, self._works)
                if not stop.is_set():
                    raise Failure("ended without being asked to stop")
            except (Exception, asyncio.CancelledError) as error:
                if time.monotonic() - began > LONGEST_PAUSE_S:
                    self._failures = 0
                stop.wait(self._failed(error))

    def _works(self) -> None:
        if not self._failures:
            return
        log.info("%s: working again after %d failures", self.name, self._failures)
        self._failures, self._reason = 0, ""
        try:
            self._record.unlink(missing_ok=True)
        except OSError as error:
            log.error("%s: record of failures not removed: %s", self.name, error)

    def _failed(self, error: BaseException) -> float:
        """Log and record a failure and return the pause before the next start, seconds."""
        now = datetime.now(UTC)
        reason = escaped("; ".join(str(error).splitlines()) or type(error).__name__, MAX_REASON)
        is_outage, is_new = isinstance(error, Retriable | OSError), reason != self._reason
        self._since = self._since if self._failures else now
        self._failures, self._reason = self._failures + 1, reason
        longest = LONGEST_OUTAGE_PAUSE_S if is_outage else LONGEST_PAUSE_S
        pause = min(longest, FIRST_PAUSE_S * 2.0 ** min(self._failures - 1, 10))
        if is_outage and is_new:
            log.error("%s: %s; retrying until it succeeds", self.name, reason)
        elif not is_outage:
            is_defect = not isinstance(error, MxtVhfError)
            log.error(
                "%s: stopped: %s; restart in %.0f s; the other parts continue",
                self.name,
                f"{type(error).__name__}: {reason}" if is_defect else reason,
                pause,
                exc_info=error if is_defect and is_new else None,
            )
        self._write(
            PartFailure(part=self.name, reason=reason, failures=self._failures, since=self._since, last=now)
        )
        return pause

    def _write(self, failure: PartFailure) -> None:
        try:
            write_atomically(self._record, failure.model_dump_json(indent=1).encode() + b"\n")
        except OSError as error:
            log.error("%s: failure not recorded: %s", self.name, error)
