"""The fuzzing targets; each accepts any bytes and may only reject them with `InvalidInput`.

The target that drives the whole intake is in `fuzz.live_intake`.
"""

from __future__ import annotations

import tempfile
from binascii import crc_hqx
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from fuzz.live_intake import live_intake
from mxtvhf.catalogues.columns import Choice, map_columns
from mxtvhf.catalogues.readers import read_parts
from mxtvhf.catalogues.rows import Evidence, convert
from mxtvhf.errors import InvalidInput
from mxtvhf.events.attitude_file import read_attitude_product
from mxtvhf.events.event_file import read_event_file
from mxtvhf.notices.voevent import read_alert
from mxtvhf.reporting.messages.model import read_message
from mxtvhf.telemetry.decode import bursts_in, decode_stream
from mxtvhf.telemetry.layout import layout

BURST = "sb26051102"


def packets(raw: bytes) -> None:
    """Decode VHF packets as received."""
    with suppress(InvalidInput):
        bursts_in(raw, name="fuzz")
    with suppress(InvalidInput):
        found = decode_stream(raw, BURST, name="fuzz")
        counts = found.counts
        if counts.received != counts.good + counts.repeated + counts.foreign + counts.corrupt:
            raise AssertionError(counts)


def sealed_packets(raw: bytes) -> None:
    """Decode VHF packets with arbitrary content but a valid CRC, which most damaged packets do not have."""
    packets(seal(raw))


def seal(raw: bytes) -> bytes:
    """Split bytes into packets with a valid CRC; the first byte of each piece selects the packet type."""
    sealed, kinds = bytearray(), layout().types
    while raw:
        kind = kinds[raw[0] % len(kinds)]
        body = raw[1 : kind.size - 1].ljust(kind.size - 2, b"\0")
        sealed += body + crc_hqx(body, 0xFFFF).to_bytes(2, "big")
        raw = raw[kind.size - 1 :]
    return bytes(sealed)


def notice(raw: bytes) -> None:
    """Parse a VOEvent."""
    with suppress(InvalidInput):
        read_alert(raw)


def event_file(raw: bytes) -> None:
    """Read an event file, as the reference GP does."""
    path = _scratch() / "fuzz.fits"
    path.write_bytes(raw)
    with suppress(InvalidInput):
        read_event_file(path)


def attitude(raw: bytes) -> None:
    """Read an attitude product."""
    with suppress(InvalidInput):
        read_attitude_product(raw, name="fuzz")


def catalogue(raw: bytes) -> None:
    """Read a catalogue file of any format."""
    path, choice, evidence = _scratch() / "fuzz.dat", Choice(default_r90_arcsec=5.0), Evidence()
    path.write_bytes(raw)
    with suppress(InvalidInput):
        for part in read_parts(path):
            mapped = map_columns(part, choice)
            for _ in convert(part.rows, mapped, choice.default_r90_arcsec, evidence).usable:
                pass


def message(raw: bytes) -> None:
    """Parse a message of MXT-VHF, as ``mxtvhf log-queue`` does."""
    with suppress(InvalidInput):
        read_message(raw)


@cache
def _scratch() -> Path:
    return Path(tempfile.mkdtemp(prefix="mxtvhf-fuzz-"))


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (packets, sealed_packets, notice, event_file, attitude, catalogue, message, live_intake)
}
