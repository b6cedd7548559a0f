"""The inputs that could not be read, of all kinds."""

from __future__ import annotations

import logging

from mxtvhf.archive.archive import Archive, QuarantineNote
from mxtvhf.sky_notices.store import SkyStore

log = logging.getLogger(__name__)


def unreadable_inputs(archive: Archive) -> list[QuarantineNote]:
    """Return the inputs in quarantine and the unreadable notices of other missions, newest first.

    Parameters
    ----------
    archive
        The archive that keeps both.
    """
    notes = archive.quarantined()
    try:
        notes += SkyStore(archive.root).unreadable()
    except OSError as error:
        log.warning("unreadable notices of other missions are not listed: %s", error)
    return sorted(notes, key=lambda note: (note.time, note.sha256), reverse=True)
