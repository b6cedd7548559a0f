"""Where the source is, from the photons of one image: position, error radius, significance."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from mxtvhf.errors import InvalidInput
from mxtvhf.hotpixels import detection_constants, hot_pixels
from mxtvhf.instrument import pixel_scale_arcsec
from mxtvhf.likelihood import Counts, SourceFit, maximise, starting_points, whole_field
from mxtvhf.posterior import radii
from mxtvhf.psf import LobsterEyePsf, SeparablePsf, detector_pixels

Pixels = npt.NDArray[np.intp]


@dataclass(frozen=True)
class SourceLocalisation:
    """The best position of a source, whether or not there is one.

    Attributes
    ----------
    x, y
        Maximum-likelihood position, continuous 0-based pixels (pixel i covers i - 0.5 .. i + 0.5). NaN when
        there is no photon on good pixels.
    r50, r90
        Radii (arcsec) of the circles about the position that hold 50 % and 90 % of the posterior over the
        whole field, given that there is one source on the detector. Statistical only. NaN as above.
    ts
        2 (ln L_source - ln L_background) at the maximum.
    n_source, n_background
        Photons on good pixels that came from the source and from the background, by the fit; their sum is
        the number of photons used.
    detected
        Whether ``ts`` and ``n_source`` reach the thresholds of ``data/detection.toml``.
    hot_pixels
        (column, row) of the pixels whose photons were left out because no source can be so narrow.
    """

    x: float
    y: float
    r50: float
    r90: float
    ts: float
    n_source: float
    n_background: float
    detected: bool
    hot_pixels: tuple[tuple[int, int], ...] = ()


@cache
def default_psf() -> LobsterEyePsf:
    """Return the instrument's PSF, one object for all calls (what is derived from it is kept)."""
    return LobsterEyePsf()


def localise(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    psf: SeparablePsf | None = None,
    bad_pixels: npt.ArrayLike | None = None,
) -> SourceLocalisation:
    """Find the position of a point source among the photons of an image.

    Maximum likelihood of a source with the given PSF on a flat background, both of free strength, with bad
    pixels and the detector's edges in the model; then the posterior over the whole field (see the modules
    ``likelihood`` and ``posterior``). Time and memory do not grow with the number of photons beyond the
    first binning.

    Parameters
    ----------
    x, y
        Column and row of each photon, whole numbers 0..255.
    psf
        By default the instrument's.
    bad_pixels
        Pixels to leave out: a mask of shape (256, 256), ``[row, column]``, True where bad; or a list of
        (column, row).

    Raises
    ------
    InvalidInput
        No photons, lists of unequal length, an address that is not a whole number of 0..255, or bad pixels
        that are neither a mask nor a list or leave no good pixel.
    """
    image = detector_image(x, y)
    good = ~bad_pixel_mask(bad_pixels)
    if not good.any():
        raise InvalidInput("bad pixels: none of the detector's pixels is good")
    hot = hot_pixels(image, good)
    flagged = tuple((int(k % hot.shape[1]), int(k // hot.shape[1])) for k in np.flatnonzero(hot))
    counts = Counts.from_image(image, good & ~hot)
    if counts.total == 0:
        nan = float("nan")
        return SourceLocalisation(nan, nan, nan, nan, 0.0, 0.0, 0.0, False, flagged)
    psf = default_psf() if psf is None else psf
    field = whole_field(counts, psf)
    fit = _best(counts, psf, starting_points(field[0]))
    r50, r90 = pixel_scale_arcsec() * radii(counts, psf, fit, field, (0.5, 0.9))
    ts = max(0.0, 2.0 * fit.log_likelihood)
    n_source = fit.source_part * counts.total
    return SourceLocalisation(
        x=fit.x,
        y=fit.y,
        r50=float(r50),
        r90=float(r90),
        ts=ts,
        n_source=n_source,
        n_background=(1.0 - fit.source_part) * counts.total,
        detected=ts >= ts_threshold() and n_source >= least_photons(),
        hot_pixels=flagged,
    )


def ts_threshold() -> float:
    """Least ``ts`` of a detection; its false-alarm rate stands in ``data/detection.toml``."""
    return float(detection_constants()["source"]["ts_threshold"])


def least_photons() -> float:
    """Least ``n_source`` of a detection, from the same file."""
    return float(detection_constants()["source"]["least_photons"])


def _best(counts: Counts, psf: SeparablePsf, starts: list[tuple[float, float, float]]) -> SourceFit:
    fits = [maximise(counts, psf, start) for start in starts]
    return max(fits, key=lambda fit: fit.log_likelihood)


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
