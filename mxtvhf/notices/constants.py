"""Limits and conventions of SVOM notices, read from ``notices.toml``."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, Field, Strict, field_validator

from mxtvhf.models.position import Origin
from mxtvhf.models.quantities import FluxErgCm2S, RadiusDeg, Text
from mxtvhf.models.toml import Constants, SourcedConstants, read_toml

NOTICE_ORIGINS = (Origin.ECLAIRS, Origin.MXT_ONBOARD, Origin.VT, Origin.GRM, Origin.OTHER)
"""Largest credible error radius of a position, by instrument."""

SystematicArcsec = Annotated[float, Field(ge=5.0, le=3600.0)]
Days = Annotated[float, Field(gt=0.0, le=10_000.0)]
LatencyS = Annotated[float, Field(ge=0.0, le=86_400.0)]


class FluxLimit(Constants):
    """Limit of a credible Mean_Flux."""

    largest_credible_erg_cm2_s: FluxErgCm2S


class MxtSystematic(SourcedConstants):
    """Systematic error in published MXT radii."""

    r90_arcsec: SystematicArcsec
    older_r90_arcsec: SystematicArcsec
    older_until: AwareDatetime


class EclairsSnrRadius(Constants):
    """Statistical R90 of ECLAIRs positions: amplitude / snr."""

    amplitude_arcmin: float = Field(ge=1.0, le=1200.0)


class QualityFactor(Constants):
    """Quality factors of MXT on-board positions."""

    limits_arcsec: tuple[SystematicArcsec, SystematicArcsec, SystematicArcsec]
    """Smallest statistical R90 of classes 1, 2 and 3, arcsec."""

    @field_validator("limits_arcsec")
    @classmethod
    def _fall(cls, limits: tuple[float, float, float]) -> tuple[float, float, float]:
        if not limits[0] > limits[1] > limits[2]:
            raise ValueError(f"expected descending radii, found {limits}")
        return limits


class Latency(Constants):
    """Latency of simulated notices."""

    eclairs_wakeup: LatencyS
    """Seconds after the trigger."""
    mxt_initial: LatencyS
    """Seconds after the start of the MXT observation."""


class PlausibleTimes(Constants):
    """Limits of plausible times in a notice."""

    latest_after_now_days: Days
    t0_earliest_before_event_days: Days
    t0_latest_after_event_days: Days


class SimulatedAuthor(Constants):
    """Author of the simulated notices."""

    author_ivorn: str = Field(pattern=r"^ivo://")
    title: Text
    short_name: Text
    contact_name: Text
    description: Text


class NoticeFacts(Constants):
    """Contents of ``notices.toml``."""

    flux: FluxLimit
    largest_radius_deg: dict[Annotated[Origin, Strict(False)], RadiusDeg]
    """Largest credible radius by origin of the position."""
    mxt_systematic: MxtSystematic
    eclairs_snr_radius: EclairsSnrRadius
    quality_factor: QualityFactor
    older_names: dict[Text, Text]
    """Parameter name of the draft schema, by current name."""
    trigger_words: dict[Text, Text]
    """Trigger_Type by the word used in a notice."""
    times: PlausibleTimes
    latency_s: Latency
    simulated: SimulatedAuthor

    @field_validator("largest_radius_deg")
    @classmethod
    def _has_all_origins(cls, radii: dict[Origin, float]) -> dict[Origin, float]:
        if missing := [origin for origin in NOTICE_ORIGINS if origin not in radii]:
            raise ValueError(f"missing {', '.join(missing)}")
        return radii


@cache
def notice_facts() -> NoticeFacts:
    """Return the limits and conventions of SVOM notices; the TOML file gives their sources."""
    return read_toml(Path(__file__).with_name("notices.toml"), NoticeFacts)
