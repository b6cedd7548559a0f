"""Step ``start_mxt_gp_pipeline``: start an analysis of the partner's General Program (GP)."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from mxtvhf.crosscheck.model import GpOutcome
from mxtvhf.models.base import Model
from mxtvhf.workflow.gp.client import GpClient
from mxtvhf.workflow.gp.contract import GpRequest


class GpStart(Model):
    """The start of a GP analysis: its process id, or the reason why GP was not asked."""

    process_id: str | None = None
    not_asked: GpOutcome | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_earlier_version(cls, given: Any) -> Any:
        """Accept the process id alone, which earlier versions passed on."""
        return {"process_id": given} if isinstance(given, str) else given


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
