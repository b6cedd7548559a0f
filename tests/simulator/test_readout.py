import numpy as np
import pytest

from mxtvhf.events.patterns import reconstruct
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.instrument.constants import instrument
from mxtvhf.instrument.pixels import RawMask
from mxtvhf.simulator.readout import ChargeSharing, read_out, readout_constants

GAIN = default_calibration().gain
WIDE = {"source": "test", "assumed": True}


def photons(*rows, time=0.0):
    x, y, pha = np.array(rows).T
    return PhotonList(np.full(len(rows), time), x.astype(np.int16), y.astype(np.int16), pha.astype(np.int32))


def many(kev, count=4000):
    """Return one photon per frame, all with one energy and away from the edge."""
    x, y = np.random.default_rng(9).integers(1, 255, (2, count)).astype(np.int16)
    return PhotonList(0.1 * np.arange(count), x, y, np.full(count, round(float(GAIN.channel(kev))), np.int32))


def read(sent, seed=1, **options):
    return read_out(sent, np.random.default_rng(seed), gain=GAIN, **options)


def test_the_charge_is_shared_and_none_is_lost_without_a_threshold():
    sent = many(2.0)
    found = read(sent, sharing=ChargeSharing(cloud_sigma_um=15.0, threshold_kev=0.0, **WIDE))
    assert len(found) > 1.5 * len(sent)
    charge = np.bincount(np.rint(found.time / 0.1).astype(int), found.pha)
    # The charge of each pixel is rounded to a channel.
    np.testing.assert_allclose(charge, sent.pha, atol=2.5)


def test_a_photon_has_up_to_four_pixels_the_more_the_higher_its_energy():
    fractions = []
    for kev in (0.3, 1.0, 5.0):
        sent = many(kev)
        counts = reconstruct(read(sent)).counts()
        assert counts.invalid_pixels == 0
        assert counts.singles + counts.doubles + counts.triples + counts.quadruples == len(sent)
        fractions.append(1.0 - counts.singles / len(sent))
    assert fractions == sorted(fractions)
    # With a Gaussian cloud: 1 - (1 - 2 d)^2 where a part of threshold / energy reaches d beyond the edge.
    assert fractions[1] == pytest.approx(0.49, abs=0.03)


def test_what_is_below_the_threshold_is_not_sent():
    found = read(many(1.0))
    assert GAIN.energy(found.pha).min() >= readout_constants().charge_sharing.threshold_kev
    assert found.pha.sum() < many(1.0).pha.sum()
    assert len(read(photons((10, 20, 12)))) == 0


def test_photons_of_one_pixel_and_frame_are_one_entry():
    narrow = ChargeSharing(cloud_sigma_um=0.1, threshold_kev=0.075, **WIDE)
    assert read(photons((10, 20, 300), (10, 20, 500)), sharing=narrow).pha.tolist() == [800]
    assert read(photons((10, 20, 3000), (10, 20, 3000)), sharing=narrow).pha.tolist() == [4095]


def test_each_pixel_and_frame_has_one_entry_in_time_order():
    rng = np.random.default_rng(2)
    x, y = rng.integers(100, 110, (2, 5000)).astype(np.int16)
    sent = PhotonList(np.sort(rng.integers(0, 100, 5000)) * 0.1, x, y, np.full(5000, 400, np.int32))
    found = read(sent)
    assert len({*zip(found.time, found.x, found.y, strict=True)}) == len(found)
    assert set(found.time) == set(sent.time)


def test_bad_pixels_send_nothing_and_charge_beyond_the_edge_is_lost():
    mask = RawMask(np.zeros((256, 256), bool))
    mask[:, 11] = True
    found = read(many(1.0), bad_pixels=mask)
    assert not (found.x == 11).any()
    size = instrument().detector.columns
    corner = PhotonList(
        0.1 * np.arange(500), *np.full((2, 500), size - 1, np.int16), np.full(500, 400, np.int32)
    )
    found = read(corner)
    assert found.x.max() == found.y.max() == size - 1
    assert found.pha.sum() < 0.98 * corner.pha.sum()


def test_the_same_random_numbers_give_the_same_entries():
    first, again, other = (read(many(1.0), seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.pha, again.pha)
    assert len(first) != len(other) or (first.pha != other.pha).any()


def test_many_photons_in_blocks_and_none():
    few = read(many(1.0, 1000))
    assert len(read(many(1.0, 70_000))) == pytest.approx(70 * len(few), rel=0.05)
    none = np.empty(0)
    empty = PhotonList(none, none.astype(np.int16), none.astype(np.int16), none.astype(np.int32))
    assert len(read(empty)) == 0
