import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.realsky.known_background import located
from benchmarks.realsky.optics import Optics
from benchmarks.realsky.scene import Background, Case, Source, draw
from benchmarks.realsky.times import Flare, Varying
from mxtvhf.localisation.constants import population
from mxtvhf.localisation.position import default_psf
from mxtvhf.localisation.stretch import best_stretch
from mxtvhf.models.intervals import elapsed

PSF = default_psf()
WHOLE = np.array([[1000.0, 2000.0]])
GAPS = np.array([[1000.0, 1200.0], [1500.0, 2100.0], [3000.0, 3200.0]])
EVERYWHERE = np.ones((256, 256))


def moments(part, gti):
    """Return the times at which given fractions of the good time have elapsed."""
    over = np.concatenate([[0.0], np.cumsum(np.diff(gti).ravel())])
    interval = np.clip(np.searchsorted(over, part * over[-1], side="right") - 1, 0, len(gti) - 1)
    return gti[interval, 0] + part * over[-1] - over[interval]


def flaring(seed, gti, *, flare=(0.6, 0.65), photons=25, background=300, exposure=EVERYWHERE):
    rng = np.random.default_rng(seed)
    x, y = np.rint(
        np.concatenate(
            [rng.uniform(-0.5, 255.5, (2, background)), Optics().places(100.0, 60.0, photons, rng)], axis=1
        )
    ).astype(int)
    part = np.concatenate([rng.random(background), rng.uniform(*flare, photons)])
    kept = exposure[y, x] > 0.0
    return x[kept], y[kept], moments(part, gti)[kept]


def stretch_of(x, y, time, gti, weights=None, exposure=EVERYWHERE):
    return best_stretch(x, y, np.ones(x.size) if weights is None else weights, time, gti, exposure, PSF)


@pytest.mark.parametrize("gti", [WHOLE, GAPS], ids=["no gap", "gaps"])
@pytest.mark.parametrize("flare", [(0.02, 0.06), (0.6, 0.65), (0.5, 0.74)], ids=["early", "short", "long"])
def test_a_flare_is_found_in_its_interval(gti, flare):
    offsets = []
    for seed in range(5):
        x, y, time = flaring(seed, gti, flare=flare)
        found = stretch_of(x, y, time, gti)
        common = min(found.stop, flare[1]) - max(found.start, flare[0])
        # A part of a long flare may stand out more than the whole.
        assert common > 0.5 * min(flare[1] - flare[0], found.stop - found.start)
        assert found.stop - found.start < 3.0 * (flare[1] - flare[0]) + 2 / 64
        assert found.weights[-25:].mean() > 1.5
        offsets.append(np.hypot(found.position[0] - 100.0, found.position[1] - 60.0))
    # The core of the PSF is 44 pixels wide.
    assert np.median(offsets) < 22.0


@pytest.mark.parametrize("trial", [6, 30])
def test_a_late_flare_that_stands_out_in_no_map_of_the_field_is_detected(trial):
    """The flares have 21 and 16 photons, the background has 675."""
    case = Case("late flare", Background(675), (Source(25, times=Flare()),))
    drawn = draw(case, np.random.default_rng((7, 1545913303, trial)))
    found = located(case, drawn)
    assert found.detected
    assert np.hypot(found.x - drawn.places[0][0], found.y - drawn.places[0][1]) < 22.0


@pytest.mark.parametrize("trial", [449, 698])
def test_a_flare_of_the_background_is_not_a_source(trial):
    """A tenth of the 300 photons would be a source (TS 23 and 18) if only sources could flare."""
    case = Case("flare of the background", Background(300, times=Varying(0.3, 0.0)))
    found = located(case, draw(case, np.random.default_rng((5, 300, trial))))
    assert not found.detected
    assert found.ts < 10.0


@given(seed=st.integers(0, 1000), photons=st.integers(1, 60), gaps=st.booleans())
@settings(max_examples=25, deadline=None)
def test_the_weights_have_a_mean_of_one_over_the_good_time(seed, photons, gaps):
    gti = GAPS if gaps else WHOLE
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 256, (2, photons + 6400))
    # The photons of the second part have the weight 0: they only mark the time.
    part = np.concatenate([rng.random(photons), (np.arange(6400) + 0.5) / 6400])
    weights = np.concatenate([np.ones(photons), np.full(6400, 1e-9)])
    found = stretch_of(x, y, moments(part, gti), gti, weights)
    assert found.weights[photons:].mean() == pytest.approx(1.0, abs=1e-6)
    assert (found.weights > 0.0).all()
    assert 0.0 <= found.start < found.stop <= 1.0


def test_only_photons_in_the_interval_have_high_weights():
    x, y, time = flaring(1, GAPS)
    found = stretch_of(x, y, time, GAPS)
    part = elapsed(time, GAPS)
    inside = (part >= found.start) & (part < found.stop)
    np.testing.assert_allclose(found.weights[~inside], 1e-3)
    height = found.weights[inside]
    np.testing.assert_allclose(height, height[0])
    assert height[0] * (found.stop - found.start) == pytest.approx(1.0, abs=2e-3)


def test_a_gap_does_not_change_the_interval():
    """The photons are the same in elapsed good time: the length of the gaps does not matter."""
    x, y, time = flaring(2, GAPS)
    longer = np.array([[1000.0, 1200.0], [9500.0, 10100.0], [30000.0, 30200.0]])
    same = moments(elapsed(time, GAPS), longer)
    one, other = stretch_of(x, y, time, GAPS), stretch_of(x, y, same, longer)
    assert (one.start, one.stop) == (other.start, other.stop)


def test_all_intervals_share_the_prior_probability_equally():
    x, y, time = flaring(3, WHOLE)
    share = stretch_of(x, y, time, WHOLE).share
    assert 0.0 < share < population().stretch_share
    number = population().stretch_share / share
    assert number == pytest.approx(round(number))
    assert number > 32


def test_photons_with_source_energies_count_more():
    x, y, time = flaring(4, WHOLE, flare=(0.2, 0.25))
    late_x, late_y, late = flaring(5, WHOLE, flare=(0.8, 0.85), background=0)
    x, y, time = np.append(x, late_x), np.append(y, late_y), np.append(time, late)
    for early, late, flare in ((0.3, 3.0, 0.825), (3.0, 0.3, 0.225)):
        weights = np.concatenate([np.ones(300), np.full(25, early), np.full(25, late)])
        found = stretch_of(x, y, time, WHOLE, weights)
        assert found.start < flare < found.stop < found.start + 0.3


def test_unexposed_parts_of_the_detector_are_allowed():
    exposure = EVERYWHERE.copy()
    exposure[:, 90:] = 0.0
    x, y, time = flaring(6, WHOLE, exposure=exposure)
    found = stretch_of(x, y, time, WHOLE, exposure=exposure)
    assert min(found.stop, 0.65) - max(found.start, 0.6) > 0.02


def test_a_single_photon_gives_an_interval():
    found = stretch_of(np.array([7]), np.array([9]), np.array([1990.0]), WHOLE)
    assert np.isfinite(found.weights).all()
