"""Limits and priors of the cross-check, read from ``crosscheck.toml``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import Field, model_validator

from mxtvhf.models.angles import WHOLE_SKY_DEG2
from mxtvhf.models.quantities import FluxErgCm2S, Fraction, Probability, Text
from mxtvhf.models.toml import Constants, SourcedConstants, read_toml


class VerdictLimits(SourcedConstants):
    """Limits of the p-value of a separation under the hypothesis of one source."""

    consistent_from: Probability
    inconsistent_below: Probability

    @model_validator(mode="after")
    def _leaves_no_overlap(self) -> VerdictLimits:
        if self.inconsistent_below > self.consistent_from:
            limits = f"{self.inconsistent_below} is above consistent_from {self.consistent_from}"
            raise ValueError(f"inconsistent_below {limits}")
        return self


class ClaimTolerance(SourcedConstants):
    """Tolerance within which a published number counts as reproduced."""

    angle_tolerance_arcmin: float = Field(ge=0.0, le=10.0)
    """Tolerance of ECLAIRs_Angle."""


class Recommendation(SourcedConstants):
    """Criterion for recommended positions."""

    agrees_from: Probability
    """Smallest probability of one source for which a position with the verdict "unclear" agrees."""


class AssociationPriors(SourcedConstants):
    """Priors of known sources, and probability limits of the verdicts."""

    known_source: Probability
    """Prior probability that the source of the trigger is in a given catalogue."""
    known_source_catalogue_trigger: Probability
    """The same if ECLAIRs triggered on a source of its on-board catalogue."""
    known_from: Probability
    uncatalogued_below: Probability
    deep_from_per_deg2: float = Field(gt=0.0, le=1e6)
    """Smallest mean density of a catalogue that is as deep as MXT."""
    widest_r90_arcmin: float = Field(gt=0.0, le=1200.0)
    """Largest R90 of a position that is compared with catalogues."""

    @model_validator(mode="after")
    def _leaves_no_overlap(self) -> AssociationPriors:
        if self.uncatalogued_below > self.known_from:
            limits = f"{self.uncatalogued_below} is above known_from {self.known_from}"
            raise ValueError(f"uncatalogued_below {limits}")
        return self


class FluxPriors(SourcedConstants):
    """Distribution of source fluxes relative to the catalogued flux."""

    variability_dex: float = Field(gt=0.0, le=3.0)
    """1 sigma of the decimal logarithm of the flux ratio."""
    outburst_part: Probability
    """Fraction of the sources with the wider distribution."""
    outburst_dex: float = Field(gt=0.0, le=10.0)
    photon_index_sigma: float = Field(ge=0.0, le=3.0)
    """1 sigma of the photon index used to convert between bands."""
    counts_slope: float = Field(gt=0.0, le=5.0)
    """Slope of the number of sources above a flux."""

    @model_validator(mode="after")
    def _is_wider(self) -> FluxPriors:
        if self.outburst_dex < self.variability_dex:
            narrow = f"{self.outburst_dex} is below variability_dex {self.variability_dex}"
            raise ValueError(f"outburst_dex {narrow}")
        return self


class SourcePriors(Constants):
    """Priors of the hypotheses for a position of an instrument."""

    per_deg2: float = Field(gt=0.0, le=1e6)
    """Unrelated sources that could be mistaken for the counterpart, per square degree."""
    counterpart_seen: Fraction
    """Probability that the instrument detects the counterpart of a real source."""
    no_source: Probability
    """Probability that a position belongs to no source."""
    field_deg2: float = Field(gt=0.0, le=WHOLE_SKY_DEG2)
    """Field of view, square degrees; a position of no source may be anywhere in it."""
    source: Text


class UnrelatedByInstrument(Constants):
    """Priors by instrument; those of ECLAIRs also apply to instruments not listed."""

    assumed: bool
    MXT: SourcePriors
    VT: SourcePriors
    ECLAIRs: SourcePriors


class ImpossibleValues(SourcedConstants):
    """Limits above which a value is wrong or in another unit."""

    catalogue_flux_above: FluxErgCm2S


class CrosscheckSettings(Constants):
    """Contents of ``crosscheck.toml``."""

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
    """Return the limits and priors; the TOML file gives the reason for each."""
    return read_toml(Path(__file__).with_name("crosscheck.toml"), CrosscheckSettings)
