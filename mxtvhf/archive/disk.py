"""Wait while a disk is full, so that nobody has to restart the analysis of an alert."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import TypeVar

PAUSE_S = 5.0
FULL = (errno.ENOSPC, errno.EDQUOT)

Result = TypeVar("Result")


def once_there_is_room(work: Callable[[], Result], tell: Callable[[str], object]) -> Result:
    """Run a function that writes files; if a disk or quota is full, wait and retry without limit.

    Parameters
    ----------
    work
        Function that can be restarted from its beginning.
    tell
        Called with a line of text for each wait.

    Raises
    ------
    OSError
        Any error other than a full disk or quota.
    """
    while True:
        try:
            return work()
        except OSError as error:
            if error.errno not in FULL:
                raise
            tell(f"{error}; trying again in {PAUSE_S:.0f} s")
        time.sleep(PAUSE_S)
