import numpy as np
import pytest

from benchmarks.realsky.facts import channel, sigma_kev
from mxtvhf.localisation.misfit import energies_are_expected, largest_excess, times_are_expected
from mxtvhf.localisation.position import default_psf
from mxtvhf.localisation.stretch import Stretch, best_stretch
from mxtvhf.models.intervals import length
from support.fields import CALIBRATION, GTI, draw_field

BURST = (100.0, 60.0, 150)
FLAT = np.ones((1, 64))
NO_STRETCH = Stretch(0.0, 1.0, np.ones(1), 1.0, (0.0, 0.0))


def moments(part):
    """Return the times at which given fractions of the good time have elapsed."""
    passed = part * length(GTI)
    return np.where(passed < 300.0, GTI[0, 0] + passed, GTI[1, 0] + passed - 300.0)


def expected(time, stretch=NO_STRETCH, burst_time=50.0):
    return times_are_expected(time, GTI, burst_time, stretch)


# --- the statistic


def test_the_excess_agrees_with_a_calculation_by_hand():
    """One cell holds 21 of 84 photons; 84 / 64 are expected."""
    cell = np.append(np.arange(64), np.full(20, 5))
    n, k, mean = 84.0, 21.0, 84.0 / 64.0
    by_hand = 2.0 * (k * np.log(k / mean) + (n - k) * np.log((n - k) / (n - mean)))
    assert largest_excess(cell, FLAT) == pytest.approx(by_hand)


def test_a_broad_excess_is_found_at_its_width():
    narrow = largest_excess(np.repeat(np.arange(64), 4), FLAT)
    assert narrow == pytest.approx(0.0, abs=1e-9)
    broad = np.append(np.repeat(np.arange(64), 4), np.repeat(np.arange(20, 28), 4))
    assert largest_excess(broad, FLAT) > 20.0


def test_a_component_that_explains_the_excess_removes_it():
    cell = np.append(np.repeat(np.arange(64), 4), np.full(40, 5))
    line = np.where(np.arange(64) == 5, 64.0, 0.0)
    assert largest_excess(cell, FLAT) > 100.0
    assert largest_excess(cell, np.vstack([FLAT, line])) < 1.0


@pytest.mark.parametrize("cells", [[3], [3] * 500, list(range(64))], ids=["one", "all alike", "one in each"])
def test_any_photons_give_a_finite_statistic(cells):
    assert np.isfinite(largest_excess(np.array(cells), FLAT))


def test_the_statistic_is_far_below_the_threshold_by_chance():
    rng = np.random.default_rng(1)
    excess = [largest_excess(rng.integers(0, 64, count), FLAT) for count in (5, 20, 50, 300) * 250]
    assert np.mean(np.array(excess) > 25.0) <= 1e-3
    assert np.median(excess) < 10.0


# --- energies


@pytest.mark.parametrize("sky", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("sources", [[], [BURST]], ids=["empty", "burst"])
def test_the_energies_of_usual_fields_are_expected(sky, sources):
    fields = [draw_field(seed, sources, background=300, sky=sky) for seed in range(10)]
    assert all(energies_are_expected(field.pha, CALIBRATION) for field in fields)


@pytest.mark.parametrize("kev", [1.0, 3.0, 6.4])
def test_a_line_missing_from_the_calibration_is_noticed(kev):
    rng = np.random.default_rng(1)
    for seed in range(5):
        pha = draw_field(seed, [BURST], background=240).pha
        line = channel(kev + sigma_kev(np.array([kev])) * rng.standard_normal(60))
        assert not energies_are_expected(np.append(pha, line), CALIBRATION)


def test_many_photons_of_one_energy_are_unexpected_but_a_few_are_not():
    assert not energies_are_expected(np.full(60, 400), CALIBRATION)
    assert energies_are_expected(np.full(2, 400), CALIBRATION)


# --- times


def test_constant_and_fading_light_curves_are_expected():
    rng = np.random.default_rng(2)
    for _ in range(10):
        steady, early = rng.random(300), 0.3 * rng.random(300) ** 2
        assert expected(moments(steady))
        assert expected(moments(np.append(steady, early)))


def test_a_flare_is_expected_in_its_interval():
    field, rng = draw_field(3, [(100.0, 60.0, 80)]), np.random.default_rng(103)
    time = moments(np.append(rng.random(300), rng.uniform(0.6, 0.64, 80)))
    found = best_stretch(*field.places, np.ones(380), time, GTI, np.ones((256, 256)), default_psf())
    assert expected(time, found)
    assert not expected(time, NO_STRETCH)


def test_photons_of_a_single_frame_are_unexpected():
    assert not expected(np.append(moments(np.random.default_rng(5).random(20)), np.full(60, 222.2)))
