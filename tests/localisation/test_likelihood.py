"""Laws of the position-only likelihood."""

import numpy as np
import pytest

from mxtvhf.localisation import likelihood
from mxtvhf.localisation.counts import Counts
from mxtvhf.localisation.likelihood import (
    CELL,
    SourceFit,
    cell_centres,
    positional_log_likelihood,
    whole_field,
)
from mxtvhf.localisation.position import default_psf
from mxtvhf.localisation.scene import Scene, SceneSource
from support.fields import draw_field

PSF = default_psf()
SIZE = 256 // CELL


def some_cells():
    """Return exposed fractions of cells: every fourth in each direction, with different exposures."""
    good = np.zeros((SIZE, SIZE))
    good[1::4, 2::4] = np.linspace(0.2, 1.0, 64).reshape(8, 8)
    return good


def fit_at(x, y, log_ratio):
    return SourceFit(x, y, log_ratio, 0.3, 0.0, 0.0, (1.0, 1.0), 0.0)


def concentrations():
    """Return densities of everything else relative to their mean over 64 positions of equal exposure."""
    return np.random.default_rng(1).permutation(np.repeat([0.5, 1.0, 2.0], [28, 22, 14]))


@pytest.mark.parametrize("weight", [1.0, 0.125, 8.0, 0.7, 3.0])
@pytest.mark.parametrize("concentrated", [False, True], ids=["flat", "concentrated"])
def test_the_mean_likelihood_ratio_over_the_background_is_one(weight, concentrated):
    """The mean of L over the positions of a background photon is 1, whatever its energy and time.

    One photon is put on each cell in turn. Its weight is relative to the density at its position.
    """
    good = (some_cells() > 0.0).astype(float) if concentrated else some_cells()
    rows, columns = np.nonzero(good)
    density = concentrations() if concentrated else np.ones(rows.size)
    looked = good[rows, columns]
    mean = 0.0
    for row, column, here, part in zip(rows, columns, density, looked, strict=True):
        photon = Counts(
            np.array([column]), np.array([row]), np.ones(1), good, np.array([weight / here]), CELL,
            concentration=np.array([here]),
        )  # fmt: skip
        mean = mean + part * here * np.exp(whole_field(photon, PSF)[0])
    # Between powers of two ln(1 + r w p) is interpolated, with an error of second order in ln w.
    exact = np.log2(weight).is_integer()
    np.testing.assert_allclose(mean / looked.sum(), 1.0, atol=1e-4 if exact else 0.1)


@pytest.mark.parametrize("weight", [0.03, 1.0, 17.0])
@pytest.mark.parametrize("log_ratio", [4.0, 11.0])
def test_the_mean_likelihood_ratio_of_single_photons_is_exactly_one(weight, log_ratio):
    good = np.zeros((256, 256))
    good[1::32, 2::32] = np.linspace(0.2, 1.0, 64).reshape(8, 8)
    rows, columns = np.nonzero(good)
    looked = good[rows, columns]
    density = np.random.default_rng(2).exponential(size=rows.size)
    density /= np.average(density, weights=looked)
    fit, mean = fit_at(100.0, 60.0, log_ratio), 0.0
    for row, column, here, part in zip(rows, columns, density, looked, strict=True):
        photon = Counts(
            np.array([column]), np.array([row]), np.ones(1), good, np.array([weight / here]),
            concentration=np.array([here]),
        )  # fmt: skip
        mean += part * here * np.exp(positional_log_likelihood(photon, PSF, fit))
    assert mean / looked.sum() == pytest.approx(1.0, rel=1e-12)


def test_a_source_without_photons_has_a_log_likelihood_ratio_of_zero():
    counts = Scene.of_background(draw_field(1, [(100.0, 60.0, 100)]).counts()).photons_to_explain
    assert positional_log_likelihood(counts, PSF, fit_at(90.0, 200.0, -30.0)) == pytest.approx(0.0, abs=1e-9)
    field, part = whole_field(counts, PSF)
    # The lowest value of r is a source of 1/257 of the photons on a background of the same energies.
    assert np.abs(field[0]).max() < 3.0
    assert part[0].max() < 0.05
    faint = Counts(
        counts.column, counts.row, counts.number, counts.good, 2.0**-8 * np.ones(counts.number.size),
        concentration=np.ones(counts.number.size),
    )  # fmt: skip
    assert np.abs(whole_field(faint, PSF)[0][0]).max() < 0.05


def test_the_map_is_the_position_only_likelihood_at_the_cell_centres():
    scene = Scene.of_background(draw_field(2, [(100.0, 60.0, 150), (180.0, 190.0, 150)]).counts())
    source = SceneSource.of(scene.counts, PSF, fit_at(180.0, 190.0, 11.0))
    counts = scene.with_sources((source,), np.array([0.25])).photons_to_explain
    assert np.ptp(counts.concentration) > 1.0
    field, _ = whole_field(counts, PSF)
    centre = cell_centres()
    for k, row, column in [(4, 7, 12), (8, 20, 20), (10, 0, 31)]:
        fit = fit_at(centre[column], centre[row], float(np.log(likelihood._RATIOS[k])))
        expected = positional_log_likelihood(counts, PSF, fit)
        assert field[k, row, column] == pytest.approx(expected, rel=0.05, abs=1.5)


def test_both_likelihoods_agree_without_weights():
    image = np.random.default_rng(3).poisson(0.005, (256, 256))
    counts = Counts.from_image(image, np.ones((256, 256)))
    fit = likelihood.maximise(counts, PSF, (100.0, 60.0, 9.0))
    assert positional_log_likelihood(counts, PSF, fit) == pytest.approx(fit.log_likelihood, abs=0.05)
