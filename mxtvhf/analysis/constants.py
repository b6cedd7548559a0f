"""Constants of light curves and spectra, read from ``analysis.toml``."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from mxtvhf.models.quantities import (
    RISING,
    BandKev,
    ColumnCm2,
    Fraction,
    GridKev,
    PhotonIndex,
    Positive,
    Probability,
    Text,
)
from mxtvhf.models.toml import Constants, read_toml

Pixels = Annotated[float, Field(gt=0.0, le=1000.0)]
Photons = Annotated[float, Field(ge=0.0, le=1e6)]


class Band(Constants):
    """Energy band of the photons that are used."""

    energy_kev: BandKev


class Region(Constants):
    """Limits of the source region, a circle, and of the background region around it."""

    smallest_pixel: Pixels
    """Radius of the source region."""
    largest_pixel: Pixels
    gap_pixel: Pixels
    """Gap between the two regions."""
    least_background_pixels: int = Field(ge=1)

    @model_validator(mode="after")
    def _has_room(self) -> Region:
        if self.smallest_pixel > self.largest_pixel:
            raise ValueError(
                f"smallest_pixel {self.smallest_pixel} is larger than largest_pixel {self.largest_pixel}"
            )
        return self


class WidthRules(Constants):
    """Prior of the width of the PSF core."""

    least_sigma: Positive


class Others(Constants):
    """Exclusion of other sources from the background region."""

    largest_pixel: Pixels
    """Largest radius of a circle around another source."""
    least_left: Probability
    """Smallest fraction of the exposed pixels outside the circles."""
    told_from: Probability
    """Smallest fraction of the net counts from other sources that causes a warning."""


class LightCurveBins(Constants):
    """Bins of equal width."""

    photons_per_bin: Positive
    """Mean number of source-region photons per bin."""
    most_bins: int = Field(ge=1)
    sigma: Positive
    """Size of the error bars in standard deviations."""


class Blocks(Constants):
    """Bayesian blocks."""

    false_alarm_rate: Probability
    """Probability of detecting a change in a constant rate."""
    most_cells: int = Field(ge=1)


class DecayGrid(Constants):
    """Decay indices at which the likelihood is evaluated."""

    lowest: float = Field(ge=-10.0, le=20.0)
    highest: float = Field(ge=-10.0, le=20.0)
    step: float = Field(gt=0.0, le=1.0)
    least_photons: Photons
    most_groups: int = Field(ge=1)

    @model_validator(mode="after")
    def _rises(self) -> DecayGrid:
        if self.lowest >= self.highest:
            raise ValueError(f"lowest {self.lowest} is not below highest {self.highest}")
        return self


class HardnessBands(Constants):
    """The two bands of the hardness ratio."""

    soft_kev: BandKev
    hard_kev: BandKev
    draws: int = Field(ge=100)
    """Number of random draws for its errors."""


class SpectrumRules(Constants):
    """Constants of the spectral fit."""

    flux_band_kev: BandKev
    bin_ranges_kev: GridKev
    bin_widths_kev: tuple[Positive, ...]
    """Width of the fit bins in each range."""
    background_prior_photons: Positive
    """Weight of the prior of equal background components, in photons."""
    background_photons_per_piece: int = Field(ge=1)
    """Mean number of background photons per piece; the background level is free in each piece."""
    most_background_pieces: int = Field(ge=1)
    least_photons: Photons
    """Smallest number of source photons for a fit."""
    trusted_photons: Photons
    photon_index_limits: Annotated[tuple[PhotonIndex, PhotonIndex], RISING]
    photon_index_prior: tuple[PhotonIndex, Positive]
    """Mean and standard deviation of a normal distribution."""
    grid_points: int = Field(ge=9, le=201)
    """Number of grid points of each axis."""
    worst_fit_sigma: Positive
    photons_per_bin: int = Field(ge=1)
    """Number of source-region photons per bin of the plot."""
    most_bins: int = Field(ge=1)

    @model_validator(mode="after")
    def _has_a_width_for_each_range(self) -> SpectrumRules:
        if len(self.bin_widths_kev) != len(self.bin_ranges_kev) - 1:
            raise ValueError("bin_widths_kev: expected one number for each range of bin_ranges_kev")
        return self


class ColumnPriorRules(Constants):
    """Prior of the absorbing column, see `mxtvhf.analysis.column_prior`."""

    galactic_part: Fraction
    host_part: Fraction
    galactic_sigma_dex: Positive
    host_scale_cm2: ColumnCm2
    scale_cm2: ColumnCm2
    highest_cm2: ColumnCm2
    undetermined_width: Positive
    """Half width of the 68 % interval of the logarithm of column + scale, without the Galactic value, above
    which the photons do not determine the column."""

    @model_validator(mode="after")
    def _leaves_a_part(self) -> ColumnPriorRules:
        if self.galactic_part + self.host_part >= 1.0:
            raise ValueError("galactic_part and host_part leave nothing for any other column")
        return self


class AnalysisConstants(Constants):
    """Contents of ``analysis.toml``."""

    version: Text
    band: Band
    region: Region
    width: WidthRules
    others: Others
    light_curve: LightCurveBins
    blocks: Blocks
    decay: DecayGrid
    hardness: HardnessBands
    spectrum: SpectrumRules
    column: ColumnPriorRules


@cache
def analysis_constants() -> AnalysisConstants:
    """Return the constants of the analysis; the TOML file gives their meaning and sources."""
    return read_toml(Path(__file__).with_name("analysis.toml"), AnalysisConstants)
