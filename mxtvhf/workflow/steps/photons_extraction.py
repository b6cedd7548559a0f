"""Step ``photons_extraction``: decode the VHF packets of a burst into photons and attitude."""

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
from mxtvhf.telemetry.counts import PacketCounts
from mxtvhf.telemetry.decode import DecodedStream, decode_stream
from mxtvhf.workflow.steps.attitude_source import AttitudeOrigin, ChosenAttitude, choose_attitude


class RejectedBytes(Model):
    """A rejected part of a packet stream."""

    offset: int
    """Position in the stream, bytes."""
    length: int
    """Bytes."""
    reason: str


class RejectedPackets(KeptModel):
    """The rejected parts of a packet stream, as written to ``rejected_packets.json``."""

    input: str
    """Name of the stream."""
    rejects: tuple[RejectedBytes, ...]


class Extraction(Model):
    """The extracted data and their files."""

    burst_id: BurstId
    photons_path: str
    """NumPy file of the photons, see `PhotonList.load`."""
    attitude_path: str
    """NumPy file of the attitude, see `AttitudeHistory.from_bytes`."""
    received_path: str | None = None
    """NumPy file of the intervals without packet loss, see `load_received`; None if all were received."""
    rejected_path: str | None
    """JSON list of the rejected parts, whose bytes are in a file with suffix ``.bin``; None without any."""
    packets: PacketCounts
    foreign: dict[str, int]
    """Valid packets of other bursts or APIDs: description -> number."""
    n_photons: int
    """Number of pixel entries; a photon whose charge is split between pixels has several."""
    last_utc: AwareDatetime | None
    """Start of the last photon's frame; None without photons."""
    warnings: tuple[str, ...]
    """Caveats about the data."""
    onboard_path: str | None = None
    """Product QPO_MXT with the on-board positions, see `read_onboard_file`; None without any."""
    n_onboard: int = 0
    """Number of on-board results received, including those without a source."""
    attitude_origin: AttitudeOrigin | None = None
    """Source of the attitude; None without attitude, and in extractions of earlier versions."""
    unplaced: str | None = None
    """Why no photon can be placed on the sky and there is no event file; None if the pointing is known."""


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
        Packet stream as received.
    burst_id
        Burst whose photons are extracted.
    out
        Product folder of the new files ``photons.npz``, ``attitude.npz`` and ``received.npz``. Position
        packets give ``qpo_mxt.fits``, rejected bytes ``rejected_packets.bin`` and ``rejected_packets.json``.
    name
        Name of the stream in messages, since archived files are named by their checksums; by default the
        file's name.
    attitude
        Product SVO-ATT-VHF, which is compared with the pointing packets (``choose_attitude``); None without
        a product.
    attitude_name
        Name of the attitude product in messages; by default the file's name.

    Raises
    ------
    InvalidInput
        A file is unreadable, the packet file is not empty but contains no usable packet, or the attitude
        product is damaged.
    NotOurs
        All packets, or the attitude product, belong to another burst.
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
        raise NotOurs(f"{name}: attitude product of burst {product.burst_id}; expected burst {burst_id}")
    return product.attitude


def _keep_onboard(stream: DecodedStream, burst_id: str, out: Path) -> str | None:
    """Write the on-board positions; results without a source are not in the product."""
    if not any(message.sources for message in stream.onboard):
        return None
    path = out / "qpo_mxt.fits"
    write_onboard_file(path, stream.onboard, burst_id)
    return str(path)


def load_received(path: Path) -> Floats:
    """Read the time intervals without packet loss, as computed by `received_time`.

    Parameters
    ----------
    path
        File ``received.npz``.

    Returns
    -------
    ndarray
        Start and stop of each interval, MET seconds, shape (n, 2).

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
    return f"{name}: no pointing packet, so its {count} photon packets cannot be placed on the sky"


def _keep_rejected(raw: bytes, stream: DecodedStream, name: str, out: Path) -> str | None:
    """Write the rejected bytes to one file, and their positions and reasons to another."""
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
        found.append("1 packet missing" if counts.missing == 1 else f"{counts.missing} packets missing")
    if counts.corrupt:
        reasons = sorted({reject.reason for reject in stream.rejects})
        found.append(
            f"{counts.corrupt} corrupt, rejected: {'; '.join(reasons[:3])}{'; ...' if reasons[3:] else ''}"
        )
    if stream.foreign:
        found.append(
            "packets ignored: " + ", ".join(f"{n} of {key}" for key, n in sorted(stream.foreign.items()))
        )
    if not chosen.attitude.stable.all():
        found.append("the pointing was not stable throughout")
    return tuple(found)
