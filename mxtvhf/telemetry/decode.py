"""Decode received bytes into photons, attitude and on-board positions, and count every packet."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mxtvhf.errors import InvalidInput, NotOurs
from mxtvhf.events.onboard_file import OnboardMessage
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.models.arrays import Floats
from mxtvhf.telemetry.counts import PacketCounts
from mxtvhf.telemetry.framing import Frames, Reject, find_frames
from mxtvhf.telemetry.layout import PacketType, Records, layout
from mxtvhf.telemetry.payload import attitude, burst_date, faults, first_time, onboard_messages, photons
from mxtvhf.telemetry.received import received_time
from mxtvhf.telemetry.sequence import Sequence, arrange

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class DecodedStream:
    """Contents of a stream of VHF packets for one burst.

    Attributes
    ----------
    photons
        Photons in time order; photons of one frame in the order in which they were sent.
    attitude
        Attitude samples in time order; empty if no pointing packet was received.
    onboard
        On-board results in time order; empty if no position packet was received.
    counts
        Packet counts by outcome: ``received = good + repeated + foreign + corrupt``.
    rejects
        The stretches of bytes counted as corrupt, in stream order.
    photon_sequence, pointing_sequence
        Unwrapped sequence number of each good photon or pointing packet.
    received
        Intervals for which every photon was received, see `received_time`.
    foreign
        Number of valid packets of other bursts or APIDs, by "burst sb26051102" or "APID 801".
    """

    photons: PhotonList
    attitude: AttitudeHistory
    counts: PacketCounts
    rejects: tuple[Reject, ...]
    photon_sequence: Integers
    pointing_sequence: Integers
    received: Floats
    foreign: dict[str, int]
    onboard: tuple[OnboardMessage, ...] = ()


@dataclass(eq=False)
class _Account:
    """Rejected and foreign packets counted while decoding."""

    foreign: Counter[str] = field(default_factory=Counter)
    rejects: list[Reject] = field(default_factory=list)

    def reject(self, kind: PacketType, offsets: Integers, reason: str) -> None:
        self.rejects += [Reject(int(offset), kind.size, reason) for offset in offsets]


def decode_stream(raw: bytes, burst_id: str, *, name: str) -> DecodedStream:
    """Decode the packets of one burst from a raw stream.

    An empty stream and a stream without pointing packets are valid: early in a burst nothing else may have
    arrived.

    Parameters
    ----------
    raw
        Concatenated packets of any stations. They may be repeated, out of order, damaged, truncated, or mixed
        with packets of other bursts.
    burst_id
        ``sbYYMMDDnn``.
    name
        Name of the input in error messages.

    Raises
    ------
    InvalidInput
        The stream is not empty, but contains no valid packet.
    NotOurs
        All valid packets belong to other bursts or APIDs.
    """
    types = layout()
    frames = find_frames(raw, types)
    account = _Account(Counter({f"APID {apid}": n for apid, n in frames.foreign.items()}), frames.rejects)
    photon_records, photon_sequence = _of_burst(types.photon, frames, burst_id, account)
    pointing_records, pointing_sequence = _of_burst(types.pointing, frames, burst_id, account)
    position_records, position_sequence = _of_burst(types.position, frames, burst_id, account)
    sequences = (photon_sequence, pointing_sequence, position_sequence)
    if raw and not any(len(sequence.kept) for sequence in sequences):
        raise _no_packets(account, len(raw), burst_id, name)
    return DecodedStream(
        photons=photons(types.photon, photon_records),
        attitude=attitude(types.pointing, pointing_records),
        counts=_counts(sequences, account),
        rejects=tuple(sorted(account.rejects, key=lambda reject: reject.offset)),
        photon_sequence=photon_sequence.number,
        pointing_sequence=pointing_sequence.number,
        received=received_time(types.photon, photon_records, photon_sequence.number),
        foreign=dict(account.foreign),
        onboard=onboard_messages(types.position, position_records),
    )


def bursts_in(raw: bytes, *, name: str) -> dict[str, int]:
    """Count the packets with a correct CRC in a message, by burst id.

    Parameters
    ----------
    raw
        Concatenated packets.
    name
        Name of the input in error messages.

    Raises
    ------
    InvalidInput
        No packet has a correct CRC and a burst id that begins with a date; the message gives the first fault.
    """
    types = layout()
    frames = find_frames(raw, types)
    numbers = Counter[int]()
    for kind in types.types:
        numbers.update(kind.read(frames.records[kind.name], "BURST_ID").tolist())
    found = {_burst_name(number): count for number, count in numbers.items() if _is_burst_number(number)}
    if not found:
        reasons = [f"byte {fault.offset}: {fault.reason}" for fault in frames.rejects[:1]]
        reasons += [f"a packet of APID {apid}" for apid in frames.foreign]
        reasons += [f"burst id {_burst_name(number)} does not begin with a date" for number in numbers]
        raise InvalidInput(
            f"{name}: no VHF packet with a valid burst id ({len(raw)} bytes); {'; '.join(reasons) or 'empty'}"
        )
    return found


def _of_burst(kind: PacketType, frames: Frames, burst_id: str, account: _Account) -> tuple[Records, Sequence]:
    """Return the valid packets of one type and this burst, without repeats, in sequence order."""
    records, offsets = frames.records[kind.name], frames.offsets[kind.name]
    sound = np.ones(len(records), bool)
    for name, value in kind.required_inside.items():
        wrong = sound & (kind.read(records, name) != value)
        account.reject(kind, offsets[wrong], f"{name} is not {value}")
        sound &= ~wrong
    burst = kind.read(records, "BURST_ID")
    foreign = sound & (burst != _burst_number(burst_id))
    account.foreign.update(f"burst {_burst_name(number)}" for number in burst[foreign].tolist())
    sound &= ~foreign
    for wrong, reason in faults(kind, records, burst_id):
        account.reject(kind, offsets[wrong & sound], reason)
        sound &= ~wrong
    if not sound.all():
        records, offsets = records[sound], offsets[sound]
    count = kind.read(records, "SRC_SEQ_CTR").astype(np.int64)
    sequence = arrange(records, count, first_time(kind, records))
    account.reject(kind, offsets[sequence.conflicts], "sequence number repeated with other content")
    return records if sequence.is_as_received else records[sequence.kept], sequence


def _no_packets(account: _Account, size: int, burst_id: str, name: str) -> InvalidInput:
    """Return the error for a stream without a packet of the burst; it names what the stream contains."""
    if account.foreign:
        found = ", ".join(f"{number} of {what}" for what, number in sorted(account.foreign.items()))
        return NotOurs(f"{name}: no packet of burst {burst_id}; found {found}")
    first = min(account.rejects, key=lambda reject: reject.offset)
    return InvalidInput(
        f"{name}: no valid packet in {size} bytes; first fault at byte {first.offset}: {first.reason}"
    )


def _counts(sequences: tuple[Sequence, ...], account: _Account) -> PacketCounts:
    good, repeated = sum(len(s.kept) for s in sequences), sum(s.repeated for s in sequences)
    foreign, corrupt = account.foreign.total(), len(account.rejects)
    return PacketCounts(
        received=good + repeated + foreign + corrupt,
        good=good,
        repeated=repeated,
        missing=sum(s.missing for s in sequences),
        corrupt=corrupt,
        foreign=foreign,
        out_of_order=sum(s.out_of_order for s in sequences),
    )


def _burst_number(burst_id: str) -> int:
    return int(burst_id.removeprefix("sb"))


def _is_burst_number(number: int) -> bool:
    try:
        burst_date(_burst_name(number))
    except InvalidInput:
        return False
    return number < 10**8


def _burst_name(number: int) -> str:
    return f"sb{number:08d}"
