"""When a burst gets its runs: the choices of an installation."""

from __future__ import annotations

from pydantic import Field

from mxtvhf.models.base import Model


class IntakePolicy(Model):
    """When the photons of a burst, which trickle in over minutes, are worth a run."""

    first_photons: int = Field(
        default=30, ge=1, description="photons (source and background) with which the first run starts"
    )
    first_seconds: float = Field(
        default=20.0, ge=0.0, description="or seconds after the first packet, with however few photons"
    )
    growth: float = Field(
        default=2.0, gt=1.0, description="an update when there are so many times the photons of the last run"
    )
    quiet_seconds: float = Field(
        default=30.0, ge=0.0, description="the last update when no new packet came for so long"
    )
    updates: int = Field(default=4, ge=0, le=1000, description="updates at most, the last one included")
    close_seconds: float = Field(
        default=3600.0, gt=0.0, description="a burst of which nothing new came for so long is left alone"
    )
