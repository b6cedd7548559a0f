"""Create the seeds of the fuzzing: valid inputs of every kind, made by the project's own writers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from astropy import units as u
from astropy.io import fits
from astropy.table import Table

from fuzz.live_intake import (
    SEPARATOR,
    act_bytes,
    answer,
    file,
    kept_file,
    message,
    note,
    pause,
    restart,
    signed_message,
    waiting_file,
)
from mxtvhf.events.attitude_file import attitude_product_bytes
from mxtvhf.events.event_file import write_event_file
from mxtvhf.events.header import EventHeader
from mxtvhf.reporting.messages import IntakeMessage, RunMessage, StepMessage
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from mxtvhf.telemetry.decode import decode_stream
from mxtvhf.telemetry.framing import find_frames
from mxtvhf.telemetry.layout import layout

BURST = "sb26051102"
WHEN = datetime(2026, 5, 11, 12, tzinfo=UTC)


def seeds() -> dict[str, list[bytes]]:
    """Return the seeds of each target of `fuzz.targets`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_scenario(scenario_of(BURST, ra_deg=120.0, dec_deg=30.0, counts=60, seed=1), folder)
        stream = (folder / "packets.bin").read_bytes()
        _write_event_file(stream, folder / "events.fits")
        event_file = (folder / "events.fits").read_bytes()
        return {
            "packets": [stream[:2000], *_packets(stream[:500])],
            "sealed_packets": [*_openings(stream[:2000]), *_position_openings(stream)],
            "notice": [path.read_bytes() for path in sorted(folder.glob("*.xml"))],
            # Without checksums, which would reject most damaged files.
            "event_file": [_without_checksums(event_file)],
            "attitude": [_without_checksums(_attitude_product(stream))],
            "catalogue": [*_catalogues(folder)],
            "message": [*_messages()],
            "live_intake": [*_stories(stream[:500])],
        }


def _catalogues(folder: Path) -> Iterator[bytes]:
    """Yield a table in every format, also as ASCII table in FITS and as binary VOTable."""
    table = Table({"name": ["A", "B"], "ra": [10.0, 200.0] * u.deg, "dec": [1.0, 2.0], "r90": [3.0, 4.0]})
    for kind, options in {
        "fits": {},
        "votable": {},
        "votable ": {"tabledata_format": "binary"},
        "ascii.csv": {},
        "ascii.ecsv": {},
    }.items():
        path = folder / "catalogue"
        table.write(path, format=kind.strip(), overwrite=True, **options)
        yield path.read_bytes()
    hdu = fits.TableHDU.from_columns([fits.Column(name, "F8.3", array=table[name]) for name in ("ra", "dec")])
    hdu.writeto(path, overwrite=True)
    yield path.read_bytes()


def _write_event_file(stream: bytes, path: Path) -> None:
    found = decode_stream(stream, BURST, name="seed")
    header = EventHeader(burst_id=BURST, ivorn=f"ivo://org.svom/fsc#{BURST}_seed", obs_id="1_2_3", date=WHEN)
    write_event_file(path, found.photons, found.attitude, header=header)


def _without_checksums(file: bytes) -> bytes:
    return file.replace(b"CHECKSUM", b"COMMENT ").replace(b"DATASUM ", b"COMMENT ")


def _attitude_product(stream: bytes) -> bytes:
    return attitude_product_bytes(decode_stream(stream, BURST, name="seed").attitude, BURST, WHEN)


def _position_openings(stream: bytes) -> Iterator[bytes]:
    """Yield the first position packets, which are sent later than the others."""
    kinds = layout().types
    number = kinds.index(layout().position)
    yield from [one for one in _openings(stream) if one[0] == number][:3]


def _packets(stream: bytes) -> Iterator[bytes]:
    frames = find_frames(stream, layout())
    for kind in layout().types:
        for offset in frames.offsets[kind.name].tolist():
            yield stream[offset : offset + kind.size]


def _openings(stream: bytes) -> Iterator[bytes]:
    """Yield packets for `targets.sealed_packets`: number of the packet type, content without CRC."""
    sizes = [kind.size for kind in layout().types]
    for packet in _packets(stream):
        yield bytes([sizes.index(len(packet))]) + packet[:-2]


def _messages() -> Iterator[bytes]:
    about = {"burst_id": BURST, "run_id": f"{BURST}__1", "is_test": True, "id": "0" * 32, "time": WHEN}
    for found in (
        RunMessage(state="failed", reason="no such file", **about),
        StepMessage(task_id="fits_feed", state="started", try_number=1, **about),
        IntakeMessage(what="quarantined", source="inbox x.xml", reason="empty", sha256="0" * 64, **about),
    ):
        yield found.model_dump_json().encode()


def _stories(stream: bytes) -> Iterator[bytes]:
    """Yield scripts for `fuzz.live_intake`: every action, with names and answers that are prone to errors."""
    notice, later = act_bytes(file, b"a.xml"), act_bytes(pause, b"\x05")
    login = act_bytes(answer, b'\x00\x01{"access_token": "t"}')
    arrivals = [notice, act_bytes(file, b"night/p.bin\0" + stream), later]
    for acts in (
        [act_bytes(file, b"a\xe9.xml"), act_bytes(file, b"a\n\x1b[31m.BIN\0junk"), later],
        [act_bytes(message, b"mxtvhf.in.caf\xe9\0\0"), later, act_bytes(message, b"mxtvhf.in.x\0\xff\0junk")],
        [act_bytes(signed_message, b"mxtvhf.in.alerts\0AAAA\0"), later],
        [
            act_bytes(waiting_file, b"0\0{}\n<junk"),
            act_bytes(waiting_file, b'1\0{"schema_version":9}\n'),
            later,
        ],
        [*arrivals, *(act_bytes(kept_file, bytes([which, which]) + b"{") for which in range(5)), later],
        [*arrivals, act_bytes(restart), act_bytes(kept_file, b"\x03\x00{}"), later],
        [act_bytes(answer, b"\x00\xc8no token"), *arrivals, act_bytes(answer, b"\x01\x2c{}"), later],
        [login, act_bytes(answer, b"\x00\xd1{}"), *arrivals],
        [act_bytes(note, b"\x01x"), act_bytes(note, b"\x05x"), act_bytes(kept_file, b"\x00\x01\0\0"), later],
    ):
        yield SEPARATOR.join(acts)
