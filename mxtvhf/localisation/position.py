"""Position, error radius and significance of the sources in the photons of an image."""

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
from mxtvhf.localisation.detector_faults import find_detector_faults
from mxtvhf.localisation.likelihood import SourceFit, log_prior_of_cells, whole_field
from mxtvhf.localisation.model import DetectorFaults
from mxtvhf.localisation.posterior import PositionPosterior, position_posterior
from mxtvhf.localisation.prior import PositionPrior
from mxtvhf.localisation.scene import Scene
from mxtvhf.localisation.shape import ShapeFit, with_free_shape
from mxtvhf.localisation.sources import FoundSource, find_sources, needed_ts, usual_ts
from mxtvhf.localisation.upper_limit import detectable_photons, empty_upper_limit, source_upper_bound
from mxtvhf.models.arrays import Floats

Pixels = npt.NDArray[np.intp]

_FEWEST_FOR_SHAPE = 40.0
"""Source photons below which the shape of the PSF is not fitted: its error is then small compared with the
statistical error of the position."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """Photons, PSF and fit of a source, from which all its results are derived."""

    counts: Counts
    """Photons with their weights relative to everything but this source."""
    psf: SeparablePsf
    fit: SourceFit
    prior: PositionPrior | None

    @cached_property
    def field(self) -> tuple[Floats, Floats]:
        """Return ln L and f of ``likelihood.whole_field``."""
        return whole_field(self.counts, self.psf)


@dataclass(frozen=True, repr=False)
class SourceLocalisation:
    """The most probable source of a field, detected or not.

    Posterior, error radii and upper limit are computed on first use.

    Attributes
    ----------
    x, y
        Maximum-likelihood position, continuous 0-based pixels (pixel i covers i - 0.5 .. i + 0.5); with a
        prior the position of the highest posterior. NaN without photons on good pixels.
    ts
        2 (ln L_with - ln L_without) at the maximum, background and other sources fitted in both cases; with
        several templates L_with is their mean likelihood, so that more templates do not raise the rate of
        false detections.
    places_ts
        The same for the position-only likelihood.
    n_source, n_background
        Fitted photons on good pixels from the source and from everything else; their sum is the number of
        photons used.
    detected
        True if ``ts``, ``places_ts`` and ``n_source`` reach the thresholds of ``detection.toml``; a prior
        adds twice the logarithm of its density relative to a flat one to both TS.
    faults
        Hot pixels, noisy and dead lines and blocks that were excluded.
    shape
        Fitted shape of the PSF and its contribution to the error; None with too few photons or a PSF without
        such parameters.
    others
        The other sources of the field by decreasing TS; all were fitted together.
    evidence
        None without photons on good pixels.
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
        """Return a summary in one line."""
        found = "source" if self.detected else "no source"
        return (
            f"<SourceLocalisation: {found} at pixel ({self.x:.2f}, {self.y:.2f}), TS {self.ts:.1f}, "
            f"{self.n_source:.1f} source photons>"
        )

    @property
    def hot_pixels(self) -> tuple[RawPixel, ...]:
        """Return (column, row) of the excluded hot pixels, which are narrower than any source."""
        return self.faults.hot_pixels

    @property
    def noisy_lines(self) -> tuple[RawLine, ...]:
        """Return the excluded noisy rows and columns."""
        return self.faults.noisy_lines

    @property
    def with_prior(self) -> bool:
        """Return whether a prior contributes to the position."""
        return self.evidence is not None and self.evidence.prior is not None

    @property
    def with_known_background(self) -> bool:
        """Return whether the background spectrum is known from past runs."""
        return self.evidence is not None and self.evidence.counts.known is not None

    @cached_property
    def posterior(self) -> PositionPosterior | None:
        """Return the posterior of the position on the detector; None without photons on good pixels."""
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
        """Return the radius (arcsec) of the circle about the position that holds 50 % of the posterior.

        It includes statistical errors and, if fitted, the error of the PSF shape, given that there is a
        source on the detector. NaN without photons.
        """
        return float(self._radii[0])

    @property
    def r90(self) -> float:
        """Return the radius (arcsec) of the circle that holds 90 % of the posterior, as ``r50``."""
        return float(self._radii[1])

    @cached_property
    def upper_limit(self) -> float:
        """Return the 90 % upper limit of the expected source photons on good pixels.

        It is the larger of two numbers of module ``upper_limit``: a source with more photons would have been
        detected with a probability of at least 90 %, and the observed photons exclude it at 90 %. The first
        holds for the middle of the detector, the second for any position, weighted with the prior if there is
        one. Infinite if the good pixels are too few to distinguish a source from background.
        """
        if self.evidence is None:
            return empty_upper_limit()
        this = self.evidence
        weight = np.ones(this.field[0].shape[1:])
        if this.prior is not None:
            weight = np.exp(log_prior_of_cells(this.prior))
        bound = source_upper_bound(this.field, weight, this.counts.total)
        # The mean of the logarithm of a Gaussian over itself lies 1 below its maximum.
        gain = 0.0 if this.prior is None else float(this.prior.log_ratio(this.prior.x, this.prior.y)) - 1.0
        # A known background does not lower the limit: a source is also tested against a free spectrum.
        detectable = detectable_photons(
            this.counts, this.psf, usual_ts(this.counts) - 2.0 * gain, least_photons()
        )
        return max(bound, detectable)


@cache
def default_psf() -> LobsterEyePsf:
    """Return the PSF of the default calibration.

    All calls return the same object, since derived data are cached with it.
    """
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
    candidates: Sequence[tuple[float, float]] = (),
    contrast: npt.ArrayLike | None = None,
    find_hot_pixels: bool = True,
) -> SourceLocalisation:
    """Find the point sources among the photons of an image.

    Sources with the given PSF are fitted by maximum likelihood on a background of free strength, shape and
    spectrum; bad pixels and the edges of the detector are part of the model. Each source then gets its
    posterior over the whole field. If a source is detected, the width of the PSF core is fitted within its
    calibrated error. Time and memory do not grow with the number of photons after the first binning. The
    method is derived in ``docs/explanation/localisation.md``.

    Parameters
    ----------
    x, y
        Column and row of each photon, integers 0..255, shape (photons,).
    psf
        PSF; None: that of the default calibration. A PSF with ``width_sigma`` (``psf.VariableWidthPsf``) has
        its width fitted.
    bad_pixels
        Pixels to exclude: a mask of shape (256, 256), ``[row, column]``, True where bad; or a list of
        (column, row).
    exposure
        Exposure map: fraction of the exposure time during which each pixel was exposed, 0..1, shape (256,
        256), ``[row, column]``; None: 1 for all. A pixel that was never exposed is bad.
    weights
        Photon weights: likelihood ratio of the energy and time of each photon for the source and for a flat
        density, from `mxtvhf.localisation.photon_weights`; positive, shape (photons,) or (templates,
        photons). None: 1 for all.
    shares
        Prior probability of each template, shape (templates,); None: all are equal.
    background
        Densities of the background components at the photons (module ``background``). None: energies and
        times count only as far as the positions agree with them, so that a background that is not flat in
        them produces no source.
    prior
        Prior of the position; None: flat. It shifts the position, reduces the error radii and adds to the TS.
    known
        Positions (x, y), pixels, of sources that may be visible, such as bright catalogued ones: they are
        included in the model before the search.
    circle
        Prior of the position of one source, such as from ECLAIRs: if no source lies there, one more is
        searched with this prior. None: no expectation.
    candidates
        Positions (x, y), pixels, from which the search starts in addition to the maxima of its maps, such as
        that of a flare (``stretch.Stretch.position``).
    contrast
        Former name of ``weights``, deprecated since version 0.2.
    find_hot_pixels
        True: search for detector faults (hot pixels, noisy and dead lines and blocks). False if they were
        excluded before in raw coordinates: in drift-corrected pixels a hot pixel becomes a line.

    Returns
    -------
    SourceLocalisation
        The source with the highest TS, or the best maximum if none is detected; further sources are in
        ``others``.

    Raises
    ------
    InvalidInput
        No photons; lists of unequal length; an address that is not an integer 0..255; a weight or share that
        is not positive; a background density that is negative, or 0 in all components at a photon; an
        exposure or a vignetting outside 0..1; bad pixels that are neither a mask nor a list, or that leave no
        good pixel.
    """
    if contrast is not None:
        warnings.warn("localise: contrast was renamed weights in 0.2", DeprecationWarning, stacklevel=2)
        weights = contrast
    image = detector_image(x, y)
    exposed = _exposures(exposure)
    good = ~bad_pixel_mask(bad_pixels) & (exposed > 0.0)
    if not good.any():
        raise InvalidInput(
            "bad pixels: all pixels of the detector are bad or unexposed; expected a good pixel"
        )
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
    found = _found(counts, psf, prior, known, circle, candidates) if counts.total else _NOTHING
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
    candidates: Sequence[tuple[float, float]],
) -> SourceLocalisation:
    sources, empty = find_sources(counts, psf, prior, known, circle, candidates)
    first, *others = (_localised(source, empty, psf) for source in sources)
    return replace(first, others=tuple(others))


def _localised(source: FoundSource, empty: Scene, psf: SeparablePsf) -> SourceLocalisation:
    detected, counts, fit = source.detected, source.counts, source.fit
    if not detected:
        # The upper limit is relative to the background alone, for a source of any template.
        counts = empty.photons_to_explain
    shape = _shape(source, psf) if detected and source.prior is None else None
    part = fit.source_fraction if shape is None else shape.source_fraction
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
    """Return the fitted shape of the PSF if it is uncertain and the source has enough photons, else None."""
    used = source.psf
    if not (isinstance(psf, LobsterEyePsf) and isinstance(used, LobsterEyePsf)):
        return None
    if source.photons < _FEWEST_FOR_SHAPE or not psf.shape_sigma.any():
        return None
    stretch = float(np.log(used.core_fwhm_arcmin / psf.core_fwhm_arcmin))
    return with_free_shape(source.counts, psf, source.fit, stretch)


def ts_threshold() -> float:
    """Return the detection threshold of ``ts``; its false-alarm rate is given in ``detection.toml``."""
    return detection_constants().source.ts_threshold


def needed_ts_of(found: SourceLocalisation) -> tuple[float, float]:
    """Return the detection thresholds of ``ts`` and ``places_ts`` for the photons of a result.

    Parameters
    ----------
    found
        Result of ``localise``.
    """
    limits = detection_constants().source
    ts = limits.ts_threshold if found.evidence is None else needed_ts(found.evidence.counts)
    return ts, limits.places_ts_threshold


def least_photons() -> float:
    """Return the detection threshold of ``n_source``."""
    return detection_constants().source.least_photons


def detector_image(x: npt.ArrayLike, y: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the number of photons per pixel, shape (256, 256), ``[row, column]``.

    Parameters
    ----------
    x, y
        Column and row of each photon, integers 0..255, shape (photons,).

    Raises
    ------
    InvalidInput
        No photons, lists of unequal length, or an address that is not an integer 0..255.
    """
    column, row = _addresses("x", x), _addresses("y", y)
    if column.size != row.size:
        raise InvalidInput(
            f"photons: {column.size} x but {row.size} y addresses; expected one x and one y per photon"
        )
    if column.size == 0:
        raise InvalidInput("photons: the list is empty; expected at least one photon")
    size = detector_pixels()
    return np.bincount(row * size + column, minlength=size * size).reshape(size, size)


def bad_pixel_mask(bad_pixels: npt.ArrayLike | None) -> npt.NDArray[np.bool_]:
    """Return the mask of bad pixels, True where bad, shape (256, 256), ``[row, column]``.

    Parameters
    ----------
    bad_pixels
        Mask of that shape, or list of (column, row); None: no bad pixels.

    Raises
    ------
    InvalidInput
        A mask of another shape, a list that does not hold pairs, or an address that is not an integer 0..255.
    """
    size = detector_pixels()
    if bad_pixels is None:
        return np.zeros((size, size), dtype=np.bool_)
    given = np.asarray(bad_pixels)
    if given.dtype == np.bool_:
        if given.shape != (size, size):
            raise InvalidInput(f"bad pixels: mask of shape {given.shape}; expected {(size, size)}")
        return given
    mask = np.zeros((size, size), dtype=np.bool_)
    if given.size == 0:
        return mask
    if given.ndim != 2 or given.shape[1] != 2:
        raise InvalidInput(f"bad pixels: list of shape {given.shape}; expected pairs (column, row)")
    mask[_addresses("bad pixel row", given[:, 1]), _addresses("bad pixel column", given[:, 0])] = True
    return mask


def _exposures(given: npt.ArrayLike | None) -> Floats:
    shape = (detector_pixels(), detector_pixels())
    if given is None:
        return np.ones(shape)
    exposure = np.asarray(given, dtype=np.float64)
    if exposure.shape != shape:
        raise InvalidInput(f"exposure: shape {exposure.shape}; expected {shape}")
    wrong = ~((exposure >= 0.0) & (exposure <= 1.0))
    if wrong.any():
        raise InvalidInput(f"exposure: {exposure[wrong][0]} is invalid; expected a fraction 0..1")
    return exposure


def _checked_weights(values: npt.ArrayLike, photons: int) -> Floats:
    given = np.asarray(values, dtype=np.float64)
    if given.ndim not in (1, 2) or given.shape[-1] != photons or given.size == 0:
        raise InvalidInput(
            f"weights: shape {given.shape}; expected ({photons},) or (templates, {photons}) for the photons"
        )
    wrong = ~((given > 0.0) & np.isfinite(given))
    if wrong.any():
        raise InvalidInput(f"weights: {given[wrong][0]} is invalid; expected a positive, finite number")
    return given


def _checked_shares(values: npt.ArrayLike | None, weights: Floats) -> Floats | None:
    if values is None:
        return None
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1 or weights.ndim != 2 or given.size != len(weights):
        raise InvalidInput(
            f"shares: shape {given.shape} for weights of shape {weights.shape}; expected one per template"
        )
    wrong = ~((given > 0.0) & np.isfinite(given))
    if wrong.any():
        raise InvalidInput(f"shares: {given[wrong][0]} is invalid; expected a positive, finite number")
    return np.asarray(given / given.sum())


def _checked_groups(background: BackgroundDensities | None) -> tuple[Pixels | None, tuple[float, ...]]:
    """Return the group of each component and the vignetting of each group."""
    if background is None or background.groups is None or not len(background.spectra):
        return None, (0.0,)
    given = np.asarray(background.groups)
    if given.shape != (len(background.spectra),) or given.dtype.kind not in "iu" or (given < 0).any():
        raise InvalidInput(
            f"background: groups {given.tolist()} are invalid; expected an integer >= 0 for each of the "
            f"{len(background.spectra)} components"
        )
    # Renumbered without gaps: a group without components would have no shape.
    present, groups = np.unique(given, return_inverse=True)
    vignetting = np.zeros(present[-1] + 1) if background.vignetting is None else background.vignetting
    if len(vignetting) <= present[-1] or not all(0.0 <= part <= 1.0 for part in vignetting):
        raise InvalidInput(
            f"background: vignetting {list(vignetting)} is invalid; expected a number 0..1 for each of the "
            f"{present[-1] + 1} groups"
        )
    return groups, tuple(float(vignetting[group]) for group in present)


def _checked_known(background: BackgroundDensities | None) -> Floats | None:
    if background is None or background.known is None:
        return None
    given = np.asarray(background.known, dtype=np.float64)
    if given.shape != (len(background.spectra),):
        raise InvalidInput(
            f"background: known has the shape {given.shape}; expected a number of photons for each of the "
            f"{len(background.spectra)} components"
        )
    wrong = ~((given >= 0.0) & np.isfinite(given))
    if wrong.any():
        raise InvalidInput(f"background: known {given[wrong][0]} is invalid; expected photons >= 0")
    return given


def _checked_components(values: npt.ArrayLike | None, photons: int) -> Floats | None:
    if values is None:
        return None
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 2 or given.shape[-1] != photons:
        raise InvalidInput(
            f"background: shape {given.shape}; expected (components, {photons}) for the photons"
        )
    if not len(given):
        return None
    wrong = ~((given >= 0.0) & np.isfinite(given))
    if wrong.any():
        raise InvalidInput(f"background: density {given[wrong][0]} is invalid; expected a finite number >= 0")
    if not (given.max(axis=0) > 0.0).all():
        raise InvalidInput(
            "background: a photon has the density 0 in all components; expected a positive density in one"
        )
    return given


def _addresses(name: str, values: npt.ArrayLike) -> Pixels:
    """Return addresses as integers 0..255; the error names the first invalid value."""
    given = np.asarray(values)
    if given.ndim != 1:
        raise InvalidInput(f"{name}: addresses have the shape {given.shape}; expected a flat list")
    if given.size and given.dtype.kind not in "iuf":
        raise InvalidInput(f"{name}: addresses are of type {given.dtype}; expected integers")
    last = detector_pixels() - 1
    with np.errstate(invalid="ignore"):
        wrong = ~((given >= 0) & (given <= last) & (given == np.floor(given)))
    if wrong.any():
        raise InvalidInput(f"{name}: address {given[wrong][0]} is invalid; expected an integer 0..{last}")
    return given.astype(np.intp)
