"""Step ``start_mxt_gp_pipeline``: ask the partner's General Program for its analysis."""

from __future__ import annotations

from mxtvhf.workflow.gp.client import GpClient
from mxtvhf.workflow.gp.contract import GpRequest


def start_mxt_gp_pipeline(request: GpRequest, gp: GpClient) -> str:
    """Start one GP analysis and return its process id.

    Starting is not idempotent: two calls start two analyses. The caller keeps the process id before
    anything else is done.

    Raises
    ------
    GpBusy
        GP has not started and may be asked again.
    GpStartUnknownError
        GP may or may not have started; asking again may start a second analysis.
    InvalidInput, GpAnswerError
        GP refuses, or answers what the contract does not know.
    """
    return gp.start(request)
