"""Likelihood of a point source on a known density of everything else, photon by photon.

A photon that is on a good pixel came from the source at (x, y) or from something else, so it is on pixel i
with probability proportional to ``1 + r w p_i(x, y)``: p is the pixel-integrated PSF and r the source's
photons (over the whole plane) per other photon of one pixel. The weight w of a photon is the probability
density of its energy and arrival time, were it the source's, over the density of everything else at its
place, energy and time (module ``scene``); 1 where a flat background is all. With A good pixels, on which a
part D(x, y) of the source's photons falls, the log-likelihood ratio to "no source" of n photons is

    ln L(x, y, r) = sum_i ln(1 + r w_i p_i) - n ln(1 + r D / A),

and f = r D / (A + r D) is the source's part of the photons seen. Numbers of photons are not in it: the
extended Poisson likelihood with free source and background has the same maximum, at f n and (1 - f) n.

It believes that the density of everything else is known at every energy and time. The likelihood of the
places alone, energies and times taken as given,

    ln L(x, y, r) = sum_i ln(1 + r w_i p_i) - sum_i ln(1 + r v_i D / A),

does not: v is the weight over the mean of that density over the good pixels. Without a source it is right
whatever the spectrum and the time variation of the background are. The map of the whole field is of this
kind, so that a wrong background makes no source; near a maximum, where the background was fitted together
with the source, the first one is used.

For a fixed r and w the first sum is a correlation of the counts with the kernel ln(1 + r w p), also with bad
pixels and at the edges, because these enter through D alone. So the whole field costs one small FFT for
each r; with weights one more for each power of two of w, since only the product r w matters.

A pixel that looked for a part of the time only counts as that part of one in A and D: for the photons that
it has, source and background are shortened alike.

A source may be of several kinds, by spectrum and decay, each with its own w. Its likelihood is the mean of
theirs, each with its share. Here the mean w by the probability of each kind, given the photons, is used in
place of them all: the gradient is the same to first order of their differences.

Coordinates are continuous 0-based pixels; arrays are indexed ``[row, column]``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage
from scipy.special import logsumexp, softmax

from mxtvhf.instrument.psf import SeparablePsf, VariableWidthPsf, detector_pixels
from mxtvhf.localisation.counts import WEIGHT_POWERS, Counts
from mxtvhf.localisation.prior import PositionPrior
from mxtvhf.models.arrays import Floats

CELL = 8
"""Pixels per side of a cell of the whole-field map: a sixth of the core's width."""

_RATIOS = detector_pixels() ** 2 * 2.0 ** np.arange(-8.0, 10.0)
"""Values of r of the whole-field map: from a source lost in the background to no background."""

FAINT_LOG_RATIO = float(np.log(_RATIOS[6]))
"""ln r of a source with a fifth of the photons: from there a climb finds fainter and brighter ones."""
_LOG_RATIO_LIMITS = (np.log(_RATIOS[0]) - 5.0, np.log(_RATIOS[-1]) + 5.0)
_ROUNDS = 2
"""In which place and kind of the source are found in turn."""
_MAX_ITERATIONS = 50
_CONVERGED = 0.03
"""Newton's last step is the one that promises less than this gain of ln L: what it leaves is its square.

Against 1e-6 the places of 24 bursts of 60 to 300 photons moved by 0.0005 of their standard errors at most."""
_DEFINITE = 1e-9
"""Relative size of a determinant from which a matrix is taken as positive definite."""
_LONGEST_STEP = np.array([20.0, 20.0, 2.0])
"""Pixels, pixels, ln r."""


@dataclass(frozen=True)
class SourceFit:
    """A maximum of the likelihood.

    Attributes
    ----------
    x, y
        Continuous 0-based pixels.
    log_ratio
        ln r, see the module.
    source_part
        f, the source's part of the photons on good pixels.
    log_likelihood
        ln L against "background only".
    log_prior
        Logarithm of the prior's density there over a flat one.
    sigma
        Standard errors of x and y by the curvature, pixels.
    log_evidence
        ln L, its mean over the kinds of sources; with one kind ``log_likelihood``.
    kinds
        Probability of each kind; None: there is one.
    """

    x: float
    y: float
    log_ratio: float
    source_part: float
    log_likelihood: float
    log_prior: float
    sigma: tuple[float, float]
    log_evidence: float
    template_probabilities: Floats | None = None


def cell_centres() -> Floats:
    """Pixel coordinate of the cells' centres along an axis."""
    return np.arange(0.5 * (CELL - 1), detector_pixels(), CELL)


def log_prior_of_cells(prior: PositionPrior) -> Floats:
    """Logarithm of a prior's density over a flat one at the cells' centres, ``[row, column]``."""
    centre = cell_centres()
    return prior.log_ratio(centre, centre[:, np.newaxis])


def _products() -> Floats:
    """Return the powers of two that r w takes in the whole-field map."""
    low, high = WEIGHT_POWERS
    return np.asarray(_RATIOS[0] * 2.0 ** np.arange(low, _RATIOS.size + high))


@lru_cache(maxsize=16)
def _kernels(psf: SeparablePsf) -> tuple[npt.NDArray[np.complex64], Floats]:
    """Return the transforms of ln(1 + r w p), by offset in cells, for each r w; and the profile of each cell.

    The products r w are the powers of two from the lowest of both to the highest of both. The transforms are
    twice as large as the field, so that nothing wraps. Single precision is enough for a map (1e-6 of ln L)
    and five times as fast.
    """
    size = detector_pixels() // CELL
    middle = CELL * (size - 1) + 0.5 * (CELL - 1)
    axis = psf.fractions(middle, CELL * (2 * size - 1)).reshape(-1, CELL).sum(axis=-1)
    offsets = np.arange(1 - size, size)
    products = _products()
    kernel = np.zeros((products.size, 2 * size, 2 * size))
    density = np.outer(axis, axis) / CELL**2
    kernel[:, offsets[:, np.newaxis], offsets] = np.log1p(np.multiply.outer(products, density))
    profiles = np.stack([axis[size - 1 - k : 2 * size - 1 - k] for k in range(size)])
    return fft.rfft2(kernel).conj().astype(np.complex64), profiles


def whole_field(counts: Counts, psf: SeparablePsf) -> tuple[Floats, Floats]:
    """Return ln L and source part f for a source in the centre of each cell, for each value of r.

    Both have the shape (values of r, cells, cells), ``[r, row, column]``; spacing in ln r is ln 2. It is the
    ln L that takes energies and times as given, see the module.
    """
    cells = counts.rebinned(CELL // counts.block)
    size = cells.good.shape[0]
    kernels, _ = _kernels(psf)
    images, power = cells.images()
    transforms = fft.rfft2(images.astype(np.float32), s=(2 * size, 2 * size))
    first = power - WEIGHT_POWERS[0]
    summed = transforms[0] * kernels[first : first + _RATIOS.size]
    for k in range(1, len(transforms)):
        summed += transforms[k] * kernels[first + k : first + k + _RATIOS.size]
    rows = fft.ifft(summed, axis=1, overwrite_x=True)[:, :size]
    correlation = fft.irfft(rows, 2 * size, axis=2)[..., :size]
    expected, part = _parts(psf, cells.good.tobytes())
    numbers = counts.numbers()
    expected_sum, part_sum = np.zeros(correlation.shape), np.zeros(correlation.shape)
    for lowest in np.flatnonzero(numbers).tolist():
        some = slice(lowest, lowest + _RATIOS.size)
        expected_sum += numbers[lowest] * expected[some]
        part_sum += numbers[lowest] * part[some]
    return correlation - expected_sum, part_sum / max(cells.total, 1e-300)


@lru_cache(maxsize=16)
def _parts(psf: SeparablePsf, good: bytes) -> tuple[Floats, Floats]:
    """Return ln(1 + r w D / A) and f of each r w; kept, since few sets of good cells occur."""
    profiles = _kernels(psf)[1]
    cells = np.frombuffer(good).reshape(len(profiles), -1)
    odds = np.multiply.outer(_products(), profiles @ cells @ profiles.T / (cells.sum() * CELL**2))
    return np.log1p(odds), odds / (1.0 + odds)


def starting_points(
    log_likelihood: Floats, within: float = 3.0, most: int = 3
) -> list[tuple[float, float, float]]:
    """Return (x, y, ln r) of the best local maxima of the whole-field map, the highest first.

    Others than the highest only if they are less than ``within`` below it: so far may the centre of a cell
    be below the maximum inside it.
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
    """Return ln L at (x, y, ln r), its gradient (3,) and its matrix of second derivatives (3, 3)."""
    axes = psf.response(at[:2], counts.good.shape[0])
    seen = counts.enclosed(axes[:, 1], axes[:, 0]) / counts.area
    ratio = np.exp(at[2])
    odds = ratio * seen[0, 0]
    # With u = ln p or ln D and s = ln r, ln(1 + exp(s + u)) has the slope q = 1 / (1 + exp(-s - u)).
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
    """Return ``_derivatives`` with the prior's added."""
    value, gradient, hessian = _derivatives(counts, psf, at)
    if prior is not None:
        slope, second = prior.derivatives(at[0], at[1])
        value += float(prior.log_ratio(at[0], at[1]))
        gradient[:2] += slope
        hessian[:2, :2] += second
    return value, gradient, hessian


def limits(counts: Counts) -> tuple[Floats, Floats]:
    """Return the lowest and the highest (x, y, ln r): inside the detector, with a ratio that can be."""
    edge = counts.good.shape[0] - 0.5
    low, high = _LOG_RATIO_LIMITS
    return np.array([-0.5, -0.5, low]), np.array([edge, edge, high])


def maximise(
    counts: Counts,
    psf: SeparablePsf,
    start: tuple[float, float, float],
    prior: PositionPrior | None = None,
) -> SourceFit:
    """Climb from ``start`` (x, y, ln r) to the maximum of ln L by Newton's method, inside the detector.

    With a prior it is the maximum of ln L plus the logarithm of the prior.
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
        source_part=float(odds / (counts.area + odds)),
        log_likelihood=value - log_prior,
        log_prior=log_prior,
        sigma=(float(np.sqrt(covariance[0, 0])), float(np.sqrt(covariance[1, 1]))),
        log_evidence=value - log_prior,
    )


def maximise_over_templates(
    counts: Counts,
    psf: SeparablePsf,
    start: tuple[float, float, float],
    prior: PositionPrior | None = None,
) -> SourceFit:
    """Return the maximum near ``start`` of the likelihood of a source of any kind, as ``maximise``.

    The place tells the kinds' probabilities, these the weight and that the place again.
    """
    fit = maximise(counts, psf, start, prior)
    if counts.template_weights is None:
        return fit
    for _ in range(_ROUNDS):
        counts = counts.averaged_over_templates(
            softmax(_log_likelihoods_of_templates(counts, counts.template_weights, psf, fit))
        )
        fit = maximise(counts, psf, (fit.x, fit.y, fit.log_ratio), prior)
    return with_template_evidence(counts, psf, fit)


def with_template_evidence(counts: Counts, psf: SeparablePsf, fit: SourceFit) -> SourceFit:
    """Return the fit with the kinds' probabilities and the mean of their likelihoods."""
    if counts.template_weights is None:
        return fit
    joint = _log_likelihoods_of_templates(counts, counts.template_weights, psf, fit)
    return replace(fit, log_evidence=float(logsumexp(joint)), template_probabilities=softmax(joint))


def _log_likelihoods_of_templates(
    counts: Counts, weights: Floats, psf: SeparablePsf, fit: SourceFit
) -> Floats:
    """Return ln L of each kind at the fit's place and ratio, and the logarithm of its share added."""
    shares = np.full(len(weights), 1.0 / len(weights)) if counts.shares is None else counts.shares
    column, row = counts.fractions(psf, (fit.x, fit.y))
    ratio = np.exp(fit.log_ratio)
    signal = ratio * column[counts.column] * row[counts.row]
    nothing = counts.total * np.log1p(ratio * float(counts.enclosed(row, column)) / counts.area)
    return np.asarray(np.log1p(signal * weights) @ counts.number - nothing + np.log(shares))


def positional_log_likelihood(counts: Counts, psf: SeparablePsf, fit: SourceFit) -> float:
    """Return ln L of a fit with energies and times taken as given, see the module."""
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
    """Return the PSF with the core's width that the photons and what is known of it agree on.

    The width's logarithm has a normal prior of ``psf.width_sigma``; at the fitted place the highest of a
    parabola through three widths is taken. The place and the width hardly depend on each other: the PSF is
    symmetric.
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
    """Return the highest ln L at the fitted place over the values of r, with this PSF."""
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
    """Newton's step, bounded; a coordinate that is at its limit and pushed outwards stays."""
    blocked = ((at <= low) & (gradient < 0)) | ((at >= high) & (gradient > 0))
    if blocked.any():
        gradient = np.where(blocked, 0.0, gradient)
        hessian = np.where(blocked | blocked[:, np.newaxis], -np.eye(3), hessian)
    step = _inverse(-hessian) @ gradient
    return np.asarray(step / max(1.0, np.max(np.abs(step) / _LONGEST_STEP)))


def _inverse(matrix: Floats) -> Floats:
    """Return the inverse of the symmetric (3, 3) matrix with absolute eigenvalues: steps by it go uphill."""
    (a, b, c), (_, d, e), (_, _, f) = matrix.tolist()
    # Positive definite, as near the maximum: cofactors take a tenth of the time of the eigenvalues.
    minor, aa = a * d - b * b, d * f - e * e
    ab, ac = c * e - b * f, b * e - c * d
    determinant = a * aa + b * ab + c * ac
    if a > 0.0 and minor > _DEFINITE * a * d and determinant > _DEFINITE * minor * f:
        bc = b * c - a * e
        cofactors = np.array([[aa, ab, ac], [ab, a * f - c * c, bc], [ac, bc, minor]])
        return np.asarray(cofactors / determinant)
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors / np.maximum(np.abs(values), 1e-9)) @ vectors.T)
