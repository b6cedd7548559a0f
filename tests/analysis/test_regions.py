import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.analysis.regions import choose_regions, distances, regions_at
from mxtvhf.errors import InvalidInput
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.instrument.psf import LobsterEyePsf

PSF = LobsterEyePsf.of(default_calibration().psf)
GOOD = np.ones((256, 256), bool)


def test_fractions_are_those_of_the_image():
    found = regions_at(100.3, 140.8, 40.0, psf=PSF, exposure=GOOD)
    reference = PSF.enclosed(127.5, 127.5)
    inside = distances(100.3, 140.8) <= 40.0
    assert found.source_fraction == pytest.approx(PSF.enclosed(100.3, 140.8, inside) / reference)
    assert not (found.source & found.background).any()
    assert found.background_fraction > 0.2, "the source covers the whole detector"
    assert found.effective_fraction < found.source_fraction


def test_bad_pixels_are_in_neither_region():
    good = GOOD.copy()
    good[:, 100:110] = False
    whole, cut = (regions_at(105.0, 128.0, 30.0, psf=PSF, exposure=mask) for mask in (GOOD, good))
    assert not cut.source[~good].any()
    assert not cut.background[~good].any()
    assert cut.source_fraction < 0.9 * whole.source_fraction


def test_the_difference_of_the_regions_has_the_effective_fraction_as_its_mean():
    rng = np.random.default_rng(1)
    found = regions_at(60.0, 180.0, 50.0, psf=PSF, exposure=GOOD)
    source, background = 2000.0, 3000.0
    per_pixel = background / GOOD.size
    mean = source * PSF.image(60.0, 180.0) / PSF.enclosed(127.5, 127.5) + per_pixel
    net = []
    for _ in range(200):
        image = rng.poisson(mean)
        net.append(image[found.source].sum() - found.area_ratio * image[found.background].sum())
    error = np.std(net) / np.sqrt(len(net))
    assert abs(np.mean(net) - source * found.effective_fraction) < 4.0 * error


def signal_to_noise(radius, n_source, n_background):
    found = regions_at(128.0, 128.0, radius, psf=PSF, exposure=GOOD)
    photons = n_source / PSF.enclosed(128.0, 128.0) * PSF.enclosed(127.5, 127.5)
    level = n_background / GOOD.size
    on, off = (
        photons * part + level * area
        for part, area in zip((found.source_fraction, found.background_fraction), found.areas, strict=True)
    )
    return photons * found.effective_fraction / np.sqrt(on + found.area_ratio**2 * off)


@pytest.mark.parametrize(("n_source", "n_background"), [(60.0, 50.0), (300.0, 1000.0)])
def test_the_chosen_radius_has_the_best_signal_to_noise(n_source, n_background):
    best = choose_regions(128.0, 128.0, n_source=n_source, n_background=n_background, psf=PSF, exposure=GOOD)
    around = [signal_to_noise(best.radius + step, n_source, n_background) for step in (-8.0, 0.0, 8.0)]
    assert max(around) == around[1]


@given(st.floats(-0.5, 255.5), st.floats(-0.5, 255.5), st.floats(1.0, 1e5), st.floats(0.0, 1e5))
def test_regions_everywhere_contain_a_fraction_of_the_source(x, y, n_source, n_background):
    found = choose_regions(x, y, n_source=n_source, n_background=n_background, psf=PSF, exposure=GOOD)
    assert 0.0 < found.effective_fraction < 1.0
    assert min(found.areas) > 0


@pytest.mark.parametrize(
    ("x", "n_source", "good", "message"),
    [
        (300.0, 10.0, GOOD, r"position \(300.0, 100.0\) is outside the detector"),
        (float("nan"), 10.0, GOOD, "is outside the detector"),
        (100.0, 0.0, GOOD, r"source \(0.0\) and background photons \(5.0\)"),
        (100.0, float("nan"), GOOD, r"source \(nan\)"),
        (100.0, 10.0, ~GOOD, "too few good detector pixels"),
        (100.0, 10.0, distances(100.0, 100.0) < 20.0, "too few good detector pixels"),
    ],
)
def test_bad_input(x, n_source, good, message):
    with pytest.raises(InvalidInput, match=message):
        choose_regions(x, 100.0, n_source=n_source, n_background=5.0, psf=PSF, exposure=good)
