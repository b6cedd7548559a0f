"""Instrument constants, read from ``constants.toml``, which gives their sources."""

from __future__ import annotations

from datetime import date
from functools import cache
from math import degrees
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from mxtvhf.models.quantities import BandKev, Fraction, Positive, Text
from mxtvhf.models.toml import Constants, SourcedConstants, read_toml

_MJD_ZERO = date(1858, 11, 17)


class Detector(SourcedConstants):
    """The pnCCD, a square array of pixels."""

    columns: int = Field(ge=1, le=32_768)
    rows: int = Field(ge=1, le=32_768)
    pixel_size_mm: float = Field(ge=0.001, le=1.0)
    frame_time_s: float = Field(ge=1e-4, le=10.0)

    @model_validator(mode="after")
    def _is_square(self) -> Detector:
        if self.columns != self.rows:
            raise ValueError(f"expected as many rows as columns, found {self.rows} and {self.columns}")
        return self


class Optics(SourcedConstants):
    """The lobster-eye optics."""

    focal_length_mm: float = Field(ge=200.0, le=20_000.0)


class EnergyRange(SourcedConstants):
    """Energy measurement of the detector."""

    band_kev: BandKev
    pha_channels: int = Field(ge=2, le=65_536)
    """Number of pulse height channels."""


class PiChannels(SourcedConstants):
    """Channels of calibrated energy (pulse invariant): channel i covers i .. i+1 times the width."""

    channel_width_kev: float = Field(ge=1e-4, le=1.0)
    channels: int = Field(ge=2, le=32_768)


class EclairsPosition(SourcedConstants):
    """Systematic error of ECLAIRs positions."""

    systematic_r90_arcsec: float = Field(ge=10.0, le=3600.0)


class MissionClock(SourcedConstants):
    """Mission elapsed time: SI seconds since the epoch."""

    epoch_utc: str = Field(pattern=r"^\d{4}-\d\d-\d\dT00:00:00Z$")
    mjdrefi: int
    """Modified Julian Date of the epoch."""
    tt_minus_utc_s: float = Field(ge=32.184, le=100.0)
    """TT - UTC at the epoch, seconds."""

    @model_validator(mode="after")
    def _has_one_epoch(self) -> MissionClock:
        mjd = (date.fromisoformat(self.epoch_utc[:10]) - _MJD_ZERO).days
        if mjd != self.mjdrefi:
            raise ValueError(f"expected mjdrefi {mjd} for epoch_utc {self.epoch_utc}, found {self.mjdrefi}")
        return self


class SnrRadius(SourcedConstants):
    """Statistical R90 of on-board MXT positions: amplitude (snr / 100)^index."""

    amplitude_arcsec: float = Field(ge=1.0, le=3600.0)
    index: float = Field(ge=-5.0, lt=0.0)
    scatter: Fraction
    """Relative scatter, 1 sigma."""
    snr_saturation: Positive
    """Largest SNR that a notice can give."""


class Instrument(Constants):
    """Contents of ``constants.toml``."""

    version: Annotated[Text, Field(max_length=68)]
    """Version; a FITS keyword of every event file."""
    detector: Detector
    optics: Optics
    energy: EnergyRange
    pi: PiChannels
    eclairs: EclairsPosition
    time: MissionClock
    snr_radius: SnrRadius


@cache
def instrument() -> Instrument:
    """Return the constants of the instrument as built; the TOML file gives their sources."""
    return read_toml(Path(__file__).with_name("constants.toml"), Instrument)


def pixel_scale_arcsec() -> float:
    """Return the angle of one pixel at the detector's centre, arcsec: pixel size over focal length."""
    this = instrument()
    return 3600.0 * degrees(this.detector.pixel_size_mm / this.optics.focal_length_mm)
