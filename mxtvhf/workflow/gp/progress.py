"""Translate an error of a GP analysis into its outcome."""

from __future__ import annotations

from mxtvhf.crosscheck.model import GpOutcome, GpProgress
from mxtvhf.errors import MxtVhfError
from mxtvhf.workflow.gp.contract import GpBusy, GpTimeout


def progress_of(error: MxtVhfError) -> GpProgress:
    """Return the progress that an error implies: not reached, timed out, or failed.

    Parameters
    ----------
    error
        Error of the start or of a poll.
    """
    if isinstance(error, GpBusy):
        return GpProgress.NOT_REACHED
    return GpProgress.TIMED_OUT if isinstance(error, GpTimeout) else GpProgress.FAILED


def outcome_of(error: MxtVhfError) -> GpOutcome:
    """Return the outcome of an analysis that ended in an error.

    Parameters
    ----------
    error
        Error of the start or of a poll.
    """
    return GpOutcome(available=False, progress=progress_of(error), reason=str(error))
