"""Filing of messages by kind and burst."""

import json
from io import BytesIO

import numpy as np
import pytest
from astropy.io import fits

from mxtvhf.events.attitude_file import attitude_product_bytes
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.pointing import quaternion_of
from mxtvhf.instrument.time import met_from_utc
from mxtvhf.intake.filing import file_message, is_xml
from mxtvhf.intake.spool import ReceivedMessage, Spool
from support.arrivals import NOON, seconds

SOURCE = "NATS mxtvhf.in.alerts"


def test_a_notice_is_filed_by_burst_and_opens_it(burst, archive, bursts):
    assert file_message(ReceivedMessage(burst.wakeup, SOURCE, NOON), archive, bursts) == (burst.id,)
    ((kept, received),) = archive.first_notices(burst.id).items()
    assert kept.read_bytes() == burst.wakeup
    assert received == NOON
    assert list(bursts.all()) == [burst.id]
    line = json.loads((kept.parent / "received.jsonl").read_text())
    assert line["source"] == SOURCE


def test_packets_are_filed_by_their_burst_ids(burst, archive, bursts):
    other = burst.messages[0].replace(b"\x01\x8d", b"\x01\x8d")
    assert file_message(ReceivedMessage(other, SOURCE, NOON), archive, bursts) == (burst.id,)
    assert [path.read_bytes() for path in archive.vhf(burst.id)] == [other]


def test_a_repeated_message_is_stored_once_with_its_first_reception(burst, archive, bursts):
    for moment in (NOON, seconds(5)):
        file_message(ReceivedMessage(burst.messages[0], SOURCE, moment), archive, bursts)
    assert list(archive.vhf(burst.id).values()) == [NOON]


@pytest.mark.parametrize(
    ("raw", "cause"),
    [
        (b"", f"{SOURCE}: empty file or message"),
        (b"<html>error</html>", "VOEvent"),
        (b"\x00" * 200, "no VHF packet"),
        (b"GET / HTTP/1.1", "not a VOEvent"),
        (b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type"),
    ],
)
def test_an_unknown_message_goes_to_quarantine_with_the_reason(raw, cause, archive, bursts):
    assert file_message(ReceivedMessage(raw, SOURCE, NOON), archive, bursts) == ()
    (note,) = archive.root.glob("quarantine/*.json")
    written = json.loads(note.read_text())
    assert cause in written["reason"]
    assert written["input"] == SOURCE
    assert note.with_suffix(".bin").read_bytes() == raw
    assert not bursts.all()


def test_a_corrupt_packet_goes_to_quarantine_unless_valid_ones_accompany_it(burst, archive, bursts):
    damaged = bytearray(burst.messages[0][:87])
    damaged[40] ^= 1
    assert file_message(ReceivedMessage(bytes(damaged), SOURCE, NOON), archive, bursts) == ()
    assert file_message(
        ReceivedMessage(bytes(damaged) + burst.messages[1], SOURCE, NOON), archive, bursts
    ) == (burst.id,)


def test_xml_is_known_by_its_first_character():
    assert all(is_xml(raw) for raw in (b"<a/>", b"\n <a/>", b"\xef\xbb\xbf<a/>", "<a/>".encode("utf-16")))
    assert not any(is_xml(raw) for raw in (b"", b"\x0a\x00", b"abc <"))


def test_the_spool_returns_messages_oldest_first(tmp_path):
    room = Spool(tmp_path)
    sent = [
        ReceivedMessage(bytes([number]) * 3 + b"\n", f"inbox {number}", seconds(number))
        for number in range(5)
    ]
    for message in (*sent, sent[2]):
        room.keep(message)
    assert [room.read(path) for path in room.waiting()] == sent
    for path in room.waiting():
        room.done(path)
        assert room.read(path) is None
    assert room.waiting() == []


def attitude_product(burst_id):
    quaternion = np.tile(quaternion_of(155.5, -21.0, 30.0), (3, 1))
    history = AttitudeHistory(met_from_utc(NOON) + 10.0 * np.arange(3), quaternion, np.ones(3, bool))
    return attitude_product_bytes(history, burst_id, NOON)


def test_an_attitude_product_is_filed_with_its_burst_and_opens_it(burst, archive, bursts):
    raw = attitude_product(burst.id)
    for moment in (NOON, seconds(5)):
        assert file_message(ReceivedMessage(raw, SOURCE, moment), archive, bursts) == (burst.id,)
    ((kept, received),) = archive.attitudes(burst.id).items()
    assert (kept.read_bytes(), kept.suffix, received) == (raw, ".fits", NOON)
    assert list(bursts.all()) == [burst.id]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda raw: raw[:3000], f"{SOURCE}: HDU "),
        (lambda raw: raw.replace(b"SVO-ATT-VHF'", b"SVO-ORB-VHF'", 1), f"{SOURCE}: HDU PRIMARY"),
        (lambda raw: raw.replace(b"BURST_ID", b"BURST_NO"), f"{SOURCE}: HDU PRIMARY"),
        (lambda raw: raw[:-2880] + bytes(2880), f"{SOURCE}: HDU ATTITUDE"),
    ],
)
def test_an_invalid_attitude_product_goes_to_quarantine(change, cause, archive, bursts):
    raw = change(attitude_product("sb26030704"))
    assert file_message(ReceivedMessage(raw, SOURCE, NOON), archive, bursts) == ()
    (note,) = archive.quarantined()
    assert note.reason.startswith(cause)
    assert not bursts.all()


def test_an_attitude_product_without_burst_goes_to_quarantine(archive, bursts, tmp_path):
    with fits.open(BytesIO(attitude_product("sb26030704"))) as parts:
        del parts[0].header["BURST_ID"]
        parts.writeto(tmp_path / "a.fits", checksum=True)
    raw = (tmp_path / "a.fits").read_bytes()
    assert file_message(ReceivedMessage(raw, SOURCE, NOON), archive, bursts) == ()
    (note,) = archive.quarantined()
    cause = "the keyword BURST_ID is missing; an attitude product must name its burst"
    assert note.reason == f"{SOURCE}: {cause}"
