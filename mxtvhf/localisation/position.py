"""Where the source is, from the photons of one image: position, error radius, significance."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from mxtvhf.errors import InvalidInput
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.instrument.constants import pixel_scale_arcsec
from mxtvhf.instrument.pixels import RawLine, RawPixel
from mxtvhf.instrument.psf import LobsterEyePsf, SeparablePsf, detector_pixels
from mxtvhf.localisation.background import BackgroundDensities
from mxtvhf.localisation.constants import detection_constants
from mxtvhf.localisation.counts import Counts
from mxtvhf.localisation.detector_faults import DetectorFaults, find_detector_faults
from mxtvhf.localisation.likelihood import SourceFit, log_prior_of_cells, whole_field
from mxtvhf.localisation.posterior import PositionPosterior, position_posterior
from mxtvhf.localisation.prior import PositionPrior
from mxtvhf.localisation.scene import Scene
from mxtvhf.localisation.shape import ShapeFit, with_free_shape
from mxtvhf.localisation.sources import FoundSource, find_sources, needed_places_ts, needed_ts, usual_ts
from mxtvhf.localisation.upper_limit import detectable_photons, empty_upper_limit, source_upper_bound
from mxtvhf.models.arrays import Floats

Pixels = npt.NDArray[np.intp]

_FEWEST_FOR_SHAPE = 40.0
"""Photons of a source below which the error of the PSF's shape is lost in that of the place."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the photons say about a source, of which all results are made."""

    counts: Counts
    """With their weights over everything but this source."""
    psf: SeparablePsf
    fit: SourceFit
    prior: PositionPrior | None

    @cached_property
    def field(self) -> tuple[Floats, Floats]:
        """Ln L and f of ``likelihood.whole_field``."""
        return whole_field(self.counts, self.psf)


@dataclass(frozen=True, repr=False)
class SourceLocalisation:
    """The best position of a source, whether or not there is one.

    The posterior, the radii and the upper limit are worked out when they are first asked for.

    Attributes
    ----------
    x, y
        Maximum-likelihood position, continuous 0-based pixels (pixel i covers i - 0.5 .. i + 0.5); with a
        prior that of the highest posterior. NaN when there is no photon on good pixels.
    ts
        2 (ln L_with - ln L_without) at the maximum, the background and the other sources fitted both times;
        with several kinds of sources L_with is the mean of theirs, so that it grows by chance no more than
        that of one kind.
    places_ts
        The same of the photons' places, with their energies and times taken as given.
    n_source, n_background
        Photons on good pixels that came from the source and from everything else, by the fit; their sum is
        the number of photons used.
    detected
        Whether ``ts`` and ``places_ts`` (with a prior: with twice the logarithm of the prior there over a
        flat one) and ``n_source`` reach the thresholds of ``detection.toml``.
    faults
        Hot pixels, noisy and dead lines and blocks that were left out.
    shape
        Of the PSF, fitted together with the place, and what it adds to the error; None where the photons are
        too few or the PSF has no such parameters.
    others
        The other sources of the field, by falling ts; all were fitted together.
    evidence
        None when there is no photon on good pixels.
    """

    x: float
    y: float
    ts: float
    n_source: float
    n_background: float
    detected: bool
    faults: DetectorFaults = field(default_factory=DetectorFaults)
    places_ts: float = 0.0
    shape: ShapeFit | None = None
    others: tuple[SourceLocalisation, ...] = ()
    evidence: Evidence | None = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        """Say in one line what was found."""
        found = "source" if self.detected else "no source"
        return (
            f"<SourceLocalisation: {found} at pixel ({self.x:.2f}, {self.y:.2f}), TS {self.ts:.1f}, "
            f"{self.n_source:.1f} source photons>"
        )

    @property
    def hot_pixels(self) -> tuple[RawPixel, ...]:
        """(column, row) of the pixels whose photons were left out because no source can be so narrow."""
        return self.faults.hot_pixels

    @property
    def noisy_lines(self) -> tuple[RawLine, ...]:
        """Rows and columns left out for the same reason."""
        return self.faults.noisy_lines

    @property
    def with_prior(self) -> bool:
        """Whether the position is also by a prior."""
        return self.evidence is not None and self.evidence.prior is not None

    @property
    def with_known_background(self) -> bool:
        """Whether the background's spectrum was taken as known from past runs."""
        return self.evidence is not None and self.evidence.counts.known is not None

    @cached_property
    def posterior(self) -> PositionPosterior | None:
        """Of the position over the whole detector; None when there is no photon on good pixels."""
        if self.evidence is None:
            return None
        this = self.evidence
        posterior = position_posterior(this.counts, this.psf, this.fit, this.field, this.prior)
        if self.shape is None:
            return posterior
        return replace(posterior, peak=(self.x, self.y)).smoothed(self.shape.extra_sigma)

    @cached_property
    def _radii(self) -> Floats:
        if self.posterior is None:
            return np.array([np.nan, np.nan])
        return pixel_scale_arcsec() * self.posterior.radii((0.5, 0.9))

    @property
    def r50(self) -> float:
        """Radius (arcsec) of the circle about the position that holds 50 % of the posterior.

        Statistical, with the error of the PSF's shape where that was fitted; given that there is a source on
        the detector. NaN without photons.
        """
        return float(self._radii[0])

    @property
    def r90(self) -> float:
        """Radius (arcsec) of the circle that holds 90 %, as ``r50``."""
        return float(self._radii[1])

    @cached_property
    def upper_limit(self) -> float:
        """90 % upper limit of the source's expected photons on good pixels.

        A source with more would have been detected with a probability of at least 90 %, and the photons say
        with 90 % that there is none: the larger of both numbers of ``upperlimit``. The first is for the
        middle of the detector, the second wherever the source is; with a prior, where that puts it. Infinite
        where the good pixels are too few to tell any source from background.
        """
        if self.evidence is None:
            return empty_upper_limit()
        this = self.evidence
        weight = np.ones(this.field[0].shape[1:])
        if this.prior is not None:
            weight = np.exp(log_prior_of_cells(this.prior))
        bound = source_upper_bound(this.field, weight, this.counts.total)
        # A Gaussian falls by 1 in its logarithm, on the average over itself.
        gain = 0.0 if this.prior is None else float(this.prior.log_ratio(this.prior.x, this.prior.y)) - 1.0
        # A known background makes no limit lower: a source must beat one whose spectrum is free, too.
        detectable = detectable_photons(
            this.counts, this.psf, usual_ts(this.counts) - 2.0 * gain, least_photons()
        )
        return max(bound, detectable)


@cache
def default_psf() -> LobsterEyePsf:
    """Return the instrument's PSF, one object for all calls (what is derived from it is kept)."""
    return LobsterEyePsf.of(default_calibration().psf)


def localise(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    psf: SeparablePsf | None = None,
    bad_pixels: npt.ArrayLike | None = None,
    exposure: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    shares: npt.ArrayLike | None = None,
    background: BackgroundDensities | None = None,
    prior: PositionPrior | None = None,
    known: Sequence[tuple[float, float]] = (),
    circle: PositionPrior | None = None,
    contrast: npt.ArrayLike | None = None,
    find_hot_pixels: bool = True,
) -> SourceLocalisation:
    """Find the point sources among the photons of an image.

    Maximum likelihood of sources with the given PSF on a background whose strength, shape over the detector
    and spectrum are free, with bad pixels and the detector's edges in the model; then the posterior over the
    whole field (see the modules ``likelihood``, ``scene``, ``sources`` and ``posterior``). Once there is a
    source, the width of the PSF's core is fitted, too, as far as it is not known. Time and memory do not grow
    with the number of photons beyond the first binning.

    Parameters
    ----------
    x, y
        Column and row of each photon, whole numbers 0..255.
    psf
        By default the instrument's. One with ``width_sigma`` (``psf.VariableWidthPsf``) has its width fitted.
    bad_pixels
        Pixels to leave out: a mask of shape (256, 256), ``[row, column]``, True where bad; or a list of
        (column, row).
    exposure
        Exposure map: fraction of the exposure time during which each pixel was exposed, 0..1, shape
        (256, 256), ``[row, column]``; None: 1 for all. A pixel that was never exposed is bad.
    weights
        Of each photon: the likelihood ratio of its energy and time, the source's density over a flat one, as
        `mxtvhf.localisation.photon_weights` gives it; positive, shape as x, or (kinds, photons) when the
        source may be of several kinds. None: 1 for all.
    shares
        Probability of each kind beforehand, shape (kinds,); None: all are equally probable.
    background
        Densities of the components of the background at the photons (module ``background``). None: energies
        and times count only as far as the places of the photons agree with them, so that a background that is
        not flat in them makes no source.
    prior
        What is known of the position beforehand; None: nothing. It moves the position, shrinks the radii and
        counts for the detection.
    known
        Places (x, y) of sources that may be seen, such as bright ones of a catalogue: they are in the model
        before the search.
    circle
        What is known of the position of one of the sources, such as by ECLAIRs: used as the prior of one more
        source where none of those that are found without it lies there. None: nothing.
    contrast
        Former name of ``weights``, deprecated since version 0.2.
    find_hot_pixels
        Look for faults of the detector: hot pixels, noisy and dead lines and blocks. False where they were
        left out already, at the detector's own addresses: in drift-corrected ones a hot pixel is a line.

    Raises
    ------
    InvalidInput
        No photons, lists of unequal length, an address that is not a whole number of 0..255, a weight or a
        share that is not positive, a component that is negative or nothing at a photon, an
        exposure or a vignetting that is not a part, or bad pixels that are neither a mask nor a list or leave
        no good pixel.
    """
    if contrast is not None:
        warnings.warn("localise: contrast was renamed weights in 0.2", DeprecationWarning, stacklevel=2)
        weights = contrast
    image = detector_image(x, y)
    exposed = _exposures(exposure)
    good = ~bad_pixel_mask(bad_pixels) & (exposed > 0.0)
    if not good.any():
        raise InvalidInput("bad pixels: none of the detector's pixels is good")
    faults = find_detector_faults(x, y, good) if find_hot_pixels else DetectorFaults()
    exposed = np.where(good & ~faults.mask(), exposed, 0.0)
    if weights is None:
        counts = Counts.from_image(image, exposed)
    else:
        column, row = np.asarray(x, dtype=np.intp), np.asarray(y, dtype=np.intp)
        given = _checked_weights(weights, column.size)
        groups, vignetting = _checked_groups(background)
        counts = Counts.from_photons(
            column, row, given, exposed,
            shares=_checked_shares(shares, given),
            spectra=None if background is None else _checked_components(background.spectra, column.size),
            groups=groups,
            courses=None if background is None else _checked_components(background.courses, column.size),
            vignetting=vignetting,
            known=_checked_known(background),
        )  # fmt: skip
    psf = default_psf() if psf is None else psf
    found = _found(counts, psf, prior, known, circle) if counts.total else _NOTHING
    return replace(found, faults=faults)


_NOTHING = SourceLocalisation(
    x=float("nan"), y=float("nan"), ts=0.0, n_source=0.0, n_background=0.0, detected=False
)


def _found(
    counts: Counts,
    psf: SeparablePsf,
    prior: PositionPrior | None,
    known: Sequence[tuple[float, float]],
    circle: PositionPrior | None,
) -> SourceLocalisation:
    sources, empty = find_sources(counts, psf, prior, known, circle)
    first, *others = (_localised(source, empty, psf) for source in sources)
    return replace(first, others=tuple(others))


def _localised(source: FoundSource, empty: Scene, psf: SeparablePsf) -> SourceLocalisation:
    detected, counts, fit = source.detected, source.counts, source.fit
    if not detected:
        # What may be hidden is asked of the background alone, the source of any kind.
        counts = empty.photons_to_explain
    shape = _shape(source, psf) if detected and source.prior is None else None
    part = fit.source_part if shape is None else shape.source_part
    return SourceLocalisation(
        x=fit.x if shape is None else shape.x,
        y=fit.y if shape is None else shape.y,
        ts=source.ts,
        n_source=part * counts.total,
        n_background=(1.0 - part) * counts.total,
        detected=detected,
        places_ts=source.places_ts,
        shape=shape,
        evidence=Evidence(counts, source.psf, source.fit, source.prior),
    )


def _shape(source: FoundSource, psf: SeparablePsf) -> ShapeFit | None:
    """Fit the shape of the PSF where it is not known exactly, of a source of enough photons."""
    used = source.psf
    if not (isinstance(psf, LobsterEyePsf) and isinstance(used, LobsterEyePsf)):
        return None
    if source.photons < _FEWEST_FOR_SHAPE or not psf.shape_sigma.any():
        return None
    stretch = float(np.log(used.core_fwhm_arcmin / psf.core_fwhm_arcmin))
    return with_free_shape(source.counts, psf, source.fit, stretch)


def ts_threshold() -> float:
    """Least ``ts`` of a detection; its false-alarm rate stands in ``detection.toml``."""
    return detection_constants().source.ts_threshold


def needed_ts_of(found: SourceLocalisation) -> tuple[float, float]:
    """Return the ts, and that of the places, that a detection among the photons of a result must have."""
    if found.evidence is None:
        limits = detection_constants().source
        return limits.ts_threshold, limits.places_ts_threshold
    return needed_ts(found.evidence.counts), needed_places_ts(found.evidence.counts)


def least_photons() -> float:
    """Least ``n_source`` of a detection, from the same file."""
    return detection_constants().source.least_photons


def detector_image(x: npt.ArrayLike, y: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Count the photons per pixel, shape (256, 256), ``[row, column]``; errors as of ``localise``."""
    column, row = _addresses("x", x), _addresses("y", y)
    if column.size != row.size:
        raise InvalidInput(f"photons: {column.size} x but {row.size} y addresses")
    if column.size == 0:
        raise InvalidInput("photons: the list is empty")
    size = detector_pixels()
    return np.bincount(row * size + column, minlength=size * size).reshape(size, size)


def bad_pixel_mask(bad_pixels: npt.ArrayLike | None) -> npt.NDArray[np.bool_]:
    """Return the mask of bad pixels, ``[row, column]``, from a mask or a list of (column, row)."""
    size = detector_pixels()
    if bad_pixels is None:
        return np.zeros((size, size), dtype=np.bool_)
    given = np.asarray(bad_pixels)
    if given.dtype == np.bool_:
        if given.shape != (size, size):
            raise InvalidInput(f"bad pixels: mask of shape {given.shape}, expected {(size, size)}")
        return given
    mask = np.zeros((size, size), dtype=np.bool_)
    if given.size == 0:
        return mask
    if given.ndim != 2 or given.shape[1] != 2:
        raise InvalidInput(f"bad pixels: list of shape {given.shape}, expected pairs (column, row)")
    mask[_addresses("bad pixel row", given[:, 1]), _addresses("bad pixel column", given[:, 0])] = True
    return mask


def _exposures(given: npt.ArrayLike | None) -> Floats:
    shape = (detector_pixels(), detector_pixels())
    if given is None:
        return np.ones(shape)
    exposure = np.asarray(given, dtype=np.float64)
    if exposure.shape != shape:
        raise InvalidInput(f"exposure: shape {exposure.shape}, expected {shape}")
    wrong = ~((exposure >= 0.0) & (exposure <= 1.0))
    if wrong.any():
        raise InvalidInput(f"exposure: {exposure[wrong][0]} is not a part of the time, 0..1")
    return exposure


def _checked_weights(values: npt.ArrayLike, photons: int) -> Floats:
    given = np.asarray(values, dtype=np.float64)
    if given.ndim not in (1, 2) or given.shape[-1] != photons or given.size == 0:
        raise InvalidInput(f"weights: shape {given.shape} for {photons} photons")
    wrong = ~((given > 0.0) & np.isfinite(given))
    if wrong.any():
        raise InvalidInput(f"weights: {given[wrong][0]} is not a positive number")
    return given


def _checked_shares(values: npt.ArrayLike | None, weights: Floats) -> Floats | None:
    if values is None:
        return None
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1 or weights.ndim != 2 or given.size != len(weights):
        raise InvalidInput(f"shares: shape {given.shape} for weights of shape {weights.shape}")
    wrong = ~((given > 0.0) & np.isfinite(given))
    if wrong.any():
        raise InvalidInput(f"shares: {given[wrong][0]} is not a positive number")
    return np.asarray(given / given.sum())


def _checked_groups(background: BackgroundDensities | None) -> tuple[Pixels | None, tuple[float, ...]]:
    """Return the group of each component and the vignetting of each group."""
    if background is None or background.groups is None or not len(background.spectra):
        return None, (0.0,)
    given = np.asarray(background.groups)
    if given.shape != (len(background.spectra),) or given.dtype.kind not in "iu" or (given < 0).any():
        raise InvalidInput(
            f"background: groups {given.tolist()} are not a number from 0 on for each of the "
            f"{len(background.spectra)} components"
        )
    # Without gaps in the numbers: a group without components has no shape.
    present, groups = np.unique(given, return_inverse=True)
    vignetting = np.zeros(present[-1] + 1) if background.vignetting is None else background.vignetting
    if len(vignetting) <= present[-1] or not all(0.0 <= part <= 1.0 for part in vignetting):
        raise InvalidInput(
            f"background: vignetting {list(vignetting)} is not a number 0..1 for each of {present[-1] + 1} "
            "groups"
        )
    return groups, tuple(float(vignetting[group]) for group in present)


def _checked_known(background: BackgroundDensities | None) -> Floats | None:
    if background is None or background.known is None:
        return None
    given = np.asarray(background.known, dtype=np.float64)
    if given.shape != (len(background.spectra),):
        raise InvalidInput(
            f"background: known has the shape {given.shape}, expected a number of photons for each of the "
            f"{len(background.spectra)} components"
        )
    wrong = ~((given >= 0.0) & np.isfinite(given))
    if wrong.any():
        raise InvalidInput(f"background: known {given[wrong][0]} is not a number of photons")
    return given


def _checked_components(values: npt.ArrayLike | None, photons: int) -> Floats | None:
    if values is None:
        return None
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 2 or given.shape[-1] != photons:
        raise InvalidInput(f"background: shape {given.shape} for {photons} photons")
    if not len(given):
        return None
    wrong = ~((given >= 0.0) & np.isfinite(given))
    if wrong.any():
        raise InvalidInput(f"background: {given[wrong][0]} is not a density")
    if not (given.max(axis=0) > 0.0).all():
        raise InvalidInput("background: a photon has the density 0 in all components")
    return given


def _addresses(name: str, values: npt.ArrayLike) -> Pixels:
    """Whole numbers 0..255, or an error that names the first value that is none."""
    given = np.asarray(values)
    if given.ndim != 1:
        raise InvalidInput(f"{name}: addresses must be a flat list, not of shape {given.shape}")
    if given.size and given.dtype.kind not in "iuf":
        raise InvalidInput(f"{name}: addresses must be numbers, not {given.dtype}")
    last = detector_pixels() - 1
    with np.errstate(invalid="ignore"):
        wrong = ~((given >= 0) & (given <= last) & (given == np.floor(given)))
    if wrong.any():
        raise InvalidInput(f"{name}: address {given[wrong][0]} is not a whole number of 0..{last}")
    return given.astype(np.intp)
