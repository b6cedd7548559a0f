"""The parts of the intake: each works alone in its thread, and is started again when it fails.

::

    archive/failing/<part>.json    a part that fails now: why, since when, how often; see `PartFailure`

No part ends another one. `mxtvhf health` shows a part as unhealthy until it says that it works again.
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
"""Works until the event is set; calls the function whenever it got something done."""

FIRST_PAUSE_S = 1.0
LONGEST_OUTAGE_PAUSE_S = 5.0
"""Between two tries to reach a server or a disk: an outage can end at any moment."""
LONGEST_PAUSE_S = 60.0
"""Between two starts of a part that has a wrong setting or a defect."""
MAX_REASON = 1000


class Part:
    """One part: a source, the intake itself, or the publisher of messages.

    Parameters
    ----------
    name
        For the log and for `mxtvhf health`.
    work
        Does the work of the part; it is called anew after each failure, so it reads its settings anew, too.
    archive_root
        Folder of the archive, where the record of its failures is kept.
    """

    def __init__(self, name: str, work: Work, archive_root: Path) -> None:
        self.name = name
        self._work = work
        self._record = failing_folder(archive_root) / f"{safe_name(name)}.json"
        self._failures = 0
        self._reason = ""
        self._since = datetime.now(UTC)

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set, whatever happens; for a thread of its own."""
        while not stop.is_set():
            began = time.monotonic()
            try:
                self._work(stop, self._works)
                if not stop.is_set():
                    raise Failure("ended although it was not asked to")
            except (Exception, asyncio.CancelledError) as error:
                if time.monotonic() - began > LONGEST_PAUSE_S:
                    self._failures = 0
                stop.wait(self._failed(error))

    def _works(self) -> None:
        if not self._failures:
            return
        log.info("%s: works again after %d failures", self.name, self._failures)
        self._failures, self._reason = 0, ""
        try:
            self._record.unlink(missing_ok=True)
        except OSError as error:
            log.error("%s: the record of its failures cannot be removed: %s", self.name, error)

    def _failed(self, error: BaseException) -> float:
        """Log and record a failure; return the pause before the next start, s."""
        now = datetime.now(UTC)
        reason = escaped("; ".join(str(error).splitlines()) or type(error).__name__, MAX_REASON)
        is_outage, is_new = isinstance(error, Retriable | OSError), reason != self._reason
        self._since = self._since if self._failures else now
        self._failures, self._reason = self._failures + 1, reason
        longest = LONGEST_OUTAGE_PAUSE_S if is_outage else LONGEST_PAUSE_S
        pause = min(longest, FIRST_PAUSE_S * 2.0 ** min(self._failures - 1, 10))
        if is_outage and is_new:
            log.error("%s: %s; trying again until it works", self.name, reason)
        elif not is_outage:
            is_defect = not isinstance(error, MxtVhfError)
            log.error(
                "%s: stopped: %s; started again in %.0f s; the other parts go on",
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
            log.error("%s: its failure cannot be recorded: %s", self.name, error)
