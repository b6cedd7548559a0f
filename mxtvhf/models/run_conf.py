"""Configuration of a run: ``dag_run.conf`` of ``mxt_vhf``, and the fields that it shares with GP."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from mxtvhf.models.base import Model
from mxtvhf.models.ids import BurstId

TEXT_PATTERN = r"^[^\x00]*$"
"""Text that a database can store."""

Apid = Annotated[str, StringConstraints(pattern=r"^\d{1,16}$")]

Target = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=TEXT_PATTERN)]

Orbit = Annotated[str, StringConstraints(pattern=r"^\d{1,8}$")]

Mode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]


GP_TIMEOUT_S = 1800.0
"""Default time limit of the wait for GP, seconds."""
OBSERVATION_FIELDS = ("apid", "target", "orbit")
"""Fields of `RunConf` that identify GP's observation."""
OBSERVATION_GIVEN: dict[str, Any] = {
    "required": list(OBSERVATION_FIELDS),
    "properties": {name: {"type": "string"} for name in OBSERVATION_FIELDS},
}
"""JSON schema for all fields given."""
OBSERVATION_UNKNOWN: dict[str, Any] = {"properties": {name: {"type": "null"} for name in OBSERVATION_FIELDS}}
"""JSON schema for no field given."""


class Observation(Model):
    """GP's identifiers of an observation; no SVOM notice carries them."""

    apid: Apid
    target: Target
    orbit: Orbit

    @property
    def obs_id(self) -> str:
        """Return ``<apid>_<target>_<orbit>``."""
        return f"{self.apid}_{self.target}_{self.orbit}"


def observation_fields(observation: Observation | None) -> dict[str, str]:
    """Return the identifiers of an observation as keyword arguments; none if it is unknown."""
    return observation.model_dump() if observation else {}


class RunConf(Model):
    """``dag_run.conf`` of ``mxt_vhf``: the input of a run, from any caller."""

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
    attitude: str | None = Field(
        default=None,
        max_length=4096,
        pattern=TEXT_PATTERN,
        description="The attitude product (SVO-ATT-VHF): a file URI or path",
        examples=["file:///data/inbox/sb26051102/attitude.fits"],
    )
    sequence: int = Field(
        default=1, ge=1, le=9999, description="Number of this input among the inputs of the burst"
    )
    apid: Apid | None = Field(
        default=None,
        description="APID of GP's observation; GP is used if apid, target and orbit are given",
        examples=["00810300005"],
    )
    target: Target | None = Field(default=None, description="Target of GP's observation", examples=["2"])
    orbit: Orbit | None = Field(default=None, description="Orbit of GP's observation", examples=["2"])
    mode: Mode = Field(default="GeneralProgram", description="Mode passed to GP")
    gp_timeout_s: float = Field(
        default=GP_TIMEOUT_S,
        ge=1.0,
        le=86_400.0,
        description="Seconds to wait for GP before the final report",
    )

    @property
    def observation(self) -> Observation | None:
        """Return GP's observation; None if the run was not given all of its identifiers."""
        if self.apid is None or self.target is None or self.orbit is None:
            return None
        return Observation(apid=self.apid, target=self.target, orbit=self.orbit)
