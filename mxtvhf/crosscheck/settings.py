"""The cross-check's limits and priors, ``crosscheck.toml``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import Field, model_validator

from mxtvhf.models.quantities import FluxErgCm2S, Fraction, Probability, Text
from mxtvhf.models.toml import Constants, SourcedConstants, read_toml


class VerdictLimits(SourcedConstants):
    """p-values of a separation, were both positions the same source."""

    consistent_from: Probability
    inconsistent_below: Probability

    @model_validator(mode="after")
    def _leaves_no_overlap(self) -> VerdictLimits:
        if self.inconsistent_below > self.consistent_from:
            limits = f"{self.inconsistent_below} is above consistent_from {self.consistent_from}"
            raise ValueError(f"inconsistent_below {limits}")
        return self


class ClaimTolerance(SourcedConstants):
    """When a published number counts as reproduced."""

    angle_tolerance_arcmin: float = Field(ge=0.0, le=10.0)
    """Of ECLAIRs_Angle."""


class AssociationPriors(SourcedConstants):
    """Known sources: priors, and the probabilities of the verdicts."""

    known_source: Probability
    """Prior probability that what triggered is a source of a given catalogue."""
    known_source_catalogue_trigger: Probability
    """The same where ECLAIRs triggered on a source of its on-board catalogue."""
    known_from: Probability
    new_below: Probability
    widest_r90_arcmin: float = Field(gt=0.0, le=1200.0)
    """A wider position is not compared with catalogues."""

    @model_validator(mode="after")
    def _leaves_no_overlap(self) -> AssociationPriors:
        if self.new_below > self.known_from:
            raise ValueError(f"new_below {self.new_below} is above known_from {self.known_from}")
        return self


class UnrelatedSources(Constants):
    """What an instrument would take for the counterpart, and how often it sees the counterpart."""

    per_deg2: float = Field(gt=0.0, le=1e6)
    counterpart_seen: Fraction
    """Probability."""
    source: Text


class UnrelatedByInstrument(Constants):
    """Of each instrument, ECLAIRs' also for all that are not named."""

    assumed: bool
    MXT: UnrelatedSources
    VT: UnrelatedSources
    ECLAIRs: UnrelatedSources


class ImpossibleValues(SourcedConstants):
    """Limits of values that are in another unit, or wrong."""

    catalogue_flux_above: FluxErgCm2S


class CrosscheckSettings(Constants):
    """``crosscheck.toml``."""

    version: Text
    verdict: VerdictLimits
    claims: ClaimTolerance
    association: AssociationPriors
    unrelated: UnrelatedByInstrument
    impossible: ImpossibleValues


@cache
def crosscheck_settings() -> CrosscheckSettings:
    """Return the limits and priors; see the file for the reason of each."""
    return read_toml(Path(__file__).with_name("crosscheck.toml"), CrosscheckSettings)
