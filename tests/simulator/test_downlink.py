import numpy as np
import pytest

from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.pointing import quaternion_of
from mxtvhf.simulator.downlink import downlink
from mxtvhf.telemetry.clock import ticks
from mxtvhf.telemetry.decode import decode_stream
from mxtvhf.telemetry.encode import encode_photons, encode_pointing
from mxtvhf.telemetry.layout import layout

BURST = "sb26051102"
START = 295268612.0
QUIET = {"loss": 0.0, "repeat": 0.0, "shuffle": 0.0, "corrupt": 0.0}


@pytest.fixture(scope="module")
def packets():
    count = 12_000
    columns = np.random.default_rng(0).integers(0, 256, (3, count))
    photons = PhotonList(START + 0.1 * np.arange(count), *columns.astype(np.int16))
    attitude = AttitudeHistory(
        START + 10.0 * np.arange(120), np.tile(quaternion_of(10, 20, 30), (120, 1)), np.ones(120, bool)
    )
    return encode_photons(photons, BURST), encode_pointing(attitude, BURST)


def send(packets, seed=1, **changes):
    raw = downlink(*packets, **(QUIET | changes), rng=np.random.default_rng(seed))
    return raw, decode_stream(raw, BURST, name="downlink")


def test_a_quiet_link_delivers_everything_once_in_order_of_time(packets):
    raw, stream = send(packets)
    assert sorted(len(packet) for group in packets for packet in group) == [52] * 120 + [92] * 1000
    assert len(raw) == 120 * 52 + 1000 * 92
    assert stream.counts.good == stream.counts.received == 1120
    assert stream.counts.out_of_order == stream.counts.missing == 0


def test_packets_of_both_kinds_are_merged_by_their_times(packets):
    raw, stream = send(packets)
    kinds, start, times = layout(), 0, []
    while start < len(raw):
        kind = next(kind for kind in kinds.types if raw[start : start + 2] == kind.header[0][:2])
        times += ticks(kind, np.frombuffer(raw, kind.dtype, 1, start)).tolist()
        start += kind.size
    assert len(times) == stream.counts.good
    assert times == sorted(times)


def test_loss_is_the_probability_that_a_packet_never_arrives(packets):
    counts = send(packets, loss=0.2, repeat=3.0)[1].counts
    assert counts.good == pytest.approx(0.8 * 1120, abs=4 * np.sqrt(1120 * 0.16))
    assert counts.good + counts.missing == pytest.approx(1120, abs=20)


def test_repeat_is_the_mean_number_of_further_copies(packets):
    counts = send(packets, repeat=2.5, shuffle=0.1)[1].counts
    assert counts.good == 1120
    assert counts.repeated == pytest.approx(2.5 * 1120, abs=4 * np.sqrt(2.5 * 1120))
    assert counts.out_of_order > 0


def test_corrupt_copies_are_rejected_and_the_others_used(packets):
    counts = send(packets, repeat=6.0, corrupt=0.2, shuffle=1.0)[1].counts
    assert counts.corrupt > 500
    assert counts.good > 1100


def test_a_mixed_link_gives_the_same_photons(packets):
    plain, mixed = send(packets)[1], send(packets, repeat=3.0, shuffle=1.0)[1]
    np.testing.assert_array_equal(mixed.photons.time, plain.photons.time)
    np.testing.assert_array_equal(mixed.photons.x, plain.photons.x)


def test_the_seed_decides(packets):
    noisy = {"loss": 0.1, "repeat": 1.0, "shuffle": 0.3, "corrupt": 0.1}
    assert send(packets, 7, **noisy)[0] == send(packets, 7, **noisy)[0]
    assert send(packets, 7, **noisy)[0] != send(packets, 8, **noisy)[0]
