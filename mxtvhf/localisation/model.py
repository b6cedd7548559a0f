"""What the photons say about where the source is."""

from __future__ import annotations

from enum import StrEnum

from pydantic import AwareDatetime, Field

from mxtvhf.instrument.pixels import RawBlock, RawLine, RawPixel
from mxtvhf.localisation.detector_faults import DetectorFaults
from mxtvhf.models.base import Model
from mxtvhf.models.position import Position
from mxtvhf.models.product import Product


class CredibleRegion(Model):
    """The smallest region of the sky that holds a part of the posterior, systematic error included."""

    part: float
    """Of the probability, e.g. 0.9."""
    area_arcmin2: float
    outlines: tuple[tuple[tuple[float, float], ...], ...]
    """Closed lines around its pieces (and around holes in them): right ascension and declination, degrees."""


class LocalisedSource(Model):
    """One of the sources that the photons show; all were fitted together."""

    name: str
    """``S1`` is the one with the highest ts."""
    position: Position
    r50_arcsec: float
    """Radius that holds 50 % of the posterior (statistical only), arcsec."""
    detector_x: float
    """Continuous 0-based pixel column, drift-corrected."""
    detector_y: float
    ts: float
    """2 (ln L_with - ln L_without), everything else fitted both times."""
    places_ts: float
    """The same of the photons' places alone."""
    n_source: float
    """Its photons."""
    photon_index: float
    """Mean over the kinds of sources that the localisation expects, with their probabilities: a class, no
    fit."""
    nh_cm2: float
    """Geometric mean of the hydrogen column, the same way, 1/cm2."""
    decay_index: float | None = None
    """Mean of the decay index since T0, the same way; None where T0 is not known."""
    fading: float | None = None
    """Probability that it fades at all."""
    known_as: str | None = None
    """Name of the bright catalogued source that is at this place."""
    in_eclairs: bool | None = None
    """Whether it lies in ECLAIRs' circle; None where that is not known."""
    extent_arcmin: float | None = None
    """Standard deviation per axis of its brightness, a Gaussian seen through the optics, where it is wider
    than a point source: it is extended, or several sources that cannot be told apart. None: a point source
    as far as the photons tell."""
    confused_with: tuple[str, ...] = ()
    """Sources nearer than the width of the PSF's core: their photons cannot be told apart one by one, so that
    place and strength of each depend on the others'."""


class OnboardVerdict(StrEnum):
    """What the photons say of a position measured on board."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    UNDECIDABLE = "undecidable"


class OnboardJudgement(Model):
    """A position measured on board, judged by the photons."""

    position: Position
    known_source: bool = False
    """True when the on-board software took it for a source of its catalogue."""
    separation_arcsec: float | None = None
    """From our position; None where there is none."""
    ts_drop: float | None = None
    """T: twice the loss in ln L from the best position to this one; None without a source."""
    p_value: float | None = Field(default=None, ge=0.0, le=1.0)
    """Probability of a T at least this large, were the on-board position right."""
    verdict: OnboardVerdict
    explanation: str
    """One sentence with the numbers."""
    time: AwareDatetime | None = None
    """When the on-board software sent it, UTC; of a notice when it was published."""


class FluxLimit(Model):
    """The upper limit as a flux of sources of one spectrum, an absorbed power law.

    It holds at the least favourable place: a corner of the detector, or of ECLAIRs' 90 % circle, where that
    was asked, the place that the detector gets the least of.
    """

    photon_index: float
    nh_1e22_cm2: float
    """Column of absorbing hydrogen, 1e22/cm2."""
    flux: float
    """Mean flux, 0.3-10 keV, absorbed, erg/cm2/s."""


class Localisation(Model):
    """What the photons say about where the source is."""

    detected: bool
    """False: no significant source; ``position`` is then None and ``reason`` says why."""
    position: Position | None
    r50_arcsec: float | None
    """Radius that holds 50 % of the posterior (statistical only), arcsec."""
    detector_x: float | None
    """Continuous 0-based pixel column of the source, drift-corrected."""
    detector_y: float | None
    ts: float
    """Test statistic, 2 (ln L_source - ln L_background)."""
    places_ts: float | None = None
    """The same of the photons' places, with their energies and times taken as given; None in reports older
    than this field."""
    n_photons: int
    exposure_s: float | None = None
    """Sum of the good times of the photons, seconds."""
    observed: tuple[AwareDatetime, AwareDatetime] | None = None
    """Start of the first and end of the last good time interval, UTC; None without good time, and in reports
    older than this field."""
    data_stream: str | None = None
    """``VHF`` or ``XBand``: how the photons came to the ground."""
    n_source: float
    n_background: float
    hot_pixels: tuple[RawPixel, ...] = ()
    """(column, row), raw addresses, of pixels left out because no source can be so narrow."""
    noisy_lines: tuple[RawLine, ...] = ()
    """Rows and columns of the detector left out for the same reason, each with its number."""
    dead_lines: tuple[RawLine, ...] = ()
    """Rows and columns left out because they count too few photons: dead, and listed nowhere."""
    dead_blocks: tuple[RawBlock, ...] = ()
    """Squares left out for the same reason: lowest column and row, side in pixels."""
    n_left_out: int | None = None
    """Photons of the hot pixels and noisy lines; None in reports older than this field."""
    reason: str | None = None
    uses: tuple[str, ...] = ()
    """What it is made of beside the photons' places: ``energy``, ``time``, ``T0`` (the decay since then),
    ``background`` (its spectrum, known from past runs) and ``ECLAIRs`` (its circle, which is asked only where
    the photons alone show no source in it)."""
    not_used: tuple[str, ...] = ()
    """``energy`` and ``time`` where those of the photons are unlike any mixture of what is known of the
    background and of sources, so that they tell nothing; ``background`` where the photons are unlike the
    spectrum that past runs tell, which then did not count."""
    core_fwhm_arcmin: float | None = None
    """Width of the PSF's core by the fit, arcmin."""
    upper_limit_photons: float | None = None
    """90 % upper limit of the expected source photons where no source was found; None where any number
    could be hidden, because hardly a pixel is good."""
    upper_limit_flux: float | None = None
    """The same as a mean flux (0.3-10 keV, absorbed), erg/cm2/s: sources of nine tenths of the expected kinds
    would have been found with 90 % wherever they are; only the hardest ones may hide, see
    ``upper_limit_fluxes``."""
    upper_limit_fluxes: tuple[FluxLimit, ...] = ()
    """For each spectrum on its own, the typical one first; empty in reports older than this field."""
    sources: tuple[LocalisedSource, ...] = ()
    """All significant sources of the field by falling ts; empty in reports older than this field.
    ``position`` and the numbers about it are those of one of them."""
    chosen: str | None = None
    """Name of the source that is taken as the burst."""
    choice: str | None = None
    """Why it is, where there are several; one sentence."""
    regions: tuple[CredibleRegion, ...] = ()
    """With 50 and 90 % of the posterior; empty without a source."""
    onboard: tuple[OnboardJudgement, ...] = ()
    """The positions measured on board, judged by the photons: those of the notices, in order of publication,
    then the sources of the last position packet."""
    products: dict[str, Product] = Field(default={})
    """The files with the posterior on the sky: name -> file."""
    calibration: dict[str, str] = Field(default={})
    """Calibration item -> version used."""

    @property
    def faults(self) -> DetectorFaults:
        """The faults of the detector that the photons showed; their pixels were left out."""
        return DetectorFaults(
            hot_pixels=self.hot_pixels,
            noisy_lines=self.noisy_lines,
            dead_lines=self.dead_lines,
            dead_blocks=self.dead_blocks,
            n_photons=self.n_left_out,
        )
