"""Detection thresholds (``detection.toml``) and source templates (``source_templates.toml``)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from mxtvhf.models.quantities import ColumnCm2, PhotonIndex, Probability, Text
from mxtvhf.models.toml import Constants, SourcedConstants, read_toml


class DetectionThreshold(Constants):
    """Thresholds for a maximum of the likelihood to count as a source."""

    ts_threshold: float = Field(ge=0.0, le=1e4)
    """Lowest TS = 2 (ln L_source - ln L_background)."""
    false_alarm_rate: Probability
    """Fraction of the fields with background only that reach it."""
    least_photons: float = Field(ge=0.0, le=1e4)
    """Lowest number of fitted source photons."""
    ts_threshold_alone: float = Field(ge=0.0, le=1e4)
    """Lowest TS if positions alone decide, without a model of the background spectrum."""
    places_ts_threshold: float = Field(ge=0.0, le=1e4)
    """Lowest TS of the positions given energies and times."""


class KnownBackgroundRule(Constants):
    """Thresholds where past runs determine the background spectrum better than the field itself."""

    ts_threshold: float = Field(ge=0.0, le=1e4)
    """Lowest TS."""
    ts_over_free: float = Field(ge=0.0, le=1e4)
    """Lowest TS relative to a background of free spectrum without a source."""
    disagreement: float = Field(ge=0.0, le=1e4)
    """Twice the gain of ln L by a free spectrum above which the photons disagree with the known one, unless a
    source explains them."""
    ts_over_disagreement: float = Field(ge=0.0, le=1e4)
    """Lowest TS over the free spectrum with which a source explains a disagreement."""


class EclairsTrust(Constants):
    """Confidence in the ECLAIRs position."""

    trust: Probability
    """Probability that a source of MXT is the ECLAIRs source."""


class ExcessRule(Constants):
    """Limits for a pixel, row or column with more counts than any source can explain."""

    false_alarms: float = Field(gt=0.0, le=1.0)
    """Expected number per field."""
    contrast: float = Field(ge=1.0, le=1000.0)
    """Ratio of the true rate to the mean rate of the surroundings."""
    ring_inner: int = Field(ge=0, le=100)
    """The surroundings are pixels, or lines on both sides, from beyond this distance, ..."""
    ring_outer: int = Field(ge=1, le=100)
    """... to this one."""

    @model_validator(mode="after")
    def _has_a_ring(self) -> ExcessRule:
        if self.ring_inner >= self.ring_outer:
            raise ValueError(
                f"ring_inner is {self.ring_inner}; expected less than ring_outer {self.ring_outer}"
            )
        return self


class SquareExcessRule(ExcessRule):
    """The same limits for pixels and small squares of pixels."""

    squares: tuple[int, ...] = Field(min_length=1, max_length=10)
    """Sides of the squares, pixels."""


class FlickerRule(Constants):
    """Limits for photons of a pixel, row or column that follow each other too closely for a source."""

    false_alarms: float = Field(gt=0.0, le=1.0)
    """Expected number per field."""
    pixel_part: Probability
    """Largest fraction of the source photons in one pixel."""
    line_part: Probability
    """Largest fraction in one row or column."""
    most_photons: int = Field(ge=3, le=1000)
    """Largest number of photons of a series."""


class DeadRule(Constants):
    """Limits for a row, column or block with fewer counts than its surroundings explain."""

    false_alarms: float = Field(gt=0.0, le=1.0)
    """Expected number per field."""
    contrast: float = Field(gt=0.0, le=1.0)
    """Lowest ratio of the true rate of a working line or block to that of the ring around it."""
    largest_part: Probability
    """A dead line or block has at most this fraction of the expected photons."""
    ring_inner: int = Field(ge=0, le=100)
    """The ring of a line consists of lines on both sides from beyond this distance, ..."""
    ring_outer: int = Field(ge=1, le=100)
    """... to this one."""
    blocks: tuple[int, ...] = Field(min_length=1, max_length=10)
    """Sides of the square blocks, pixels, each a multiple of the smallest, which is even and divides the
    detector; the ring of a block is half as wide as the block."""


class NoiseMapRule(Constants):
    """Selection of the photons of a run for the noise map."""

    source_radius_arcmin: float = Field(ge=0.0, le=60.0)
    """Radius around each source that is left out, in addition to the drift of the pointing."""


class BackgroundTrust(Constants):
    """Prior of the background, as numbers of prior photons."""

    photons_per_component: float = Field(ge=0.0, le=1e4)
    """Prior photons of each spectral component."""
    largest_slope: float = Field(ge=0.0, lt=1.0)
    """Largest relative change from the middle of the detector to an edge."""
    photons_flat: float = Field(gt=0.0, le=1e6)
    """Prior photons of the flat shape."""
    photons_steady: float = Field(gt=0.0, le=1e6)
    """Prior photons of the constant light curve."""


class MisfitRule(Constants):
    """Threshold for energies or times that disagree with all known components."""

    ts_threshold: float = Field(ge=0.0, le=1e4)
    """Lowest ``misfit.largest_excess``."""


class FurtherSources(Constants):
    """Thresholds for maxima beside a brighter source."""

    most: int = Field(ge=1, le=100)
    """Largest number of sources searched in a field."""
    ts_to_try: float = Field(ge=0.0, le=1e4)
    """Lowest TS of a maximum for which all sources are fitted again with it."""
    least_ratio: float = Field(ge=0.0, le=1.0)
    """Lowest ratio of its photons to those of brighter sources, which are scaled by the fall of their PSF
    from the peak to its position."""
    bright: float = Field(ge=0.0, le=1e9)
    """Photons of a source above which spectrum and PSF shape are fitted to it."""
    ts_extended: float = Field(ge=0.0, le=1e4)
    """Lowest TS of an extended source relative to a point source."""
    ts_over_extended: float = Field(ge=0.0, le=1e4)
    """Lowest TS of each further source relative to an extended one."""


class DetectionConstants(Constants):
    """Content of ``detection.toml``."""

    version: Text
    source: DetectionThreshold
    known_background: KnownBackgroundRule
    further: FurtherSources
    background: BackgroundTrust
    misfit: MisfitRule
    eclairs: EclairsTrust
    hot_pixel: SquareExcessRule
    noisy_line: ExcessRule
    flicker: FlickerRule
    dead: DeadRule
    noise_map: NoiseMapRule


Share = Annotated[float, Field(gt=0.0, le=1e6)]
"""Relative prior probability, not normalised."""


class TemplateSpectrum(Constants):
    """An absorbed power law."""

    photon_index: PhotonIndex
    nh_cm2: ColumnCm2
    share: Share = 1.0


class TemplateDecay(Constants):
    """A power law in time since T0."""

    index: float = Field(ge=-10.0, le=20.0)
    share: Share = 1.0


class Population(SourcedConstants):
    """Content of ``source_templates.toml``."""

    version: Text
    spectra: tuple[TemplateSpectrum, ...] = Field(min_length=1)
    decays: tuple[TemplateDecay, ...] = Field(min_length=1)
    usual_start_s: float = Field(gt=0.0, le=1e5)
    """Time between T0 and the start of the observation if T0 is unknown, s."""
    stretch_share: Share
    """Share of sources that are visible in one interval of the observation only, such as flares."""


@cache
def detection_constants() -> DetectionConstants:
    """Return the detection thresholds; their meaning and source are given in the file."""
    return read_toml(Path(__file__).with_name("detection.toml"), DetectionConstants)


@cache
def population() -> Population:
    """Return the source templates; their meaning and sources are given in the file."""
    return read_toml(Path(__file__).with_name("source_templates.toml"), Population)
