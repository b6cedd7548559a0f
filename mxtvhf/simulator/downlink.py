"""VHF link: loss, repetition, delay and corruption of the packets between satellite and ground."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mxtvhf.telemetry.clock import Integers, ticks
from mxtvhf.telemetry.layout import PacketType, layout


def downlink(
    photon_packets: list[bytes],
    pointing_packets: list[bytes],
    position_packets: Sequence[bytes] = (),
    *,
    loss: float,
    repeat: float,
    shuffle: float,
    corrupt: float,
    rng: np.random.Generator,
) -> bytes:
    """Return the stream of bytes received on the ground.

    Parameters
    ----------
    photon_packets, pointing_packets, position_packets
        Packets as sent; they are merged in time order.
    loss
        Probability that a packet is lost, 0..1.
    repeat
        Mean number of additional copies of a received packet (several stations, several transmissions);
        Poisson distributed.
    shuffle
        Largest delay of a copy as a fraction of the stream: 0 keeps the order, 1 shuffles the whole stream.
    corrupt
        Probability that a copy arrives with one bit flipped, 0..1.
    rng
        Random number generator.
    """
    kinds = layout()
    packets = [*pointing_packets, *photon_packets, *position_packets]
    of_kind = (
        (kinds.pointing, pointing_packets),
        (kinds.photon, photon_packets),
        (kinds.position, position_packets),
    )
    time = np.concatenate([_ticks(kind, sent) for kind, sent in of_kind])
    sent = [packets[index] for index in np.argsort(time, kind="stable")]
    copies = np.where(rng.random(len(sent)) < loss, 0, 1 + rng.poisson(repeat, len(sent)))
    heard = np.repeat(np.arange(len(sent)), copies)
    arrival = heard + shuffle * len(sent) * rng.random(len(heard))
    flipped = rng.random(len(heard)) < corrupt
    return b"".join(
        _with_flipped_bit(sent[heard[index]], rng) if flipped[index] else sent[heard[index]]
        for index in np.argsort(arrival, kind="stable")
    )


def _ticks(kind: PacketType, packets: Sequence[bytes]) -> Integers:
    return ticks(kind, np.frombuffer(b"".join(packets), kind.dtype))


def _with_flipped_bit(packet: bytes, rng: np.random.Generator) -> bytes:
    bit = int(rng.integers(8 * len(packet)))
    return (int.from_bytes(packet) ^ (1 << bit)).to_bytes(len(packet))
