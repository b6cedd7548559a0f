"""Waiting while a disk is full: what an alert needs is worth the wait, and nobody has to start it again."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import TypeVar

PAUSE_S = 5.0
FULL = (errno.ENOSPC, errno.EDQUOT)

Result = TypeVar("Result")


def once_there_is_room(work: Callable[[], Result], tell: Callable[[str], object]) -> Result:
    """Do some work that writes files; when a disk or quota is full, wait and do it once more, without end.

    Parameters
    ----------
    work
        May be done again from its start.
    tell
        Gets a line for each wait.

    Raises
    ------
    OSError
        Another one than that a disk is full.
    """
    while True:
        try:
            return work()
        except OSError as error:
            if error.errno not in FULL:
                raise
            tell(f"{error}; trying again in {PAUSE_S:.0f} s")
        time.sleep(PAUSE_S)
