"""Step ``start_mxt_gp_pipeline``: start an analysis of the partner's General Program (GP)."""

from __future__ import annotations

from mxtvhf.workflow.gp.client import GpClient
from mxtvhf.workflow.gp.contract import GpRequest


def start_mxt_gp_pipeline(request: GpRequest, gp: GpClient) -> str:
    """Start a GP analysis and return its process id.

    The start is not idempotent: two calls start two analyses. The caller must store the process id before
    it does anything else.

    Parameters
    ----------
    request
        Observation or event file to analyse.
    gp
        Client of the service.

    Raises
    ------
    GpBusy
        GP has not started the analysis; the call may be repeated.
    GpStartUnknownError
        GP may or may not have started the analysis; another call may start a second one.
    InvalidInput, GpAnswerError
        GP rejected the request, or its answer violates the contract.
    """
    return gp.start(request)
