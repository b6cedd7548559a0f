import numpy as np
import pytest
from astropy.stats import bayesian_blocks, poisson_conf_interval
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.analysis.decay import fit_decay
from mxtvhf.analysis.event_blocks import EventBlocks
from mxtvhf.analysis.hardness import draw_source_counts, hardness_ratio
from mxtvhf.analysis.light_curve import (
    RegionPhotons,
    block_edges,
    fixed_edges,
    net_counts,
    rate_bins,
    time_of_live,
)
from mxtvhf.analysis.regions import regions_at
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.instrument.constants import instrument
from mxtvhf.instrument.psf import LobsterEyePsf
from mxtvhf.models.intervals import live_time
from mxtvhf.simulator.photons import draw_times

PSF = LobsterEyePsf.of(default_calibration().psf)
REGIONS = regions_at(128.0, 128.0, 50.0, psf=PSF, exposure=np.ones((256, 256), bool))
START = 2.9e8
FRAME = instrument().detector.frame_time_s


def photons_of(source, background=(), gti=((0.0, 600.0),), energy=1.0):
    on, off = (START + np.sort(np.asarray(times, float)) for times in (source, background))
    return RegionPhotons(
        REGIONS, START + np.array(gti, float), on, off, np.full(on.size, energy), np.full(off.size, energy)
    )


def fading(rng, counts, background, index, gti=((0.0, 600.0),), since=200.0):
    """Return the photons of both regions for ``counts`` source photons on the whole detector."""
    first, last = gti[0][0], gti[-1][1]
    times = []
    for part, area in zip((REGIONS.source_fraction, REGIONS.background_fraction), REGIONS.areas, strict=True):
        source = draw_times(rng, rng.poisson(counts * part), first, last, first - since, index)
        flat = rng.uniform(first, last, rng.poisson(background * area / 65536))
        both = np.concatenate([source, flat])
        times.append(both[[any(low <= time < high for low, high in gti) for time in both]])
    return photons_of(*times, gti=gti)


@st.composite
def good_times(draw):
    steps = draw(st.lists(st.floats(0.5, 300.0), min_size=2, max_size=10).filter(lambda s: len(s) % 2 == 0))
    return np.cumsum(steps).reshape(-1, 2)


@given(good_times(), st.lists(st.floats(0.0, 1.0), max_size=60))
def test_bins_contain_every_photon_and_the_whole_exposure(gti, places):
    live = np.array(places) * (gti[:, 1] - gti[:, 0]).sum() * 0.999
    times = [time for time in time_of_live(live, gti) if ((gti[:, 0] <= time) & (time < gti[:, 1])).any()]
    photons = photons_of(times, times[::2], gti=gti)
    for edges in (fixed_edges(photons), block_edges(photons)):
        bins = rate_bins(photons, edges, START)
        assert sum(one.source_photons for one in bins) == len(times)
        assert sum(one.background_photons for one in bins) == len(times[::2])
        assert sum(one.exposure_s for one in bins) == pytest.approx(photons.exposure, abs=1e-5)
        assert all((one.rate is None) == (one.exposure_s < FRAME) for one in bins)


@given(st.floats(0.1, 5000.0), st.integers(0, 400))
def test_bins_of_a_good_time_without_gaps_are_equally_exposed(length, count):
    photons = photons_of(np.linspace(0.0, 0.999 * length, count), gti=((0.0, length),))
    exposure = [one.exposure_s for one in rate_bins(photons, fixed_edges(photons), START)]
    assert exposure == pytest.approx([length / len(exposure)] * len(exposure), abs=1e-6)
    assert min(exposure) >= FRAME - 1e-6


def test_a_bin_that_touches_good_time_by_less_than_a_frame_has_no_rate():
    photons = photons_of([5.0], gti=((0.0, 10.0),))
    touching = START + np.array([0.0, 5.0, 10.0 - 1e-6, 20.0])
    rates = [one.rate for one in rate_bins(photons, touching, START)]
    assert [rate is None for rate in rates] == [False, False, True]


@given(good_times(), st.floats(0.001, 0.999))
def test_live_time_and_back(gti, part):
    live = np.array([part * (gti[:, 1] - gti[:, 0]).sum()])
    assert live_time(time_of_live(live, gti), gti) == pytest.approx(live)


def test_time_of_the_end_of_an_interval_is_the_middle_of_the_gap():
    gti = np.array([[0.0, 10.0], [30.0, 50.0]])
    assert time_of_live(np.array([0.0, 5.0, 10.0, 15.0, 30.0]), gti).tolist() == [0.0, 5.0, 20.0, 35.0, 50.0]


@pytest.mark.parametrize("count", [0, 1, 7, 100])
def test_errors_are_gehrels_limits(count):
    low, high = poisson_conf_interval(count, interval="frequentist-confidence")
    found = net_counts(count, 0, 1e-9)
    assert count - found.error_low == pytest.approx(low, abs=1e-6)
    assert count + found.error_high == pytest.approx(high, abs=1e-6)


def test_bin_without_good_time_has_no_rate():
    photons = photons_of(np.arange(0.0, 100.0, 0.5), gti=((0.0, 100.0), (900.0, 1000.0)))
    rates = [one.rate for one in rate_bins(photons, fixed_edges(photons), START)]
    assert None in rates
    assert rates[0] is not None


def test_rate_is_that_of_the_source():
    photons = fading(np.random.default_rng(3), 20_000.0, 1000.0, 0.0)
    (whole,) = rate_bins(photons, np.array([START, START + 600.0]), START)
    assert abs(whole.rate.value - 20_000.0 / 600.0) < 4.0 * whole.rate.error_high


def test_a_constant_source_is_one_block():
    blocks = [
        len(block_edges(fading(np.random.default_rng(seed), 200.0, 200.0, 0.0))) - 1 for seed in range(60)
    ]
    assert sum(number > 1 for number in blocks) <= 5, "false alarms are set to 1 %"


@pytest.mark.parametrize("count", [2, 30, 300])
def test_blocks_are_those_of_astropys_own_fitness(count):
    rng = np.random.default_rng(count)
    time = np.cumsum(rng.exponential(np.repeat([1.0, 0.1], count // 2)))
    photons = rng.integers(1, 4, time.size)
    ours = bayesian_blocks(time, x=photons, fitness=EventBlocks(p0=0.01))
    np.testing.assert_array_equal(ours, bayesian_blocks(time, x=photons, fitness="events", p0=0.01))
    assert len(ours) > 2 or count == 2


def test_a_gap_in_the_gtis_is_not_a_change():
    gti = ((0.0, 200.0), (2000.0, 2200.0))
    counts = [
        len(block_edges(photons_of(*_constant(np.random.default_rng(seed), gti), gti=gti))) - 1
        for seed in range(40)
    ]
    assert sum(number > 1 for number in counts) <= 4


def _constant(rng, gti):
    return [np.concatenate([rng.uniform(low, high, 80) for low, high in gti]) for _ in range(2)]


def test_a_flare_is_found_where_it_is():
    rng = np.random.default_rng(5)
    photons = photons_of(
        [*rng.uniform(0.0, 600.0, 100), *rng.uniform(300.0, 320.0, 60)], rng.uniform(0, 600, 50)
    )
    inner = block_edges(photons)[1:-1] - START
    assert len(inner) == 2
    assert inner == pytest.approx([300.0, 320.0], abs=3.0)


def test_many_photons_share_cells():
    rng = np.random.default_rng(6)
    photons = fading(rng, 300_000.0, 300.0, 2.5)
    edges = block_edges(photons)
    assert 5 < len(edges) < 300
    assert (np.diff(edges) > 0.0).all()


def test_decay_index_of_many_photons():
    photons = fading(np.random.default_rng(7), 50_000.0, 500.0, 1.3)
    fit, doubt = fit_decay(photons, START - 200.0)
    assert doubt is None
    assert abs(fit.index.value - 1.3) < 4.0 * fit.index.error_high
    assert fit.index.error_high < 0.03
    since = np.linspace(200.0, 800.0, 4001)
    rate = fit.rate_at_reference * (since / fit.reference_s) ** -fit.index.value
    assert np.trapezoid(rate, since) == pytest.approx(50_000.0, rel=0.03)


def test_decay_over_gaps():
    gti = ((0.0, 100.0), (400.0, 600.0))
    fit, _ = fit_decay(fading(np.random.default_rng(8), 50_000.0, 500.0, 1.3, gti=gti), START - 200.0)
    assert abs(fit.index.value - 1.3) < 4.0 * fit.index.error_high


def test_the_decay_interval_has_the_nominal_coverage():
    held, held_90 = [], []
    for seed in range(100):
        fit, _ = fit_decay(fading(np.random.default_rng([9, seed]), 120.0, 200.0, 1.2), START - 200.0)
        away = fit.index.value - 1.2
        held.append(-fit.index.error_high <= away <= fit.index.error_low)
        held_90.append(-fit.index_90.error_high <= away <= fit.index_90.error_low)
    # 68 of 100 expected; the limits are those of 4 standard deviations.
    assert 49 <= sum(held) <= 86
    assert 78 <= sum(held_90) <= 100


@pytest.mark.parametrize(
    ("t0", "source", "reason"),
    [
        (None, 100, "T0 is unknown"),
        (START + 50.0, 100, "T0 is 50.0 s after the start"),
        (START, 100, "T0 is 0.0 s after the start"),
        (START - 200.0, 0, "fading source photons, fewer than the required 15"),
        (START - 200.0, 3, "fading source photons, fewer than the required 15"),
    ],
)
def test_a_missing_decay_index_has_a_reason(t0, source, reason):
    rng = np.random.default_rng(1)
    found, why = fit_decay(photons_of(rng.uniform(0.0, 600.0, source)), t0)
    assert found is None
    assert reason in why


def test_a_decay_index_out_of_range_is_reported():
    found, why = fit_decay(photons_of(np.full(100, 0.1)), START - 200.0)
    assert found is None
    assert "outside -4 .. 14" in why


def test_hardness_of_many_photons_is_the_ratio():
    rng = np.random.default_rng(2)
    on = START + np.sort(rng.uniform(0, 600, 9000))
    gti, energy = START + np.array([[0.0, 600.0]]), np.tile([1.0, 1.0, 2.0], 3000)
    photons = RegionPhotons(REGIONS, gti, on, on[:0], energy, on[:0])
    found = hardness_ratio(photons)
    assert (found.soft_photons, found.hard_photons) == (6000, 3000)
    assert found.ratio.value == pytest.approx(-1 / 3, abs=0.02)
    assert found.ratio.error_low == pytest.approx(0.01, rel=0.1)


def test_hardness_without_photons_is_open():
    found = hardness_ratio(photons_of([]))
    assert abs(found.ratio.value) < 0.05
    assert found.ratio.error_low > 0.6
    assert found == hardness_ratio(photons_of([]))


def test_source_counts_of_a_measurement_without_background():
    draws = draw_source_counts(np.random.default_rng(1), 40_000, 10, 0, 1e-6)
    assert draws.mean() == pytest.approx(11.0, abs=0.1)
    assert draws.var() == pytest.approx(11.0, rel=0.05)
