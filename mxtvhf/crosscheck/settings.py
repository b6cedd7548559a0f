"""The cross-check's limits and priors, ``crosscheck.toml``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import Field, model_validator

from mxtvhf.models.angles import WHOLE_SKY_DEG2
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


class Recommendation(SourcedConstants):
    """Which positions may be recommended."""

    agrees_from: Probability
    """Probability of one source from which a position whose verdict is "unclear" counts as agreeing."""


class AssociationPriors(SourcedConstants):
    """Known sources: priors, and the probabilities of the verdicts."""

    known_source: Probability
    """Prior probability that what triggered is a source of a given catalogue."""
    known_source_catalogue_trigger: Probability
    """The same where ECLAIRs triggered on a source of its on-board catalogue."""
    known_from: Probability
    uncatalogued_below: Probability
    deep_from_per_deg2: float = Field(gt=0.0, le=1e6)
    """Mean density of a catalogue that is as deep as MXT."""
    widest_r90_arcmin: float = Field(gt=0.0, le=1200.0)
    """A wider position is not compared with catalogues."""

    @model_validator(mode="after")
    def _leaves_no_overlap(self) -> AssociationPriors:
        if self.uncatalogued_below > self.known_from:
            limits = f"{self.uncatalogued_below} is above known_from {self.known_from}"
            raise ValueError(f"uncatalogued_below {limits}")
        return self


class FluxPriors(SourcedConstants):
    """How far a source may be from its catalogued flux."""

    variability_dex: float = Field(gt=0.0, le=3.0)
    """1 sigma of the decimal logarithm of the ratio."""
    outburst_part: Probability
    """Of the sources: those with the wider distribution."""
    outburst_dex: float = Field(gt=0.0, le=10.0)
    photon_index_sigma: float = Field(ge=0.0, le=3.0)
    """Of the spectrum by which fluxes of two bands are compared."""
    counts_slope: float = Field(gt=0.0, le=5.0)
    """Of the number of sources above a flux."""

    @model_validator(mode="after")
    def _is_wider(self) -> FluxPriors:
        if self.outburst_dex < self.variability_dex:
            narrow = f"{self.outburst_dex} is below variability_dex {self.variability_dex}"
            raise ValueError(f"outburst_dex {narrow}")
        return self


class SourcePriors(Constants):
    """What an instrument's position may be, before it is compared with another."""

    per_deg2: float = Field(gt=0.0, le=1e6)
    """Unrelated sources that it would take for the counterpart, per square degree."""
    counterpart_seen: Fraction
    """Probability that it sees the counterpart of a real source."""
    no_source: Probability
    """Probability that it gives a position of no source."""
    field_deg2: float = Field(gt=0.0, le=WHOLE_SKY_DEG2)
    """Field of view, square degrees: such a position may be anywhere in it."""
    source: Text


class UnrelatedByInstrument(Constants):
    """Of each instrument, ECLAIRs' also for all that are not named."""

    assumed: bool
    MXT: SourcePriors
    VT: SourcePriors
    ECLAIRs: SourcePriors


class ImpossibleValues(SourcedConstants):
    """Limits of values that are in another unit, or wrong."""

    catalogue_flux_above: FluxErgCm2S


class CrosscheckSettings(Constants):
    """``crosscheck.toml``."""

    version: Text
    verdict: VerdictLimits
    recommendation: Recommendation
    claims: ClaimTolerance
    association: AssociationPriors
    flux: FluxPriors
    unrelated: UnrelatedByInstrument
    impossible: ImpossibleValues


@cache
def crosscheck_settings() -> CrosscheckSettings:
    """Return the limits and priors; see the file for the reason of each."""
    return read_toml(Path(__file__).with_name("crosscheck.toml"), CrosscheckSettings)
