"""Step ``wait_mxt_gp``: see whether GP is done, and with what."""

from __future__ import annotations

from mxtvhf.crosscheck.model import GpOutcome, GpProgress
from mxtvhf.errors import GpFailed
from mxtvhf.workflow.gp.client import GpClient
from mxtvhf.workflow.gp.contract import GpState, GpStatus


def wait_mxt_gp(process_id: str, gp: GpClient) -> GpStatus:
    """Ask once where the job stands; who calls decides when to ask again.

    Raises
    ------
    GpBusy
        GP could not answer now.
    GpAnswerError
        An answer that the contract does not know; ``GpUnknownJobError`` where GP does not know the job.
    """
    return gp.status(process_id)


def gp_outcome(status: GpStatus) -> GpOutcome:
    """Return what GP gave at the end: a position, or that it found no source.

    Raises
    ------
    GpFailed
        GP ended the job with an error; the message is GP's own.
    ValueError
        The job has not ended.
    """
    if not status.state.is_final:
        raise ValueError(f"GP process {status.process_id} is still {status.state}")
    if status.state is GpState.FAILED:
        raise GpFailed(f"GP process {status.process_id} failed: {status.message or 'GP gives no reason'}")
    return GpOutcome(
        available=True,
        progress=GpProgress.RECEIVED if status.position else GpProgress.NO_DETECTION,
        reason=None if status.position else status.message,
        process_id=status.process_id,
        position=status.position,
        is_reference=status.is_reference,
    )
