"""Likelihood of a point source on a known density of background and other sources.

The data are photons on good pixels. Photon i has the pixel-integrated PSF p_i(x, y) of a source at (x, y) and
the photon weight w_i: the probability density of its energy and arrival time for the source, divided by the
density of everything else at its pixel, energy and time (module ``scene``; 1 without energies and times).
Let A be the number of good pixels, D(x, y) the fraction of the source photons that falls on them (the
enclosed fraction), and r the ratio of source photons (over the whole plane) to other photons per pixel. For n
photons the log-likelihood ratio of "source and background" to "background only" is

    ln L(x, y, r) = sum_i ln(1 + r w_i p_i) - n ln(1 + r D / A),

and f = r D / (A + r D) is the fraction of the n photons that come from the source. The extended Poisson
likelihood with free numbers of source and background photons has the same maximum, at f n and (1 - f) n.

This likelihood takes the density of everything else as known at each energy and time. The position-only
likelihood is conditional on the energies and times:

    ln L(x, y, r) = sum_i ln(1 + r w_i p_i) - sum_i ln(1 + r v_i D / A).

Here v_i is the weight relative to the mean of that density over the good pixels. Without a source this
likelihood is valid whatever the spectrum and the light curve of the background are. The whole-field map uses
it, so that a wrong background model cannot create a source; near a maximum, where background and source are
fitted together, the first likelihood is used.

For fixed r and w the first sum is a correlation of the counts with the kernel ln(1 + r w p). This also holds
at bad pixels and at the edges, which enter through D only, so the map needs one small FFT per value of r, and
one more per power of two of w, because only the product r w matters.

A pixel that was exposed for a fraction of the time counts as that fraction of a pixel in A and D: the
exposure shortens source and background alike.

A source has one of several templates (spectrum and decay), each with its own weights. Its likelihood is the
mean of the likelihoods of the templates, weighted with their prior probabilities. The climb uses the mean
weight, averaged with the posterior probabilities of the templates: the gradient is the same to first order of
the differences between the templates.

Coordinates are continuous 0-based pixels; arrays are indexed ``[row, column]``. The derivation is in
``docs/explanation/localisation.md``, sections "Likelihood of one source" to "Maximum of the likelihood".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from mxtvhf.instrument.psf import SeparablePsf, VariableWidthPsf, detector_pixels
from mxtvhf.localisation.counts import WEIGHT_POWERS, Counts
from mxtvhf.localisation.prior import PositionPrior
from mxtvhf.models.arrays import Floats

CELL = 8
"""Pixels per side of a cell of the whole-field map: a sixth of the core width."""

_RATIOS = detector_pixels() ** 2 * 2.0 ** np.arange(-8.0, 10.0)
"""Values of r of the whole-field map: from a source far below the background to a field without
background."""

FAINT_LOG_RATIO = float(np.log(_RATIOS[6]))
"""ln r of a source with a fifth of the photons. A climb from this value reaches fainter and brighter
sources."""
FLARE_LOG_RATIO = float(np.log(_RATIOS[4]))
"""ln r of a source with a seventeenth of the photons, such as a short flare in a long observation."""
_LOG_RATIO_LIMITS = (np.log(_RATIOS[0]) - 5.0, np.log(_RATIOS[-1]) + 5.0)
_ROUNDS = 2
"""Largest number of times that position and template probabilities are fitted in turn."""
_GAINED = 0.05
"""A round that gains less of the log evidence is the last one."""
_MAX_ITERATIONS = 50
_CONVERGED = 0.03
"""Newton's method takes its last step when that step promises less than this gain of ln L; the remaining loss
is of the order of its square.

Compared with a limit of 1e-6, the positions of 24 bursts of 60 to 300 photons moved by at most 0.0005 of
their standard errors."""
_DEFINITE = 1e-9
"""Relative size of a determinant above which a matrix is taken as positive definite."""
_LONGEST_STEP = np.array([20.0, 20.0, 2.0])
"""Longest Newton step in x (pixels), y (pixels) and ln r."""


@dataclass(frozen=True)
class SourceFit:
    """A maximum of the likelihood.

    Attributes
    ----------
    x, y
        Position, continuous 0-based pixels.
    log_ratio
        ln r, see the module.
    source_fraction
        f, fraction of the photons on good pixels that come from the source.
    log_likelihood
        ln L relative to background only.
    log_prior
        Logarithm of the prior density at the position relative to a flat prior.
    sigma
        Standard errors of x and y from the curvature of ln L, pixels.
    log_evidence
        Logarithm of the mean of L over the source templates; equal to ``log_likelihood`` with one template.
    template_probabilities
        Posterior probability of each template, shape (templates,); None with one template.
    """

    x: float
    y: float
    log_ratio: float
    source_fraction: float
    log_likelihood: float
    log_prior: float
    sigma: tuple[float, float]
    log_evidence: float
    template_probabilities: Floats | None = None


def cell_centres() -> Floats:
    """Return the pixel coordinates of the cell centres along an axis."""
    return np.arange(0.5 * (CELL - 1), detector_pixels(), CELL)


def log_prior_of_cells(prior: PositionPrior) -> Floats:
    """Return the log prior density, relative to a flat prior, at the cell centres, ``[row, column]``.

    Parameters
    ----------
    prior
        Prior of the position.
    """
    centre = cell_centres()
    return prior.log_ratio(centre, centre[:, np.newaxis])


def _products() -> Floats:
    """Return the powers of two that the product r w takes in the whole-field map."""
    low, high = WEIGHT_POWERS
    return np.asarray(_RATIOS[0] * 2.0 ** np.arange(low, _RATIOS.size + high))


@lru_cache(maxsize=16)
def _kernels(psf: SeparablePsf) -> tuple[npt.NDArray[np.complex64], Floats]:
    """Return the Fourier transforms of ln(1 + r w p) for each r w, and the PSF profile seen from each cell.

    The products r w are the powers of two between their lowest and highest value. The kernels depend on the
    offset in cells; the transforms are twice as large as the field, so that nothing wraps around. Single
    precision is accurate to 1e-6 of ln L, which is enough for a map, and five times as fast.
    """
    size = detector_pixels() // CELL
    middle = CELL * (size - 1) + 0.5 * (CELL - 1)
    axis = psf.fractions(middle, CELL * (2 * size - 1)).reshape(-1, CELL).sum(axis=-1)
    offsets = np.arange(1 - size, size)
    density = np.zeros((2 * size, 2 * size), dtype=np.float32)
    density[offsets[:, np.newaxis], offsets] = np.outer(axis, axis) / CELL**2
    kernel = np.log1p(np.multiply.outer(_products().astype(np.float32), density))
    profiles = np.stack([axis[size - 1 - k : 2 * size - 1 - k] for k in range(size)])
    return fft.rfft2(kernel).conj(), profiles


def whole_field(counts: Counts, psf: SeparablePsf) -> tuple[Floats, Floats]:
    """Return ln L and f for a source at the centre of each cell, for each value of r.

    It is the position-only likelihood of the module, evaluated by FFT; see section "Whole-field map" of
    ``docs/explanation/localisation.md``.

    Parameters
    ----------
    counts
        Photons with their weights relative to everything but the source.
    psf
        PSF of the source.

    Returns
    -------
    log_likelihood, source_fraction
        ln L relative to background only and the source fraction f of the photons, each of shape (values of r,
        cells, cells), ``[r, row, column]``; neighbouring values of ln r differ by ln 2.
    """
    side = CELL // counts.block
    good = counts.cells(side) / side**2
    size = len(good)
    kernels, _ = _kernels(psf)
    images, power = counts.images(side)
    transforms = fft.rfft2(images.astype(np.float32), s=(2 * size, 2 * size))
    first = power - WEIGHT_POWERS[0]
    summed = transforms[0] * kernels[first : first + _RATIOS.size]
    for k in range(1, len(transforms)):
        summed += transforms[k] * kernels[first + k : first + k + _RATIOS.size]
    rows = fft.ifft(summed, axis=1, overwrite_x=True)[:, :size]
    correlation = fft.irfft(rows, 2 * size, axis=2)[..., :size]
    expected, part = _parts(psf, good.tobytes())
    numbers = counts.numbers()
    expected_sum, part_sum = np.zeros(correlation.shape), np.zeros(correlation.shape)
    for lowest in np.flatnonzero(numbers).tolist():
        some = slice(lowest, lowest + _RATIOS.size)
        expected_sum += numbers[lowest] * expected[some]
        part_sum += numbers[lowest] * part[some]
    return correlation - expected_sum, part_sum / max(counts.total, 1e-300)


@lru_cache(maxsize=16)
def _parts(psf: SeparablePsf, good: bytes) -> tuple[Floats, Floats]:
    """Return ln(1 + r v D / A) and f for each r v and cell; cached, because few masks of good cells occur."""
    profiles = _kernels(psf)[1]
    cells = np.frombuffer(good).reshape(len(profiles), -1)
    odds = np.multiply.outer(_products(), profiles @ cells @ profiles.T / (cells.sum() * CELL**2))
    return np.log1p(odds), odds / (1.0 + odds)


def starting_points(
    log_likelihood: Floats, within: float = 3.0, most: int = 3
) -> list[tuple[float, float, float]]:
    """Return (x, y, ln r) of the best local maxima of the whole-field map, the highest first.

    Parameters
    ----------
    log_likelihood
        Map from ``whole_field``, ``[r, row, column]``.
    within
        Largest difference of ln L from the highest maximum: the centre of a cell may lie below the maximum
        inside the cell by this amount.
    most
        Largest number of maxima.
    """
    profile = log_likelihood.max(axis=0)
    peaks = (profile == ndimage.maximum_filter(profile, size=5)) & (profile > profile.max() - within)
    row, column = np.nonzero(peaks)
    order = np.argsort(-profile[row, column])[:most]
    ratio = np.log(_RATIOS[log_likelihood[:, row[order], column[order]].argmax(axis=0)])
    centre = cell_centres()
    places = zip(centre[column[order]], centre[row[order]], ratio, strict=True)
    return [(float(x), float(y), float(log_ratio)) for x, y, log_ratio in places]


def _derivatives(counts: Counts, psf: SeparablePsf, at: Floats) -> tuple[float, Floats, Floats]:
    """Return ln L, its gradient (3,) and its Hessian (3, 3) at (x, y, ln r).

    Both terms of ln L have the form ln(1 + exp(s + u)) with s = ln r, and u = ln(w p) for a photon or u =
    ln(D / A) for the normalisation. With q = exp(s + u) / (1 + exp(s + u)), and a, b any of x, y, s, its
    first derivative is q (s + u)_a and its second is q (1 - q) (s + u)_a (s + u)_b + q u_ab. See section
    "Maximum of the likelihood" of ``docs/explanation/localisation.md``.
    """
    axes = psf.response(at[:2], counts.good.shape[0])
    seen = counts.enclosed(axes[:, 1], axes[:, 0]) / counts.area
    ratio = np.exp(at[2])
    odds = ratio * seen[0, 0]
    # The sum over the photons: q, u_a as ``slopes``, then the two terms of the second derivative.
    column, row = axes[:, 0].take(counts.column, axis=1), axes[:, 1].take(counts.row, axis=1)
    signal = ratio * column[0] * row[0]
    if counts.weights is not None:
        signal = signal * counts.weights
    q = signal / (1.0 + signal)
    slopes = np.ones((3, q.size))
    slopes[0], slopes[1] = column[1] / column[0], row[1] / row[0]
    first = counts.number * q
    gradient = slopes @ first
    curvature = (slopes * (first * (1.0 - q))) @ slopes.T
    curvature[0, 0] += first @ (column[2] / column[0] - slopes[0] ** 2)
    curvature[1, 1] += first @ (row[2] / row[0] - slopes[1] ** 2)

    # The normalisation: here q is the source fraction f, written ``part``.
    part = odds / (1.0 + odds)
    relative = seen / seen[0, 0]
    slope = np.array([relative[0, 1], relative[1, 0], 1.0])
    own = np.outer(slope, slope) * part * (1.0 - part)
    own[0, 0] += part * (relative[0, 2] - slope[0] ** 2)
    own[1, 1] += part * (relative[2, 0] - slope[1] ** 2)
    own[[0, 1], [1, 0]] += part * (relative[1, 1] - slope[0] * slope[1])
    value = counts.number @ np.log1p(signal) - counts.total * np.log1p(odds)
    return float(value), gradient - counts.total * part * slope, curvature - counts.total * own


def _objective(
    counts: Counts, psf: SeparablePsf, at: Floats, prior: PositionPrior | None
) -> tuple[float, Floats, Floats]:
    """Return the results of ``_derivatives`` with those of the log prior added."""
    value, gradient, hessian = _derivatives(counts, psf, at)
    if prior is not None:
        slope, second = prior.derivatives(at[0], at[1])
        value += float(prior.log_ratio(at[0], at[1]))
        gradient[:2] += slope
        hessian[:2, :2] += second
    return value, gradient, hessian


def limits(counts: Counts) -> tuple[Floats, Floats]:
    """Return the bounds of (x, y, ln r): the edges of the detector and the range of ratios.

    Parameters
    ----------
    counts
        Photons; only the size of their map is used.

    Returns
    -------
    low, high
        Lowest and highest values, shape (3,) each.
    """
    edge = counts.good.shape[0] - 0.5
    low, high = _LOG_RATIO_LIMITS
    return np.array([-0.5, -0.5, low]), np.array([edge, edge, high])


def maximise(
    counts: Counts,
    psf: SeparablePsf,
    start: tuple[float, float, float],
    prior: PositionPrior | None = None,
) -> SourceFit:
    """Return the maximum of ln L on the detector that Newton's method reaches from a starting point.

    With a prior, ln L plus the log prior is maximised.

    Parameters
    ----------
    counts
        Photons with their weights relative to everything but the source.
    psf
        PSF of the source.
    start
        Starting point (x, y, ln r).
    prior
        Prior of the position; None: flat.
    """
    low, high = limits(counts)
    at = np.asarray(start, dtype=np.float64)
    value, gradient, hessian = _objective(counts, psf, at, prior)
    for _ in range(_MAX_ITERATIONS):
        step = _uphill(at, gradient, hessian, low, high)
        if gradient @ step < _CONVERGED:
            at, value = np.clip(at + step, low, high), value + 0.5 * float(gradient @ step)
            break
        for scale in 0.5 ** np.arange(12):
            trial = np.clip(at + scale * step, low, high)
            ahead = _objective(counts, psf, trial, prior)
            if ahead[0] > value:
                break
        else:
            break
        at, (value, gradient, hessian) = trial, ahead
    column, row = counts.fractions(psf, at[:2])
    odds = np.exp(at[2]) * counts.enclosed(row, column)
    covariance = _inverse(-hessian)
    log_prior = 0.0 if prior is None else float(prior.log_ratio(at[0], at[1]))
    return SourceFit(
        x=float(at[0]),
        y=float(at[1]),
        log_ratio=float(at[2]),
        source_fraction=float(odds / (counts.area + odds)),
        log_likelihood=value - log_prior,
        log_prior=log_prior,
        sigma=(float(np.sqrt(covariance[0, 0])), float(np.sqrt(covariance[1, 1]))),
        log_evidence=value - log_prior,
    )


def with_fitted_templates(
    counts: Counts, psf: SeparablePsf, fit: SourceFit, prior: PositionPrior | None = None
) -> SourceFit:
    """Return the maximum near a fit for a source with unknown template.

    Position and template probabilities are fitted in turn: the position gives the probabilities, and these
    give the mean weight for the next climb.

    Parameters
    ----------
    counts
        Photons with the weights of each template.
    psf
        PSF of the source.
    fit
        Fit with template probabilities (``with_template_evidence``); unchanged with one template.
    prior
        Prior of the position; None: flat.
    """
    for _ in range(_ROUNDS):
        if fit.template_probabilities is None:
            break
        before = fit.log_evidence + fit.log_prior
        likely = counts.averaged_over_templates(fit.template_probabilities)
        climb = maximise(likely, psf, (fit.x, fit.y, fit.log_ratio), prior)
        fit = with_template_evidence(counts, psf, climb)
        if fit.log_evidence + fit.log_prior < before + _GAINED:
            break
    return fit


def with_likely_templates(counts: Counts, psf: SeparablePsf, at: tuple[float, float, float]) -> Counts:
    """Return the photons with the mean weight by the template probabilities of a source at a given position.

    Parameters
    ----------
    counts
        Photons with the weights of each template.
    psf
        PSF of the source.
    at
        Position and ratio (x, y, ln r) at which the templates are compared.
    """
    if counts.template_weights is None:
        return counts
    joint = _log_likelihoods_of_templates(counts, counts.template_weights, psf, at)
    return counts.averaged_over_templates(np.exp(joint - np.logaddexp.reduce(joint)))


def with_template_evidence(counts: Counts, psf: SeparablePsf, fit: SourceFit) -> SourceFit:
    """Return the fit with the template probabilities and the mean likelihood over the templates.

    Parameters
    ----------
    counts
        Photons with the weights of each template.
    psf
        PSF of the source.
    fit
        Position and ratio at which the templates are compared.
    """
    if counts.template_weights is None:
        return fit
    at = (fit.x, fit.y, fit.log_ratio)
    joint = _log_likelihoods_of_templates(counts, counts.template_weights, psf, at)
    total = np.logaddexp.reduce(joint)
    return replace(fit, log_evidence=float(total), template_probabilities=np.exp(joint - total))


def _log_likelihoods_of_templates(
    counts: Counts, weights: Floats, psf: SeparablePsf, at: tuple[float, float, float]
) -> Floats:
    """Return ln L plus the log prior probability of each template, at (x, y, ln r)."""
    shares = np.full(len(weights), 1.0 / len(weights)) if counts.shares is None else counts.shares
    column, row = counts.fractions(psf, at[:2])
    ratio = np.exp(at[2])
    signal = ratio * column[counts.column] * row[counts.row]
    nothing = counts.total * np.log1p(ratio * float(counts.enclosed(row, column)) / counts.area)
    # Single precision is accurate to 1e-5 of ln L; the logarithms take a third of the time.
    logarithms = np.log1p((signal * weights).astype(np.float32))
    return np.asarray(logarithms @ counts.number - nothing + np.log(shares))


def positional_log_likelihood(counts: Counts, psf: SeparablePsf, fit: SourceFit) -> float:
    """Return the position-only ln L of a fit; see the module.

    Parameters
    ----------
    counts
        Photons with their weights relative to everything but the source.
    psf
        PSF of the source.
    fit
        Position and ratio.
    """
    column, row = counts.fractions(psf, (fit.x, fit.y))
    ratio = np.exp(fit.log_ratio)
    signal, odds = (
        ratio * column[counts.column] * row[counts.row],
        ratio * float(counts.enclosed(row, column)),
    )
    odds = odds / counts.area
    weights, overall = counts.weights, counts.overall_weights
    if weights is None or overall is None:
        return float(counts.number @ np.log1p(signal) - counts.total * np.log1p(odds))
    return float(counts.number @ (np.log1p(signal * weights) - np.log1p(odds * overall)))


def free_width(counts: Counts, psf: VariableWidthPsf, fit: SourceFit) -> VariableWidthPsf:
    """Return the PSF with the most probable core width at the position of a fit.

    The logarithm of the width has a normal prior with the standard error ``psf.width_sigma``. The maximum is
    that of a parabola through three widths. The position stays fixed: it hardly depends on the width, because
    the PSF is symmetric.

    Parameters
    ----------
    counts
        Photons with their weights relative to everything but the source.
    psf
        PSF with its calibrated width.
    fit
        Source, fitted with this or another width.
    """
    step = psf.width_sigma
    below, above = (
        best_log_likelihood(counts, psf.scaled(float(np.exp(s))), fit) - 0.5 for s in (-step, step)
    )
    # The fit may have been made with another width.
    bend = below - 2.0 * best_log_likelihood(counts, psf, fit) + above
    slope = 0.5 * (above - below)
    best = -slope / bend if bend < 0.0 else np.sign(slope)
    return psf.scaled(float(np.exp(step * np.clip(best, -2.0, 2.0))))


def best_log_likelihood(counts: Counts, psf: SeparablePsf, fit: SourceFit) -> float:
    """Return the maximum of ln L over r at the position of a fit.

    Parameters
    ----------
    counts
        Photons with their weights relative to everything but the source.
    psf
        PSF of the source.
    fit
        Position, and the ratio at which the search starts.
    """
    column, row = counts.fractions(psf, (fit.x, fit.y))
    seen = float(counts.enclosed(row, column)) / counts.area
    profile = column[counts.column] * row[counts.row]
    if counts.weights is not None:
        profile = profile * counts.weights
    log_ratio = fit.log_ratio
    for _ in range(2):
        signal, odds = np.exp(log_ratio) * profile, np.exp(log_ratio) * seen
        q, part = signal / (1.0 + signal), odds / (1.0 + odds)
        slope = counts.number @ q - counts.total * part
        bend = counts.number @ (q * (1.0 - q)) - counts.total * part * (1.0 - part)
        log_ratio += float(np.clip(-slope / min(bend, -1e-9), -1.0, 1.0))
    ratio = np.exp(log_ratio)
    return float(counts.number @ np.log1p(ratio * profile) - counts.total * np.log1p(ratio * seen))


def _uphill(at: Floats, gradient: Floats, hessian: Floats, low: Floats, high: Floats) -> Floats:
    """Return the Newton step within the bounds.

    A coordinate at its bound whose gradient points outwards is not changed.
    """
    blocked = ((at <= low) & (gradient < 0)) | ((at >= high) & (gradient > 0))
    if blocked.any():
        gradient = np.where(blocked, 0.0, gradient)
        hessian = np.where(blocked | blocked[:, np.newaxis], -np.eye(3), hessian)
    step = _inverse(-hessian) @ gradient
    return np.asarray(step / max(1.0, np.max(np.abs(step) / _LONGEST_STEP)))


def _inverse(matrix: Floats) -> Floats:
    """Return the inverse of a symmetric (3, 3) matrix with its eigenvalues replaced by their absolute values.

    A Newton step with this matrix always goes uphill.
    """
    (a, b, c), (_, d, e), (_, _, f) = matrix.tolist()
    # Near the maximum the matrix is positive definite: cofactors take a tenth of the time of eigenvalues.
    minor, aa = a * d - b * b, d * f - e * e
    ab, ac = c * e - b * f, b * e - c * d
    determinant = a * aa + b * ab + c * ac
    if a > 0.0 and minor > _DEFINITE * a * d and determinant > _DEFINITE * minor * f:
        bc = b * c - a * e
        cofactors = np.array([[aa, ab, ac], [ab, a * f - c * c, bc], [ac, bc, minor]])
        return np.asarray(cofactors / determinant)
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors / np.maximum(np.abs(values), 1e-9)) @ vectors.T)
