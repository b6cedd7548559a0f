"""Time for which every photon was received; rates over it are unbiased whatever packets are lost."""

from datetime import UTC, datetime
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.time import met_from_utc
from mxtvhf.models.intervals import overlap
from mxtvhf.telemetry.decode import decode_stream
from mxtvhf.telemetry.encode import encode_photons

BURST = "sb26051102"
START = met_from_utc(datetime(2026, 5, 11, 11, 3, 32, tzinfo=UTC))
FRAME = 0.1


def packets_of(frames, first=0):
    column = np.zeros(len(frames), np.int16)
    return encode_photons(
        PhotonList(START + FRAME * np.sort(frames), column, column, column.astype(np.int32)), BURST, first
    )


def decode(packets):
    return decode_stream(b"".join(packets), BURST, name="test.bin")


def received_frames(packets):
    """Return the received intervals in frames since the start of the observation."""
    return (decode(packets).received - START) / FRAME


def test_received_time_between_lost_packets_runs_from_photon_to_photon():
    packets = packets_of(np.arange(0, 1000, 4), first=7)
    # One photon every 4 frames; each packet has 12 photons, the last one 10.
    assert len(packets) == 21
    lost = {3, 4, 9}
    kept = [packet for number, packet in enumerate(packets) if number not in lost]
    expected = [[1.0, 140.5], [241.0, 428.5], [481.0, np.inf]]
    np.testing.assert_allclose(received_frames(kept), expected, atol=1e-3)


def test_a_first_packet_numbered_0_is_the_first_of_the_observation():
    packets = packets_of(np.arange(0, 1000, 4))
    assert received_frames(packets).tolist() == [[-np.inf, np.inf]]
    assert received_frames(packets[1:])[0, 0] == pytest.approx(49.0, abs=1e-3)


def test_a_last_packet_with_free_slots_is_the_last_of_the_observation():
    packets = packets_of(np.arange(0, 1000, 4))
    assert received_frames(packets[:-1])[-1, 1] == pytest.approx(239 * 4 + 0.5, abs=1e-3)


def test_the_count_wraps():
    packets = packets_of(np.arange(0, 1000, 4), first=16380)
    assert received_frames(packets).shape == (1, 2)
    assert received_frames(packets[:4] + packets[5:]).shape == (2, 2)


def test_without_photon_packets_nothing_was_received():
    assert decode([]).received.shape == (0, 2)


def test_a_packet_within_one_frame_covers_no_time():
    packets = packets_of(np.repeat([0, 5, 6, 9], 12), first=1)
    np.testing.assert_allclose(received_frames([packets[1], packets[3]]), np.empty((0, 2)))


@given(
    data=st.data(),
    frames=st.lists(st.integers(0, 600), min_size=60, max_size=200),
    first=st.integers(0, 16_300),
)
@settings(max_examples=100)
def test_no_photon_is_missing_in_the_received_time(data, frames, first):
    packets = packets_of(frames, first)
    lost = data.draw(st.sets(st.integers(0, len(packets) - 1), max_size=len(packets) - 1))
    kept = [packet for number, packet in enumerate(packets) if number not in lost]
    copies = data.draw(st.lists(st.integers(1, 3), min_size=len(kept), max_size=len(kept)))
    sent = [packet for packet, count in zip(kept, copies, strict=True) for _ in range(count)]
    stream, everything = decode(data.draw(st.permutations(sent))), decode(packets).photons.time
    np.testing.assert_array_equal(stream.received, decode(kept).received)
    assert np.all(np.diff(stream.received.ravel()) > 0.0)
    for start, stop in stream.received:
        # Up to the start of the last frame, since other photons of that frame may be lost.
        whole = (everything >= start) & (everything < stop - 0.5 * FRAME - 1e-4)
        seen = (stream.photons.time >= start) & (stream.photons.time < stop - 0.5 * FRAME - 1e-4)
        np.testing.assert_array_equal(stream.photons.time[seen], everything[whole])


def no_loss(rng, count):
    return np.ones(count, bool)


def each_by_chance(rng, count):
    return rng.random(count) > 0.3


def most_by_chance(rng, count):
    return rng.random(count) > 0.8


def every_second(rng, count):
    return np.arange(count) % 2 == 1


def the_first(rng, count):
    return np.arange(count) >= 0.4 * count


def the_last(rng, count):
    return np.arange(count) < 0.6 * count


def in_bursts(rng, count):
    """Lose three packets in a row at several points."""
    return ~np.convolve(rng.random(count) < 0.1, np.ones(3, bool), mode="full")[:count].astype(bool)


@cache
def observations(rate, decay, trials, duration, since):
    """Return the packets of many observations; all patterns of loss are applied to the same ones."""
    rng, packets = np.random.default_rng(5), []
    for _ in range(trials):
        time = np.sort(rng.uniform(0.0, duration, rng.poisson(rate * duration)))
        time = time[rng.random(len(time)) < (1.0 + time / since) ** -decay]
        packets.append(packets_of(np.floor(time / FRAME)))
    return packets


@pytest.mark.parametrize(
    "pattern", [no_loss, each_by_chance, most_by_chance, every_second, the_first, the_last, in_bursts]
)
@pytest.mark.parametrize(
    ("rate", "decay", "trials"), [(0.5, 0.0, 300), (4.0, 0.0, 120), (40.0, 0.0, 15), (4.0, 1.2, 200)]
)
def test_the_mean_number_of_photons_is_the_rate_times_the_time(pattern, rate, decay, trials):
    """Check photons per second of good time for a constant and a fading source (photons/s at the start).

    Counting the photons at both ends of a series gives +9 % for single packets, counting neither -9 %.
    """
    rng, duration, since = np.random.default_rng(6), 300.0, 180.0

    def expected(time):
        power = 1.0 - decay
        return rate * since / power * (((since + time - START) / since) ** power - 1.0)

    excess, total = [], 0.0
    for packets in observations(rate, decay, trials, duration, since):
        kept = np.flatnonzero(pattern(rng, len(packets)))
        stream = decode([packets[number] for number in kept])
        good = overlap(stream.received, [[START, START + duration]])
        inside = np.searchsorted(good.ravel(), stream.photons.time, side="right") % 2 == 1
        mean = float(np.diff(expected(good), axis=1).sum())
        excess.append(np.count_nonzero(inside) - mean)
        total += mean
    error = np.std(excess) * np.sqrt(trials) / total
    assert error < 0.02
    assert np.sum(excess) / total == pytest.approx(0.0, abs=3.0 * error)
