"""Filing: what a message is, and of which burst; what is neither notice nor packets goes to quarantine."""

from __future__ import annotations

import logging

from mxtvhf.archive import Archive
from mxtvhf.errors import InvalidInput
from mxtvhf.inputs import MAX_ALERT_BYTES, MAX_PACKETS_BYTES
from mxtvhf.intake.incoming import Message
from mxtvhf.intake.openbursts import OpenBursts
from mxtvhf.packets import bursts_in
from mxtvhf.voevent import read_alert

log = logging.getLogger(__name__)

_XML_STARTS = (b"<", b"\xef\xbb\xbf<", b"\xff\xfe<", b"\xfe\xff\0<")
"""Of UTF-8 without and with a byte order mark, and of UTF-16."""


def file_message(message: Message, archive: Archive, bursts: OpenBursts) -> tuple[str, ...]:
    """Put a message where it belongs.

    Done again, it changes nothing but a line in the receipts.

    Parameters
    ----------
    message
        A VOEvent, or VHF packets of one or several bursts.
    archive
        Where it is kept: a message of packets with each of its bursts.
    bursts
        Its bursts are opened there, to be looked at.

    Returns
    -------
    tuple of str
        Burst ids; empty when the message went to quarantine.
    """
    try:
        found = _notice_burst(message) if is_xml(message.raw) else _packet_bursts(message)
    except InvalidInput as error:
        archive.quarantine(message.raw, name=message.source, reason=str(error))
        log.error("to quarantine: %s", error)
        return ()
    for burst_id in found:
        with archive.burst_lock(burst_id):
            keep = archive.keep_alert if is_xml(message.raw) else archive.keep_vhf
            archive.log_receipt(keep(burst_id, message.raw), message.received, message.source)
            bursts.open(burst_id)
    return found


def is_xml(raw: bytes) -> bool:
    """Tell whether a message is meant as XML; packets begin with their CCSDS version, three zero bits."""
    return raw.lstrip(b" \t\r\n").startswith(_XML_STARTS)


def _notice_burst(message: Message) -> tuple[str, ...]:
    if len(message.raw) > MAX_ALERT_BYTES:
        raise InvalidInput(f"{message.source}: a notice of {len(message.raw)} bytes, over {MAX_ALERT_BYTES}")
    return (read_alert(message.raw, name=message.source).burst_id,)


def _packet_bursts(message: Message) -> tuple[str, ...]:
    if len(message.raw) > MAX_PACKETS_BYTES:
        raise InvalidInput(f"{message.source}: {len(message.raw)} bytes, over {MAX_PACKETS_BYTES}")
    try:
        return tuple(sorted(bursts_in(message.raw, name=message.source)))
    except InvalidInput as error:
        raise InvalidInput(f"{error}; and it is no VOEvent") from None
