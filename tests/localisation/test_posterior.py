from functools import cache

import numpy as np
import pytest

from mxtvhf.instrument.constants import pixel_scale_arcsec
from mxtvhf.localisation.position import localise
from mxtvhf.simulator.photons import simulate_photons

STEP = 0.25
"""Pixels: 0.4 standard errors of the source with the smallest error, which is enough for a smooth density."""
GRID = np.arange(-0.5 + 0.5 * STEP, 255.5, STEP)


def posterior(counts, background, *, x=100.3, y=60.2, seed=1):
    photons = simulate_photons(
        x=x, y=y, counts=counts, background=background, start=0.0, stop=100.0,
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    return localise(photons.x, photons.y)


@cache
def on_grid(counts, background):
    """Return the localisation of a case, and its density on the grid, which takes long to evaluate."""
    found = posterior(counts, background)
    density = found.posterior.density(GRID, GRID[:, np.newaxis])
    density.setflags(write=False)
    return found, density


CASES = [(15, 50), (60, 50), (120, 300), (5000, 1000)]


@pytest.mark.parametrize(("counts", "background"), CASES)
@pytest.mark.parametrize("sigma", [0.0, 0.9, 3.0])
def test_the_probability_on_the_detector_is_one(counts, background, sigma):
    found, density = on_grid(counts, background)
    if sigma:
        density = found.posterior.smoothed(sigma).density(GRID, GRID[:, np.newaxis])
    assert density.sum() * STEP**2 == pytest.approx(1.0, abs=4e-3)
    assert (density >= 0.0).all()


@pytest.mark.parametrize(("x", "y"), [(2.0, 253.0), (0.0, 255.0), (-0.4, 100.0)])
def test_near_an_edge_the_probability_is_on_the_detector(x, y):
    found = posterior(120, 300, x=x, y=y).posterior
    assert found.density(GRID, GRID[:, np.newaxis]).sum() * STEP**2 == pytest.approx(1.0, abs=0.01)
    assert found.density(-0.6, 253.0) == 0.0
    assert found.density([300.0, 2.0], [253.0, 256.0]).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("counts", "background"), CASES[1:])
def test_the_radii_agree_with_the_integrated_density(counts, background):
    found, density = on_grid(counts, background)
    distance = pixel_scale_arcsec() * np.hypot(GRID - found.x, (GRID - found.y)[:, np.newaxis])
    for radius, part in ((found.r50, 0.5), (found.r90, 0.9)):
        assert density[distance <= radius].sum() * STEP**2 == pytest.approx(part, abs=0.02)


@pytest.mark.parametrize(("counts", "background"), CASES)
def test_the_region_above_the_level_holds_its_fraction(counts, background):
    found, density = on_grid(counts, background)
    level, area = found.posterior.level(0.9)
    inside = density >= level
    assert density[inside].sum() * STEP**2 == pytest.approx(0.9, abs=0.02)
    assert inside.sum() * STEP**2 == pytest.approx(area, rel=0.05)


def test_a_systematic_error_adds_in_quadrature():
    found = posterior(5000, 1000).posterior
    sigma = 2.0
    (statistical,) = found.radii([0.9])
    (total,) = found.smoothed(sigma).radii([0.9])
    assert total == pytest.approx(np.hypot(statistical, sigma * np.sqrt(2.0 * np.log(10.0))), rel=0.01)
