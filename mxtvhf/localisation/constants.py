"""What counts as a source, ``detection.toml``, and which are expected, ``source_templates.toml``."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from mxtvhf.models.quantities import ColumnCm2, PhotonIndex, Probability, Text
from mxtvhf.models.toml import Constants, SourcedConstants, read_toml


class DetectionThreshold(Constants):
    """When a maximum of the likelihood counts as a source."""

    ts_threshold: float = Field(ge=0.0, le=1e4)
    """Least ts = 2 (ln L_source - ln L_background)."""
    false_alarm_rate: Probability
    """Fraction of the fields with background only that reach it."""
    least_photons: float = Field(ge=0.0, le=1e4)
    """Least number of fitted source photons."""
    ts_threshold_alone: float = Field(ge=0.0, le=1e4)
    """Of ts where the places decide alone: nothing is known of the background's energies."""
    places_ts_threshold: float = Field(ge=0.0, le=1e4)
    """Least ts of the photons' places, with their energies and times taken as given."""


class KnownBackgroundRule(Constants):
    """What counts as a source where past runs tell the background's spectrum better than the field does."""

    ts_threshold: float = Field(ge=0.0, le=1e4)
    """Least ts."""
    places_ts_threshold: float = Field(ge=0.0, le=1e4)
    """Least ts of the photons' places, with their energies and times taken as given."""
    ts_over_free: float = Field(ge=0.0, le=1e4)
    """Least ts of the source over a background without a source, of whose spectrum nothing is known."""
    disagreement: float = Field(ge=0.0, le=1e4)
    """Twice the gain of ln L by a free spectrum from which photons that no source explains are unlike the
    known one."""


class EclairsTrust(Constants):
    """How far ECLAIRs' position is believed."""

    trust: Probability
    """That a source of MXT is ECLAIRs' source."""


class ExcessRule(Constants):
    """When a pixel, row or column counts more than any source can explain, compared with those around it."""

    false_alarms: float = Field(gt=0.0, le=1.0)
    """Expected per field."""
    contrast: float = Field(ge=1.0, le=1000.0)
    """Of its true rate to the mean of those around it."""
    ring_inner: int = Field(ge=0, le=100)
    """Those around it are pixels, or lines on both sides, from beyond this distance, ..."""
    ring_outer: int = Field(ge=1, le=100)
    """... to this one."""

    @model_validator(mode="after")
    def _has_a_ring(self) -> ExcessRule:
        if self.ring_inner >= self.ring_outer:
            raise ValueError(f"ring_inner {self.ring_inner} is not below ring_outer {self.ring_outer}")
        return self


class SquareExcessRule(ExcessRule):
    """The same of pixels and of small squares of pixels."""

    squares: tuple[int, ...] = Field(min_length=1, max_length=10)
    """Sides of the squares, pixels."""


class FlickerRule(Constants):
    """When photons of one pixel, row or column follow each other closer than those of any source."""

    false_alarms: float = Field(gt=0.0, le=1.0)
    """Expected per field."""
    pixel_part: Probability
    """Largest part of a source's photons in one pixel."""
    line_part: Probability
    """Largest part in one row or column."""
    most_photons: int = Field(ge=3, le=1000)
    """Series of up to so many photons are judged."""


class DeadRule(Constants):
    """When a row, column or block counts less than its surroundings explain."""

    false_alarms: float = Field(gt=0.0, le=1.0)
    """Expected per field."""
    contrast: float = Field(gt=0.0, le=1.0)
    """Least true rate of a working one over that of the ring around it."""
    largest_part: Probability
    """A dead one has at most this part of the photons that are expected of it."""
    ring_inner: int = Field(ge=0, le=100)
    """The ring of a line: lines on both sides from beyond this distance, ..."""
    ring_outer: int = Field(ge=1, le=100)
    """... to this one."""
    blocks: tuple[int, ...] = Field(min_length=1, max_length=10)
    """Sides of the square blocks, pixels, each a multiple of the least one, which is even and divides the
    detector; the ring of a block is half of its side wide."""


class NoiseMapRule(Constants):
    """What of a run is in the noise map."""

    source_radius_arcmin: float = Field(ge=0.0, le=60.0)
    """Pixels nearer than this to a source are left out, beside the way of the pointing."""


class BackgroundTrust(Constants):
    """What is known of the background beforehand: so many photons count as seen of a component."""

    photons_per_component: float = Field(ge=0.0, le=1e4)
    """Of each component of its spectrum."""
    largest_slope: float = Field(ge=0.0, lt=1.0)
    """Largest change of it from the middle of the detector to an edge, over the value in the middle."""
    photons_flat: float = Field(gt=0.0, le=1e6)
    """Of the flat one of its shapes."""
    photons_steady: float = Field(gt=0.0, le=1e6)
    """Of the steady one of its courses in time."""


class MisfitRule(Constants):
    """When energies or times of the photons are unlike all that is known of them."""

    ts_threshold: float = Field(ge=0.0, le=1e4)
    """Least ``misfit.largest_excess``."""


class FurtherSources(Constants):
    """Which maxima count as sources beside a brighter one."""

    most: int = Field(ge=1, le=100)
    """Sources looked for in a field."""
    ts_to_try: float = Field(ge=0.0, le=1e4)
    """Least ts of a maximum for which all sources are fitted again with it."""
    least_ratio: float = Field(ge=0.0, le=1.0)
    """Least number of its photons over that of brighter sources, as their PSF falls from its peak to its
    place."""
    bright: float = Field(ge=0.0, le=1e9)
    """Photons of a source from which it has a spectrum and a shape of its own."""
    ts_extended: float = Field(ge=0.0, le=1e4)
    """Least ts of an extended source over a point source."""
    ts_over_extended: float = Field(ge=0.0, le=1e4)
    """Least ts of each source more over one that is extended."""


class DetectionConstants(Constants):
    """``detection.toml``."""

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
"""Of the probability, not normalised."""


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
    """``source_templates.toml``."""

    version: Text
    spectra: tuple[TemplateSpectrum, ...] = Field(min_length=1)
    decays: tuple[TemplateDecay, ...] = Field(min_length=1)
    usual_start_s: float = Field(gt=0.0, le=1e5)
    """Start of the observation after T0 where that is not known, s."""
    stretch_share: Share
    """Of sources that are seen in a stretch of the time only, such as flares, wherever it is."""


@cache
def detection_constants() -> DetectionConstants:
    """Return the limits of a detection; see the file for meaning and source."""
    return read_toml(Path(__file__).with_name("detection.toml"), DetectionConstants)


@cache
def population() -> Population:
    """Return the expected spectra and decays; see the file for meaning and sources."""
    return read_toml(Path(__file__).with_name("source_templates.toml"), Population)
