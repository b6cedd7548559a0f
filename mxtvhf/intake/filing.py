"""Filing of received messages by kind and burst; messages of no known kind go to quarantine."""

from __future__ import annotations

import logging
from collections.abc import Callable

from mxtvhf.archive.archive import Archive, Retraction
from mxtvhf.archive.inputs import MAX_ALERT_BYTES, MAX_PACKETS_BYTES
from mxtvhf.errors import InvalidInput
from mxtvhf.events.attitude_file import MAX_ATTITUDE_BYTES, is_fits, read_attitude_product
from mxtvhf.intake.open_bursts import OpenBursts
from mxtvhf.intake.spool import ReceivedMessage
from mxtvhf.models.text import escaped
from mxtvhf.notices.voevent import read_alert
from mxtvhf.telemetry.decode import bursts_in

log = logging.getLogger(__name__)

Tell = Callable[[ReceivedMessage, str], None]

_XML_STARTS = (b"<", b"\xef\xbb\xbf<", b"\xff\xfe<", b"\xfe\xff\0<")
"""First bytes of XML in UTF-8 without and with a byte order mark, and in UTF-16."""


def file_message(
    message: ReceivedMessage, archive: Archive, bursts: OpenBursts, tell: Tell = lambda message, reason: None
) -> tuple[str, ...]:
    """Archive a message with its burst, or put it into quarantine.

    Repeated calls add a line to the receipts and change nothing else.

    Parameters
    ----------
    message
        A VOEvent, VHF packets of one or several bursts, or an attitude product of one burst.
    archive
        Archive that stores the message. Packets of several bursts are stored with each burst.
    bursts
        Open bursts. The bursts of the message are opened.
    tell
        Called with the message and the reason if the message goes to quarantine.

    Returns
    -------
    tuple of str
        Burst ids; empty if the message went to quarantine.
    """
    try:
        if not message.raw:
            raise InvalidInput(f"{message.source}: empty file or message")
        if is_xml(message.raw):
            return (_file_notice(message, archive, bursts),)
        if is_fits(message.raw):
            return (_file_attitude(message, archive, bursts),)
        found = _packet_bursts(message)
    except InvalidInput as error:
        set_aside(message, archive, str(error), tell)
        return ()
    for burst_id in found:
        with archive.burst_lock(burst_id):
            kept = archive.keep_vhf(burst_id, message.raw)
            archive.log_receipt(kept, message.received, message.source)
            bursts.open(burst_id)
    return found


def set_aside(message: ReceivedMessage, archive: Archive, reason: str, tell: Tell) -> None:
    """Put a message into quarantine, log the reason and call ``tell``."""
    reason = escaped(reason)
    archive.quarantine(message.raw, name=message.source, reason=reason)
    log.error("message moved to quarantine: %s", reason)
    tell(message, reason)


def is_xml(raw: bytes) -> bool:
    """Return True if a message begins like XML. Packets begin with their CCSDS version, three zero bits."""
    return raw.lstrip(b" \t\r\n").startswith(_XML_STARTS)


def _file_notice(message: ReceivedMessage, archive: Archive, bursts: OpenBursts) -> str:
    if len(message.raw) > MAX_ALERT_BYTES:
        raise InvalidInput(
            f"{message.source}: the notice has {len(message.raw)} bytes; expected at most {MAX_ALERT_BYTES}"
        )
    alert = read_alert(message.raw, name=message.source)
    with archive.burst_lock(alert.burst_id):
        kept = archive.keep_alert(alert.burst_id, message.raw)
        archive.log_receipt(kept, message.received, message.source)
        if alert.is_retraction:
            retraction = Retraction(ivorn=alert.ivorn, received=message.received)
            archive.mark_retracted(alert.burst_id, retraction, is_test=alert.is_test)
        bursts.open(alert.burst_id)
    return alert.burst_id


def _file_attitude(message: ReceivedMessage, archive: Archive, bursts: OpenBursts) -> str:
    size = len(message.raw)
    if size > MAX_ATTITUDE_BYTES:
        raise InvalidInput(
            f"{message.source}: the FITS file has {size} bytes; expected at most {MAX_ATTITUDE_BYTES}"
        )
    burst_id = read_attitude_product(message.raw, name=message.source).burst_id
    if burst_id is None:
        raise InvalidInput(
            f"{message.source}: the keyword BURST_ID is missing; an attitude product must name its burst"
        )
    with archive.burst_lock(burst_id):
        kept = archive.keep_attitude(burst_id, message.raw)
        archive.log_receipt(kept, message.received, message.source)
        bursts.open(burst_id)
    return burst_id


def _packet_bursts(message: ReceivedMessage) -> tuple[str, ...]:
    if len(message.raw) > MAX_PACKETS_BYTES:
        raise InvalidInput(
            f"{message.source}: the message has {len(message.raw)} bytes; "
            f"expected at most {MAX_PACKETS_BYTES}"
        )
    try:
        return tuple(sorted(bursts_in(message.raw, name=message.source)))
    except InvalidInput as error:
        raise InvalidInput(f"{error}; the message is not a VOEvent either") from None
