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
    places_ts_threshold: float = Field(ge=0.0, le=1e4)
    """Least ts of the photons' places, with their energies and times taken as given."""


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


class FurtherSources(Constants):
    """Which maxima count as sources beside a brighter one."""

    most: int = Field(ge=1, le=100)
    """Sources looked for in a field."""
    ts_to_try: float = Field(ge=0.0, le=1e4)
    """Least ts of a maximum for which all sources are fitted again with it."""
    least_ratio: float = Field(ge=0.0, le=1.0)
    """Least number of its photons over that of brighter sources, as their PSF falls from its peak to its
    place."""


class DetectionConstants(Constants):
    """``detection.toml``."""

    version: Text
    source: DetectionThreshold
    further: FurtherSources
    background: BackgroundTrust
    eclairs: EclairsTrust
    hot_pixel: ExcessRule
    noisy_line: ExcessRule


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
