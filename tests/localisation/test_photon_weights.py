from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.analysis.powerlaw import PowerLaw
from mxtvhf.errors import InvalidInput
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.instrument.constants import instrument
from mxtvhf.instrument.psf import LobsterEyePsf
from mxtvhf.localisation.constants import population
from mxtvhf.localisation.photon_weights import (
    energy_weights,
    expected_spectra,
    joint_weights,
    time_weights,
)
from mxtvhf.localisation.position import default_psf, localise
from mxtvhf.simulator.photons import simulate_photons

CALIBRATION = default_calibration()
GTI = np.array([[100.0, 300.0], [350.0, 500.0]])


def band_channels():
    low, high = instrument().energy.band_kev
    return np.arange(np.ceil(CALIBRATION.gain.channel(low)), CALIBRATION.gain.channel(high))


@given(index=st.floats(0.0, 4.0), nh=st.floats(0.0, 1e23))
def test_the_mean_energy_weight_of_a_flat_background_is_one(index, nh):
    weights = energy_weights(band_channels(), CALIBRATION, [PowerLaw(index, nh)])
    assert weights.mean() == pytest.approx(1.0, abs=0.02)
    assert (weights > 0.0).all()


def every_kind(photons):
    arrival = time_weights(photons.time, np.array([[100.0, 400.0]]), 0.0)
    return joint_weights(energy_weights(photons.pha, CALIBRATION), arrival)


def test_the_energy_weights_agree_with_simulated_photons():
    rng = np.random.default_rng(1)
    case = {"x": 100.0, "y": 60.0, "start": 0.0, "stop": 100.0, "rng": rng, "exact": True}
    pha = simulate_photons(counts=200_000, background=0, **case).pha
    edges = np.linspace(band_channels()[0], band_channels()[-1] + 1, 21)
    seen = np.histogram(pha, edges)[0] / len(pha) * 20
    channels = band_channels()
    expected = [
        energy_weights(channels[(channels >= low) & (channels < high)], CALIBRATION, [PowerLaw()]).mean()
        for low, high in pairwise(edges)
    ]
    np.testing.assert_allclose(seen[1:], expected[1:], rtol=0.1, atol=0.01)


@given(index=st.floats(0.0, 3.0))
def test_the_mean_time_weight_over_the_good_time_is_one(index):
    time = np.concatenate([np.arange(start, stop, 0.1) + 0.05 for start, stop in GTI])
    assert time_weights(time, GTI, 40.0, [index]).mean() == pytest.approx(1.0, rel=1e-3)


def test_a_fading_source_has_higher_weights_at_the_beginning():
    ((first, last),) = time_weights([100.0, 500.0], GTI, 0.0, [1.0])
    assert first == pytest.approx(5.0 * last)
    np.testing.assert_allclose(time_weights([100.0, 500.0], GTI, 0.0, [0.0]), 1.0)


def test_a_burst_time_after_the_start_is_refused():
    with pytest.raises(InvalidInput, match=r"burst time: MET 200\.0 s is not before the start"):
        time_weights([250.0], GTI, 200.0)


@pytest.mark.parametrize("gti", [np.empty((0, 2)), np.full((2, 2), 300.0)], ids=["no interval", "no length"])
def test_times_without_good_time_are_refused(gti):
    with pytest.raises(InvalidInput, match="total length is 0 s"):
        time_weights([250.0], gti, 200.0)


def test_an_empty_photon_list_gives_empty_weights():
    energy, time = energy_weights(np.empty(0, np.int32), CALIBRATION), time_weights([], GTI, 50.0)
    assert joint_weights(energy, time).shape == (len(energy) * len(time), 0)


@pytest.mark.slow
def test_energies_and_times_improve_the_position():
    # Without weights the ratios below are 1; with them and 30 bursts they are 1.27, 0.53 and 1.30.
    plain, sharp = [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        x, y = rng.uniform(40, 215, 2)
        photons = simulate_photons(
            x=x,
            y=y,
            counts=60,
            background=300,
            start=100.0,
            stop=400.0,
            rng=rng,
            burst_time=0.0,
            decay_index=1.2,
        )
        weights = every_kind(photons)
        for found, errors in (
            (localise(photons.x, photons.y), plain),
            (localise(photons.x, photons.y, weights=weights), sharp),
        ):
            errors.append((np.hypot(found.x - x, found.y - y), found.ts, found.r90))
    error, ts, r90 = np.median(plain, axis=0) / np.median(sharp, axis=0)
    assert error > 1.1
    assert ts < 0.7
    assert r90 > 1.2


def test_weights_that_are_all_one_change_nothing():
    rng = np.random.default_rng(3)
    photons = simulate_photons(x=100.0, y=60.0, counts=120, background=300, start=0.0, stop=9.0, rng=rng)
    plain = localise(photons.x, photons.y)
    same = localise(photons.x, photons.y, weights=np.ones(len(photons)))
    assert (same.x, same.y, same.ts) == pytest.approx((plain.x, plain.y, plain.ts), rel=1e-6)
    assert same.r90 == pytest.approx(plain.r90, rel=1e-6)


def test_merging_many_weighted_photons_is_harmless():
    rng = np.random.default_rng(4)
    photons = simulate_photons(x=100.0, y=60.0, counts=6000, background=6000, start=0.0, stop=9.0, rng=rng)
    weights = energy_weights(photons.pha, CALIBRATION)
    found = localise(photons.x, photons.y, weights=weights)
    assert found.evidence.counts.number.size < len(photons)
    signal = np.log(weights * default_psf().image(found.x, found.y)[photons.y, photons.x])
    assert np.isfinite(signal).all()
    assert np.hypot(found.x - 100.0, found.y - 60.0) * 13.57 < 2.5 * found.r90


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([1.0], "shape"),
        ([1.0, 0.0], "0.0 is invalid; expected a positive"),
        ([1.0, float("nan")], "nan is invalid"),
        ([-1.0, 1.0], "-1.0 is invalid"),
        ([float("inf"), 1.0], "inf is invalid"),
    ],
)
def test_bad_weights_are_refused(weights, words):
    with pytest.raises(InvalidInput, match=words):
        localise([1, 2], [3, 4], weights=weights)


def test_photons_unlike_the_expected_source_leave_finite_radii():
    for seed in range(30):
        rng = np.random.default_rng(seed)
        photons = simulate_photons(
            x=120.0, y=80.0, counts=60, background=300, start=100.0, stop=400.0, rng=rng,
            spectrum=PowerLaw(1.4, 1e22),
        )  # fmt: skip
        found = localise(photons.x, photons.y, weights=energy_weights(photons.pha, CALIBRATION))
        assert 0.0 < found.r50 <= found.r90


def test_a_single_template_is_equivalent_to_plain_weights():
    rng = np.random.default_rng(5)
    photons = simulate_photons(x=100.0, y=60.0, counts=60, background=300, start=0.0, stop=9.0, rng=rng)
    weights = energy_weights(photons.pha, CALIBRATION, [PowerLaw()])
    plain, kind = (localise(photons.x, photons.y, weights=given) for given in (weights[0], weights))
    assert (kind.x, kind.y, kind.ts) == pytest.approx((plain.x, plain.y, plain.ts), abs=0.02)
    assert kind.r90 == pytest.approx(plain.r90, rel=1e-3)


def test_the_likelihood_is_the_mean_over_the_templates():
    rng = np.random.default_rng(6)
    photons = simulate_photons(
        x=100.0, y=60.0, counts=60, background=300, start=100.0, stop=400.0, rng=rng, exact=True
    )
    weights = every_kind(photons)
    assert len(weights) == len(expected_spectra()) * len(population().decays)
    found = localise(photons.x, photons.y, weights=weights, psf=LobsterEyePsf(core_fwhm_sigma=0.0))
    fit = found.evidence.fit
    image = np.exp(fit.log_ratio) * default_psf().image(found.x, found.y)
    each = np.log1p(weights * image[photons.y, photons.x]).sum(axis=1)
    each -= len(photons) * np.log1p(image.sum() / image.size)
    assert fit.log_evidence == pytest.approx(np.log(np.exp(each).mean()), rel=0.02)
    np.testing.assert_allclose(
        fit.template_probabilities, np.exp(each) / np.exp(each).sum(), rtol=0.05, atol=1e-3
    )


def test_without_a_background_model_positions_alone_make_a_source():
    """The background has the energies of a source, which no background component describes."""
    rng = np.random.default_rng(7)
    for _ in range(20):
        photons = simulate_photons(
            x=100.0, y=60.0, counts=200, background=0, start=100.0, stop=400.0, rng=rng, exact=True
        )
        x, y = rng.integers(0, 256, (2, len(photons)))
        found = localise(x, y, weights=energy_weights(photons.pha, CALIBRATION))
        assert not found.detected
        assert found.ts <= max(found.places_ts, 0.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    [
        {"spectrum": PowerLaw(1.4, 1e22), "decay_index": 0.0},
        {"spectrum": PowerLaw(2.8, 1e21), "decay_index": 2.5},
        {"spectrum": PowerLaw(2.0, 1e21), "decay_index": 1.2},
    ],
    ids=["hard, absorbed, steady", "soft, steep decay", "usual"],
)
def test_sources_of_every_template_gain_from_energies_and_times(source):
    gained, plainly, sharply = [], 0, 0
    for seed in range(15):
        photons = simulate_photons(
            x=120.0, y=80.0, counts=60, background=300, start=100.0, stop=400.0, burst_time=0.0,
            rng=np.random.default_rng(seed), **source,
        )  # fmt: skip
        plain = localise(photons.x, photons.y)
        sharp = localise(photons.x, photons.y, weights=every_kind(photons))
        plainly, sharply = plainly + plain.detected, sharply + sharp.detected
        gained.append(sharp.ts - plain.ts)
    assert np.median(gained) > 10.0
    assert sharply >= plainly


def test_the_former_name_of_the_weights_still_works():
    rng = np.random.default_rng(5)
    photons = simulate_photons(x=100.0, y=60.0, counts=60, background=50, start=0.0, stop=9.0, rng=rng)
    weights = np.linspace(0.5, 2.0, len(photons))
    with pytest.warns(DeprecationWarning, match="contrast was renamed weights"):
        former = localise(photons.x, photons.y, contrast=weights)
    assert former == localise(photons.x, photons.y, weights=weights)
