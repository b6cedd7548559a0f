from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.analysis.powerlaw import PowerLaw
from mxtvhf.analysis.throughput import expected_counts
from mxtvhf.errors import InvalidInput
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.instrument.constants import instrument
from mxtvhf.localisation.position import default_psf
from mxtvhf.simulator.photons import draw_pixels, draw_pulse_heights, draw_times, simulate_photons

CASE = {"x": 100.3, "y": 60.2, "counts": 200.0, "background": 100.0, "start": 1000.0, "stop": 1600.0}


def photons(seed=1, **changes):
    return simulate_photons(**{**CASE, **changes}, rng=np.random.default_rng(seed))


def test_the_same_seed_gives_the_same_photons():
    first, again, other = photons(1), photons(1), photons(2)
    for column in ("time", "x", "y", "pha"):
        np.testing.assert_array_equal(getattr(first, column), getattr(again, column))
    assert len(first) != len(other) or not np.array_equal(first.x, other.x)


def test_photons_are_a_time_ordered_list_of_the_right_types():
    made = photons(decay_index=1.2, burst_time=900.0)
    assert [column.dtype for column in (made.time, made.x, made.y, made.pha)] == [
        np.float64, np.int16, np.int16, np.int32,
    ]  # fmt: skip
    assert (np.diff(made.time) >= 0).all()
    frame = (made.time - CASE["start"]) / instrument().detector.frame_time_s
    np.testing.assert_allclose(frame, np.round(frame), atol=1e-6)
    assert made.time.min() >= CASE["start"]
    assert made.time.max() < CASE["stop"]
    low, high = instrument().energy.band_kev
    energy = default_calibration().gain.energy(made.pha)
    assert energy.min() >= low - 1e-9
    assert energy.max() <= high + 1e-9


def test_numbers_are_poisson_or_exact():
    totals = [len(photons(seed)) for seed in range(200)]
    assert np.mean(totals) == pytest.approx(300, abs=4 * np.sqrt(300 / 200))
    assert np.var(totals) == pytest.approx(300, rel=0.4)
    assert len(photons(exact=True)) == 300
    assert len(photons(counts=0.0, background=0.0)) == 0


def test_bad_pixels_hold_no_photons():
    bad = np.zeros((256, 256), dtype=bool)
    bad[:, 90:110] = True
    made = photons(bad_pixels=bad, exact=True)
    assert len(made) < 300
    assert not bad[made.y, made.x].any()


def test_pixels_follow_the_psf():
    psf = default_psf()
    column, row = draw_pixels(np.random.default_rng(3), 200_000, 100.3, 60.2, psf)
    for drawn, centre in ((column, 100.3), (row, 60.2)):
        expected = psf.fractions(centre, 256)
        expected *= 200_000 / expected.sum()
        chi2 = ((np.bincount(drawn, minlength=256) - expected) ** 2 / expected).sum()
        assert chi2 == pytest.approx(255, abs=5 * np.sqrt(2 * 255))


@given(index=st.sampled_from([0.0, 0.5, 1.0, 1.0 + 1e-10, 1.5, 3.0]), delay=st.floats(1.0, 500.0))
def test_arrival_times_follow_the_decay(index, delay):
    start, stop, burst = 1000.0, 1600.0, 1000.0 - delay
    time = draw_times(np.random.default_rng(4), 4000, start, stop, burst, index)
    assert start <= time.min() <= time.max() <= stop
    grid = np.geomspace(delay, delay + 600.0, 4001)
    rate = grid**-index
    steps = 0.5 * (rate[1:] + rate[:-1]) * np.diff(grid)
    share = np.concatenate([[0.0], np.cumsum(steps)]) / steps.sum()
    expected = np.interp(np.sort(time) - burst, grid, share)
    # Kolmogorov-Smirnov: 2.0 / sqrt(n) is exceeded with a probability of 7e-4.
    assert np.abs(expected - (np.arange(4000) + 0.5) / 4000).max() < 2.0 / np.sqrt(4000)


def test_pulse_heights_show_the_spectrum_and_the_resolution():
    rng = np.random.default_rng(5)
    calibration = default_calibration()

    def energies(**law):
        drawn = draw_pulse_heights(rng, 20_000, PowerLaw(**law), calibration)
        return calibration.gain.energy(drawn)

    soft, hard = (energies(photon_index=index, nh_cm2=0.0) for index in (3.0, 1.0))
    assert np.median(soft) < np.median(hard)
    absorbed = energies(photon_index=3.0, nh_cm2=5e21)
    assert np.mean(absorbed < 0.5) < 0.1 * np.mean(soft < 0.5)


def test_counts_of_a_flux():
    middle = expected_counts(1e-10, 100.0, 127.5, 127.5)
    # In flight one count/s was about 1e-10 erg/cm2/s; the optics alone have a somewhat larger area.
    assert 100.0 < middle < 200.0
    assert expected_counts(2e-10, 50.0, 127.5, 127.5) == pytest.approx(middle)
    assert expected_counts(1e-10, 100.0, 0.0, 127.5) < 0.6 * middle
    assert expected_counts(1e-10, 100.0, 127.5, 127.5, PowerLaw(photon_index=1.0)) < middle


def test_the_instrument_is_that_of_the_calibration():
    usual = default_calibration()
    low, high = instrument().energy.band_kev
    gain = usual.gain.model_copy(update={"kev_per_channel": 0.0033, "offset_kev": 0.05})
    area = usual.effective_area.model_copy(update={"energy_kev": (0.1, 2.0), "area_cm2": (24.0, 24.0)})
    other = replace(usual, gain=gain, effective_area=area)
    energy = gain.energy(photons(calibration=other, background=4000.0).pha)
    assert low <= energy.min() < low + 0.01
    assert high - 0.01 < energy.max() <= high
    # Without the loss of effective area above 2 keV the photons would be harder.
    plain = photons(counts=4000.0, background=0.0).pha
    assert np.mean(gain.energy(photons(calibration=other, counts=4000.0, background=0.0).pha) > 2.0) > (
        1.5 * np.mean(usual.gain.energy(plain) > 2.0)
    )
    half = replace(other, effective_area=area.model_copy(update={"area_cm2": (12.0, 12.0)}))
    counts = [expected_counts(1e-10, 100.0, 99.0, 127.5, calibration=one) for one in (other, half)]
    assert counts[0] == pytest.approx(2.0 * counts[1])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": 256.0}, "outside the detector"),
        ({"y": float("nan")}, "outside the detector"),
        ({"counts": -1.0}, "counts = -1"),
        ({"background": float("inf")}, "background = inf"),
        ({"stop": 1000.0}, "is not before stop"),
        ({"decay_index": 1.0}, "needs a burst time"),
        ({"decay_index": 1.0, "burst_time": 1000.0}, "needs a burst time"),
        ({"decay_index": float("nan"), "burst_time": 900.0}, "needs a burst time"),
    ],
)
def test_impossible_bursts_are_refused(changes, words):
    with pytest.raises(InvalidInput, match=words):
        photons(**changes)
