"""How light curves and spectra are made: the constants of ``analysis.toml``."""

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
    """The photons that are used."""

    energy_kev: BandKev


class Region(Constants):
    """Limits of the source region, a circle, and of the background region around it."""

    smallest_pixel: Pixels
    """Radius of the source region."""
    largest_pixel: Pixels
    gap_pixel: Pixels
    """Between the two regions."""
    least_background_pixels: int = Field(ge=1)

    @model_validator(mode="after")
    def _has_room(self) -> Region:
        if self.smallest_pixel > self.largest_pixel:
            raise ValueError(
                f"smallest_pixel {self.smallest_pixel} is larger than largest_pixel {self.largest_pixel}"
            )
        return self


class WidthRules(Constants):
    """How well the width of the PSF's core is known beforehand."""

    least_sigma: Positive


class Others(Constants):
    """How other sources are kept out of the background region."""

    largest_pixel: Pixels
    """Radius of a circle around one."""
    least_left: Probability
    """Part of the exposed pixels that circles leave."""
    told_from: Probability
    """Part of the net counts that is of others, from which a warning tells it."""


class LightCurveBins(Constants):
    """Bins of equal width."""

    photons_per_bin: Positive
    """Of the source region."""
    most_bins: int = Field(ge=1)
    sigma: Positive
    """Error bars hold the truth with the probability of so many standard deviations."""


class Blocks(Constants):
    """Bayesian blocks."""

    false_alarm_rate: Probability
    """Of seeing a change in a constant rate."""
    most_cells: int = Field(ge=1)


class DecayGrid(Constants):
    """The indices for which the likelihood of a decay is evaluated."""

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
    """Random draws that its errors come from."""


class SpectrumRules(Constants):
    """The fit of the spectrum."""

    flux_band_kev: BandKev
    bin_ranges_kev: GridKev
    bin_widths_kev: tuple[Positive, ...]
    """Width of the fit's bins in each range."""
    background_prior_photons: Positive
    """Weight of equal parts of the background's components."""
    background_photons_per_piece: int = Field(ge=1)
    """In each piece the level of the background is free."""
    most_background_pieces: int = Field(ge=1)
    least_photons: Photons
    """Fewer source photons are not fitted."""
    trusted_photons: Photons
    photon_index_limits: Annotated[tuple[PhotonIndex, PhotonIndex], RISING]
    photon_index_prior: tuple[PhotonIndex, Positive]
    """Mean and standard deviation of a normal distribution."""
    grid_points: int = Field(ge=9, le=201)
    """Of each axis."""
    worst_fit_sigma: Positive
    photons_per_bin: int = Field(ge=1)
    """Of the plot."""
    most_bins: int = Field(ge=1)

    @model_validator(mode="after")
    def _has_a_width_for_each_range(self) -> SpectrumRules:
        if len(self.bin_widths_kev) != len(self.bin_ranges_kev) - 1:
            raise ValueError("bin_widths_kev: expected one number for each range of bin_ranges_kev")
        return self


class ColumnPriorRules(Constants):
    """What is known of the absorbing column beforehand, see `mxtvhf.analysis.column_prior`."""

    galactic_part: Fraction
    host_part: Fraction
    galactic_sigma_dex: Positive
    host_scale_cm2: ColumnCm2
    scale_cm2: ColumnCm2
    highest_cm2: ColumnCm2
    undetermined_width: Positive
    """Half the width of the 68 % interval, in the logarithm of column + scale, without the Galactic value:
    wider ones are not determined by the photons."""

    @model_validator(mode="after")
    def _leaves_a_part(self) -> ColumnPriorRules:
        if self.galactic_part + self.host_part >= 1.0:
            raise ValueError("galactic_part and host_part leave nothing for any other column")
        return self


class AnalysisConstants(Constants):
    """``analysis.toml``."""

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
    """Return how the analysis is made; see the file for meaning and sources."""
    return read_toml(Path(__file__).with_name("analysis.toml"), AnalysisConstants)
