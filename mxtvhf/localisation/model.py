"""Result of the localisation, as kept in the report."""

from __future__ import annotations

from enum import StrEnum

from pydantic import AwareDatetime, Field

from mxtvhf.instrument.pixels import (
    RawBlock,
    RawLine,
    RawMask,
    RawPixel,
    blocks_mask,
    blocks_text,
    line_mask,
    lines_text,
    pixel_mask,
)
from mxtvhf.models.base import Model
from mxtvhf.models.position import Position
from mxtvhf.models.product import Product

_MOST_NAMED = 5
"""Number of hot pixels that a text lists."""


class CredibleRegion(Model):
    """Smallest region of the sky with a given fraction of the posterior, including the systematic error."""

    part: float
    """Fraction of the probability, e.g. 0.9."""
    area_arcmin2: float
    outlines: tuple[tuple[tuple[float, float], ...], ...]
    """Closed lines around its parts, and around holes in them: right ascension and declination, ICRS
    degrees."""


class LocalisedSource(Model):
    """One of the sources found in the photons; all sources were fitted together."""

    name: str
    """``S1`` has the highest TS."""
    position: Position
    r50_arcsec: float
    """Radius that holds 50 % of the posterior (statistical only), arcsec."""
    detector_x: float
    """Continuous 0-based pixel column, drift-corrected."""
    detector_y: float
    """Continuous 0-based pixel row, drift-corrected."""
    ts: float
    """2 (ln L_with - ln L_without), all other components fitted in both cases."""
    places_ts: float
    """The same for the likelihood of the positions only."""
    n_source: float
    """Number of its photons."""
    photon_index: float
    """Mean over the source templates of the localisation, weighted with their probabilities; not a fit."""
    nh_cm2: float
    """Geometric mean of the hydrogen column, weighted in the same way, 1/cm2."""
    decay_index: float | None = None
    """Mean decay index since T0, weighted in the same way; None if T0 is unknown."""
    fading: float | None = None
    """Probability that the source fades; None if T0 is unknown."""
    known_as: str | None = None
    """Name of the bright catalogued source at this position; None if there is none."""
    in_eclairs: bool | None = None
    """True if the source lies within the ECLAIRs error radius; None if no such position is known."""
    eclairs_sigmas: float | None = None
    """Separation from the ECLAIRs position in units of the combined standard error per axis; None if no such
    position is known, and in reports older than this field."""
    extent_arcmin: float | None = None
    """Standard deviation per axis of its Gaussian brightness, before the PSF, if the source is wider than a
    point source: it is extended, or consists of unresolved sources. None for a point source."""
    confused_with: tuple[str, ...] = ()
    """Sources within the core width of the PSF: position and strength of each depend on the others."""


class OnboardVerdict(StrEnum):
    """Verdict of the photons on an on-board position."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    UNDECIDABLE = "undecidable"


class OnboardJudgement(Model):
    """Comparison of an on-board position with the photons."""

    position: Position
    known_source: bool = False
    """True if the on-board software identified it with a source of its catalogue."""
    other_source: str | None = None
    """Name of the source to which it belongs, if that is not the burst. The values below then refer to that
    source."""
    separation_arcsec: float | None = None
    """Separation from our position; None without one."""
    ts_drop: float | None = None
    """T: twice the loss in ln L from the best position to this one; None without a source."""
    p_value: float | None = Field(default=None, ge=0.0, le=1.0)
    """Probability of a T at least this large if the on-board position is right; None without a source."""
    verdict: OnboardVerdict
    explanation: str
    """One sentence with the numbers."""
    time: AwareDatetime | None = None
    """Time of transmission of a packet, or of publication of a notice, UTC; None if unknown."""


class FluxLimit(Model):
    """Upper limit as a flux for one spectrum, an absorbed power law.

    It holds at the least favourable position: a corner of the detector, or the position within the ECLAIRs 90
    % radius (if that was used) from which the detector receives the smallest fraction.
    """

    photon_index: float
    nh_1e22_cm2: float
    """Hydrogen column, 1e22/cm2."""
    flux: float
    """Mean absorbed flux, 0.3-10 keV, erg/cm2/s."""


class DetectorFaults(Model):
    """Pixels to exclude in addition to the bad pixels of the calibration, in raw coordinates."""

    hot_pixels: tuple[RawPixel, ...] = ()
    """Single pixels or clusters with too many photons, in total or within a short time, for any source."""
    noisy_lines: tuple[RawLine, ...] = ()
    """Rows and columns with too many photons, in total or within a short time."""
    dead_lines: tuple[RawLine, ...] = ()
    """Rows and columns with too few photons."""
    dead_blocks: tuple[RawBlock, ...] = ()
    """Squares with too few photons."""
    dead_pixels: tuple[RawPixel, ...] = ()
    """Pixels with too few photons; searched only in the noise map of many runs."""
    n_photons: int | None = None
    """Photons of hot pixels and noisy lines, which were excluded; None in records older than this field."""

    def mask(self) -> RawMask:
        """Return the mask of the detector, ``[row, column]``, True where a pixel is excluded."""
        lines = line_mask((*self.noisy_lines, *self.dead_lines))
        pixels = pixel_mask((*self.hot_pixels, *self.dead_pixels))
        return RawMask(lines | pixels | blocks_mask(self.dead_blocks))

    def text(self) -> str:
        """Return the list of faults as text that starts with a semicolon; empty without faults."""
        found = []
        if self.hot_pixels:
            listed = ", ".join(f"({column}, {row})" for column, row in self.hot_pixels[:_MOST_NAMED])
            plural = "s" if len(self.hot_pixels) > 1 else ""
            found.append(f"excluded {len(self.hot_pixels)} hot pixel{plural} (column, row): {listed}")
        if self.noisy_lines:
            found.append(f"excluded noisy {lines_text(self.noisy_lines)}")
        if self.dead_lines:
            found.append(f"excluded dead {lines_text(self.dead_lines)}")
        if self.dead_blocks:
            found.append(f"excluded dead {blocks_text(self.dead_blocks)}")
        if self.dead_pixels:
            found.append(f"excluded {len(self.dead_pixels)} dead pixels")
        if self.n_photons:
            found.append(f"excluded {self.n_photons} photons of detector noise")
        return "".join(f"; {one}" for one in found)


class Localisation(Model):
    """Result of the localisation from the photons."""

    detected: bool
    """False: no significant source; ``position`` is then None and ``reason`` says why."""
    position: Position | None
    r50_arcsec: float | None
    """Radius that holds 50 % of the posterior (statistical only), arcsec; None without a source."""
    detector_x: float | None
    """Continuous 0-based pixel column of the source, drift-corrected; None without a source."""
    detector_y: float | None
    """Continuous 0-based pixel row of the source, drift-corrected; None without a source."""
    ts: float
    """Test statistic, 2 (ln L_source - ln L_background)."""
    places_ts: float | None = None
    """The same for the likelihood of the positions given energies and times; None in reports older than this
    field."""
    n_photons: int
    exposure_s: float | None = None
    """Total length of the GTIs, seconds."""
    observed: tuple[AwareDatetime, AwareDatetime] | None = None
    """Start of the first and end of the last GTI, UTC; None without GTIs, and in reports older than this
    field."""
    data_stream: str | None = None
    """``VHF`` or ``XBand``: the link over which the photons arrived."""
    n_source: float
    """Photons on good pixels from the source."""
    n_background: float
    """Photons on good pixels from the background."""
    hot_pixels: tuple[RawPixel, ...] = ()
    """(column, row), raw coordinates, of excluded pixels with more photons than any source gives."""
    noisy_lines: tuple[RawLine, ...] = ()
    """Rows and columns of the detector that were excluded for the same reason."""
    dead_lines: tuple[RawLine, ...] = ()
    """Rows and columns that were excluded because they count too few photons and are not in the
    calibration."""
    dead_blocks: tuple[RawBlock, ...] = ()
    """Squares that were excluded for the same reason: lowest column and row, side in pixels."""
    n_left_out: int | None = None
    """Photons of the hot pixels and noisy lines; None in reports older than this field."""
    reason: str | None = None
    """Why there is no position; None with a position."""
    uses: tuple[str, ...] = ()
    """Information used beside the positions of the photons: ``energy``, ``time``, ``T0`` (decay since then),
    ``background`` (spectrum known from past runs) and ``ECLAIRs`` (error radius, used only if the photons
    alone show no source in it)."""
    not_used: tuple[str, ...] = ()
    """``energy`` and ``time`` if those of the photons agree with no mixture of known background and source
    components, so that they carry no information; ``background`` if the photons disagree with the spectrum
    from past runs, which was then ignored."""
    core_fwhm_arcmin: float | None = None
    """Fitted width (FWHM) of the PSF core, arcmin."""
    upper_limit_photons: float | None = None
    """90 % upper limit of the expected source photons if no source was found; None if the limit is infinite
    because too few pixels are good."""
    upper_limit_flux: float | None = None
    """The same as a mean absorbed flux (0.3-10 keV), erg/cm2/s: nine tenths of the expected sources with this
    flux would be found with 90 % at any position; harder ones may escape, see ``upper_limit_fluxes``."""
    upper_limit_fluxes: tuple[FluxLimit, ...] = ()
    """Limit for each spectrum, the typical one first; empty in reports older than this field."""
    sources: tuple[LocalisedSource, ...] = ()
    """All significant sources of the field by decreasing TS; empty in reports older than this field.
    ``position`` and its numbers are those of one of them."""
    chosen: str | None = None
    """Name of the source that is taken as the burst."""
    choice: str | None = None
    """Reason for the choice among several sources, one sentence; None for a single source."""
    regions: tuple[CredibleRegion, ...] = ()
    """Regions with 50 and 90 % of the posterior; empty without a source."""
    onboard: tuple[OnboardJudgement, ...] = ()
    """On-board positions compared with the photons: those of notices in order of publication, then the
    sources of the last position packet."""
    products: dict[str, Product] = Field(default={})
    """Files of the posterior on the sky: name -> file."""
    calibration: dict[str, str] = Field(default={})
    """Calibration item -> version used."""

    @property
    def faults(self) -> DetectorFaults:
        """Return the detector faults found in the photons; their pixels were excluded."""
        return DetectorFaults(
            hot_pixels=self.hot_pixels,
            noisy_lines=self.noisy_lines,
            dead_lines=self.dead_lines,
            dead_blocks=self.dead_blocks,
            n_photons=self.n_left_out,
        )
