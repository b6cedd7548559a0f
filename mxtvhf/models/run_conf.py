"""The configuration of a run: ``dag_run.conf`` of ``mxt_vhf``, and the words that it shares with GP."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from mxtvhf.models.base import Model
from mxtvhf.models.ids import BurstId

TEXT_PATTERN = r"^[^\x00]*$"
"""Any text that a database can hold."""

Apid = Annotated[str, StringConstraints(pattern=r"^\d{1,16}$")]

Target = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=TEXT_PATTERN)]

Orbit = Annotated[str, StringConstraints(pattern=r"^\d{1,8}$")]

Mode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]


class RunConf(Model):
    """``dag_run.conf`` of ``mxt_vhf``: what a run needs to know, whoever starts it."""

    burst_id: BurstId = Field(description="SVOM burst id, sbYYMMDDnn", examples=["sb26030704"])
    alert: str = Field(
        min_length=1,
        max_length=200_000,
        pattern=TEXT_PATTERN,
        description="The alert: a file URI or path, or the VOEvent XML itself",
        examples=["file:///data/inbox/sb26051102/alert.xml"],
    )
    packets: str | None = Field(
        default=None,
        max_length=4096,
        pattern=TEXT_PATTERN,
        description="The VHF packets received for it: a file URI or path",
        examples=["file:///data/inbox/sb26051102/packets.bin"],
    )
    sequence: int = Field(
        default=1, ge=1, le=9999, description="Number of this input among the inputs of the burst"
    )
    apid: Apid = Field(default="00810300005", description="APID passed to GP")
    target: Target = Field(default="2", description="Target passed to GP")
    orbit: Orbit = Field(default="2", description="Orbit passed to GP")
    mode: Mode = Field(default="GeneralProgram", description="Mode passed to GP")
    gp_timeout_s: float = Field(
        default=1800.0, ge=1.0, le=86_400.0, description="Seconds to wait for GP before the final report"
    )
