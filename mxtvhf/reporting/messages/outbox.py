"""The outbox: a folder with the messages that are queued for NATS, one file each.

::

    outbox/<microseconds since 1970>-<kind>-<id>.json     queued message
    outbox/refused/<the same name> + .reason              message that can never be published, and the reason

A message in the format of a later version of this software stays queued for that version.

Messages survive the end of any process. Announcements are synced to disk, because they are recorded as sent
when they are queued. Other messages are not, which would delay the runs: a power failure may lose the last
ones.
"""

from __future__ import annotations

import logging
from pathlib import Path

from mxtvhf.models.files import write_atomically
from mxtvhf.reporting.messages.model import OutgoingMessage

log = logging.getLogger(__name__)


DURABLE = ("announcement", "circular")
"""Kinds of messages that are synced to disk."""


class Outbox:
    """Outbox in one folder, for any number of concurrent processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, message: OutgoingMessage) -> Path:
        """Queue a message atomically and return its file; announcements durably."""
        microseconds = int(message.time.timestamp() * 1e6)
        path = self.folder / f"{microseconds:016d}-{message.kind}-{message.id}.json"
        self.folder.mkdir(parents=True, exist_ok=True)
        raw = message.model_dump_json().encode()
        if message.kind in DURABLE:
            write_atomically(path, raw)
            return path
        temporary = path.with_name(f".{path.name}.part")
        temporary.write_bytes(raw)
        return temporary.replace(path)

    def waiting(self) -> list[Path]:
        """Return the queued files, oldest message first."""
        return sorted(path for path in self.folder.glob("*.json") if not path.name.startswith("."))

    def read(self, path: Path) -> bytes | None:
        """Return the bytes of a message; None if another publisher has sent it."""
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def done(self, path: Path) -> None:
        """Remove a published message."""
        path.unlink(missing_ok=True)

    def refuse(self, path: Path, reason: str) -> None:
        """Move a message that can never be published to ``refused``, so that the queue continues."""
        refused = self.folder / "refused"
        refused.mkdir(exist_ok=True)
        try:
            path.replace(refused / path.name)
        except FileNotFoundError:
            return
        (refused / f"{path.name}.reason").write_text(reason + "\n")
        log.error("%s: cannot be published and was moved to refused: %s", path.name, reason)

    def limit(self, most: int) -> int:
        """Drop the oldest step messages if more than ``most`` are queued; return the number dropped."""
        waiting = self.waiting()
        surplus = len(waiting) - most
        dropped = [path for path in waiting if "-step-" in path.name][:surplus] if surplus > 0 else []
        for path in dropped:
            self.done(path)
        if dropped:
            log.error(
                "%s: more than %d messages queued for NATS; the %d oldest step messages were dropped",
                self.folder,
                most,
                len(dropped),
            )
        return len(dropped)
