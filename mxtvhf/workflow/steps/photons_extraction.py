"""Step 2: the VHF packets of a burst become photons and an attitude history."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from pydantic import AwareDatetime

from mxtvhf.archive.inputs import MAX_PACKETS_BYTES, read_limited
from mxtvhf.errors import NotOurs
from mxtvhf.events.attitude_file import MAX_ATTITUDE_BYTES, read_attitude_product
from mxtvhf.events.onboard_file import write_onboard_file
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.time import utc_from_met
from mxtvhf.models.arrays import Floats, read_arrays
from mxtvhf.models.base import Model
from mxtvhf.models.files import write_atomically
from mxtvhf.models.ids import BurstId
from mxtvhf.models.kept import KeptModel
from mxtvhf.models.text import escaped
from mxtvhf.telemetry import DecodedStream, decode_stream
from mxtvhf.telemetry.counts import PacketCounts
from mxtvhf.workflow.steps.attitude_source import AttitudeOrigin, ChosenAttitude, choose_attitude


class RejectedBytes(Model):
    """Bytes of a packet stream that were not used."""

    offset: int
    """In the stream."""
    length: int
    reason: str


class RejectedPackets(KeptModel):
    """What was not used of a packet stream, as written to ``rejected_packets.json``."""

    input: str
    """Name of the stream."""
    rejects: tuple[RejectedBytes, ...]


class Extraction(Model):
    """What was extracted, and where it is."""

    burst_id: BurstId
    photons_path: str
    """Numpy file of the photons, see `PhotonList.load`."""
    attitude_path: str
    """Numpy file of the attitude, see `AttitudeHistory.from_bytes`."""
    received_path: str | None = None
    """Numpy file of the time of which every photon was received, see `load_received`; None: all of it."""
    rejected_path: str | None
    """JSON list of what was not used; the bytes are beside it with the suffix ``.bin``."""
    packets: PacketCounts
    foreign: dict[str, int]
    """Sound packets of other bursts or APIDs: which, how many."""
    n_photons: int
    """Pixel entries: a photon whose charge is shared by several pixels has several."""
    last_utc: AwareDatetime | None
    """Start of the last photon's frame; None without photons."""
    warnings: tuple[str, ...]
    """What a person should know before trusting the photons."""
    onboard_path: str | None = None
    """Product QPO_MXT with the positions found on board, see `read_onboard_file`; None: none came."""
    n_onboard: int = 0
    """On-board results received, those without a source included."""
    attitude_origin: AttitudeOrigin | None = None
    """Where the attitude in use is from; None: there is none, and in extractions older than this field."""
    unplaced: str | None = None
    """Why no photon can be placed on the sky, so that there is no event file; None: the pointing is known."""


def photons_extraction(
    packets: Path,
    burst_id: str,
    out: Path,
    *,
    name: str | None = None,
    attitude: Path | None = None,
    attitude_name: str | None = None,
) -> Extraction:
    """Decode a packet file.

    Parameters
    ----------
    packets
        The stream as received.
    burst_id
        Whose photons are wanted.
    out
        Product folder; gets ``photons.npz``, ``attitude.npz``, ``received.npz``, with position packets
        ``qpo_mxt.fits`` and, when bytes were rejected, ``rejected_packets.bin`` with
        ``rejected_packets.json``.
    name
        What the user calls the stream, for messages: the archive names its files by their checksums. Default:
        the file's name.
    attitude
        Product SVO-ATT-VHF; None: there is none. With pointing packets, too, see ``choose_attitude``.
    attitude_name
        What the user calls it. Default: the file's name.

    Raises
    ------
    InvalidInput
        A file cannot be read, the packets hold bytes but no packet that can be used, or the attitude product
        is damaged or another burst's.
    NotOurs
        All its packets are of other bursts.
    """
    raw = read_limited(packets, MAX_PACKETS_BYTES)
    name = escaped(name or packets.name)
    stream = decode_stream(raw, burst_id, name=name)
    photons_path, attitude_path = out / "photons.npz", out / "attitude.npz"
    write_atomically(photons_path, stream.photons.to_bytes())
    time = stream.photons.time
    product = None if attitude is None else _product(attitude, attitude_name, burst_id)
    chosen = choose_attitude(stream.attitude, product, time)
    write_atomically(attitude_path, chosen.attitude.to_bytes())
    unplaced = _why_unplaced(stream, chosen, len(raw), name)
    write_atomically(received_path := out / "received.npz", _received_bytes(stream.received))
    return Extraction(
        burst_id=burst_id,
        photons_path=str(photons_path),
        attitude_path=str(attitude_path),
        received_path=str(received_path),
        rejected_path=_keep_rejected(raw, stream, name, out),
        packets=stream.counts,
        foreign=stream.foreign,
        n_photons=len(stream.photons),
        last_utc=utc_from_met(float(time[-1])) if len(time) else None,
        warnings=(*([unplaced] if unplaced else []), *chosen.notes, *_warnings(stream, chosen)),
        onboard_path=_keep_onboard(stream, burst_id, out),
        n_onboard=len(stream.onboard),
        attitude_origin=chosen.origin,
        unplaced=unplaced,
    )


def _product(path: Path, name: str | None, burst_id: str) -> AttitudeHistory:
    """Read the attitude product of the burst."""
    name = escaped(name or path.name)
    product = read_attitude_product(read_limited(path, MAX_ATTITUDE_BYTES), name=name)
    if product.burst_id not in (None, burst_id):
        raise NotOurs(f"{name}: attitude of burst {product.burst_id}, not of {burst_id}")
    return product.attitude


def _keep_onboard(stream: DecodedStream, burst_id: str, out: Path) -> str | None:
    """Write the positions found on board; results without a source are not in the product."""
    if not any(message.sources for message in stream.onboard):
        return None
    path = out / "qpo_mxt.fits"
    write_onboard_file(path, stream.onboard, burst_id)
    return str(path)


def load_received(path: Path) -> Floats:
    """Read the time of which every photon was received, as `received_time` gives it.

    Raises
    ------
    InvalidInput
        The file is damaged.
    """
    (received,) = read_arrays(path.read_bytes(), ("received",), name=str(path))
    return np.asarray(received, np.float64)


def _received_bytes(received: Floats) -> bytes:
    file = BytesIO()
    np.savez(file, received=received)
    return file.getvalue()


def _why_unplaced(stream: DecodedStream, chosen: ChosenAttitude, size: int, name: str) -> str | None:
    if not size:
        return f"{name}: empty, no VHF packets"
    if len(chosen.attitude):
        return None
    count = len(stream.photon_sequence)
    return f"{name}: no pointing packet, its {count} photon packets cannot be placed on the sky"


def _keep_rejected(raw: bytes, stream: DecodedStream, name: str, out: Path) -> str | None:
    """Write the rejected bytes one after the other, and where they came from."""
    if not stream.rejects:
        return None
    rejects = tuple(RejectedBytes(offset=r.offset, length=r.length, reason=r.reason) for r in stream.rejects)
    note = RejectedPackets(input=name, rejects=rejects)
    path = out / "rejected_packets.json"
    write_atomically(
        path.with_suffix(".bin"), b"".join(raw[r.offset : r.offset + r.length] for r in stream.rejects)
    )
    write_atomically(path, note.model_dump_json(indent=1).encode() + b"\n")
    return str(path)


def _warnings(stream: DecodedStream, chosen: ChosenAttitude) -> tuple[str, ...]:
    counts = stream.counts
    found = []
    if not len(stream.photons):
        found.append("no photons")
    if counts.missing:
        found.append("1 packet never came" if counts.missing == 1 else f"{counts.missing} packets never came")
    if counts.corrupt:
        reasons = sorted({reject.reason for reject in stream.rejects})
        found.append(
            f"{counts.corrupt} corrupt, not used: {'; '.join(reasons[:3])}{'; ...' if reasons[3:] else ''}"
        )
    if stream.foreign:
        found.append("left out: " + ", ".join(f"{n} of {what}" for what, n in sorted(stream.foreign.items())))
    if not chosen.attitude.stable.all():
        found.append("the pointing was not stable all the time")
    return tuple(found)
