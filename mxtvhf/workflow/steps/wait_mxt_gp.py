"""Step ``wait_mxt_gp``: poll the GP analysis and interpret its result."""

from __future__ import annotations

from mxtvhf.crosscheck.model import GpOutcome, GpProgress
from mxtvhf.errors import GpFailed
from mxtvhf.workflow.gp.client import GpClient
from mxtvhf.workflow.gp.contract import GpState, GpStatus


def wait_mxt_gp(process_id: str, gp: GpClient) -> GpStatus:
    """Return the current status of a job; the caller times the next poll.

    Parameters
    ----------
    process_id
        GP's id of the job.
    gp
        Client of the service.

    Raises
    ------
    GpBusy
        GP temporarily cannot answer.
    GpAnswerError
        The answer violates the contract; ``GpUnknownJobError`` if GP does not know the job.
    """
    return gp.status(process_id)


def gp_outcome(status: GpStatus) -> GpOutcome:
    """Return the outcome of a finished job: a position, or no detection.

    Parameters
    ----------
    status
        Last status of the job.

    Raises
    ------
    GpFailed
        The job failed; the message is GP's.
    ValueError
        The job has not finished.
    """
    if not status.state.is_final:
        raise ValueError(f"GP process {status.process_id} is still {status.state}")
    if status.state is GpState.FAILED:
        raise GpFailed(f"GP process {status.process_id} failed: {status.message or 'GP gave no reason'}")
    return GpOutcome(
        available=True,
        progress=GpProgress.RECEIVED if status.position else GpProgress.NO_DETECTION,
        reason=None if status.position else status.message,
        process_id=status.process_id,
        position=status.position,
        is_reference=status.is_reference,
    )
