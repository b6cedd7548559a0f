"""Other localisation methods for comparison: on-board correlation, photutils, sherpa."""

from __future__ import annotations

import logging
from functools import cache

import numpy as np
from astropy.convolution import Gaussian2DKernel
from photutils.centroids import centroid_quadratic
from scipy import fft, ndimage
from sherpa.data import Data2D
from sherpa.fit import Fit
from sherpa.models import ArithmeticModel, Parameter
from sherpa.optmethods import LevMar
from sherpa.stats import Cash

from mxtvhf.instrument.psf import LobsterEyePsf

logging.getLogger("sherpa").setLevel(logging.ERROR)
SIZE = 256
Place = tuple[float, float]


def cross_correlation(image: np.ndarray, psf: LobsterEyePsf) -> Place:
    """Return the maximum of the correlation of the photon image with the PSF, as computed on board."""
    row, column = divmod(int(_correlated(image, psf).argmax()), SIZE)
    return float(column), float(row)


def _correlated(image: np.ndarray, psf: LobsterEyePsf) -> np.ndarray:
    transform = fft.rfft2(image, s=(2 * SIZE, 2 * SIZE)) * _template(psf)
    return fft.irfft2(transform, s=(2 * SIZE, 2 * SIZE))[:SIZE, :SIZE]


@cache
def _template(psf: LobsterEyePsf) -> np.ndarray:
    """Return the Fourier transform of the PSF as a function of the offset."""
    offset = np.arange(2 * SIZE)
    offset[SIZE:] -= 2 * SIZE
    profile = psf.profile(offset)
    return fft.rfft2(np.outer(profile, profile)).conj()


def photutils_centroid(image: np.ndarray, psf: LobsterEyePsf) -> Place:
    """Return photutils' quadratic centroid of the image, smoothed with a Gaussian as wide as the PSF core."""
    kernel = Gaussian2DKernel(psf.core_fwhm_pixel / 2.355, x_size=101, y_size=101).array
    smooth = np.asarray(fft.irfft2(fft.rfft2(image, s=(512, 512)) * fft.rfft2(kernel, s=(512, 512))))
    smooth = smooth[50 : 50 + SIZE, 50 : 50 + SIZE]
    row, column = ndimage.maximum_position(smooth)
    x, y = centroid_quadratic(smooth, xpeak=column, ypeak=row, fit_boxsize=31)
    return (float(x), float(y)) if np.isfinite([x, y]).all() else (float(column), float(row))


class _Source(ArithmeticModel):
    """A sherpa model of the PSF on a flat background."""

    def __init__(self, psf: LobsterEyePsf) -> None:
        self.psf = psf
        self.x = Parameter("source", "x", 128.0, -0.5, SIZE - 0.5)
        self.y = Parameter("source", "y", 128.0, -0.5, SIZE - 0.5)
        self.number = Parameter("source", "number", 1.0, 1e-3, 1e8)
        self.background = Parameter("source", "background", 1.0, 1e-3, 1e8)
        super().__init__("source", (self.x, self.y, self.number, self.background))
        self.cache = 0

    def calc(self, p: list[float], *args: object, **kwargs: object) -> np.ndarray:
        column, row = self.psf.fractions((p[0], p[1]), SIZE)
        image = np.outer(row, column) * (p[2] / (row.sum() * column.sum()))
        return (image + p[3] / SIZE**2).ravel()


@cache
def _grid() -> tuple[np.ndarray, np.ndarray]:
    row, column = np.divmod(np.arange(SIZE**2), SIZE)
    return column.astype(float), row.astype(float)


def sherpa_fit(image: np.ndarray, psf: LobsterEyePsf) -> Place:
    """Return sherpa's fit of the PSF on a flat background: Cash statistic, Levenberg-Marquardt.

    It starts at the peak of the cross-correlation.
    """
    model, total = _Source(psf), float(image.sum())
    model.x.val, model.y.val = cross_correlation(image, psf)
    model.number.val = model.background.val = 0.5 * total
    data = Data2D("photons", *_grid(), image.ravel().astype(float), shape=image.shape)
    Fit(data, model, stat=Cash(), method=LevMar()).fit()
    return model.x.val, model.y.val
