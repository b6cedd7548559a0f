"""What a message is and where it goes."""

import json

import pytest

from mxtvhf.intake.filing import file_message, is_xml
from mxtvhf.intake.spool import ReceivedMessage, Spool
from support.arrivals import NOON, seconds

SOURCE = "NATS mxtvhf.in.alerts"


def test_a_notice_is_filed_with_its_burst_and_opens_it(burst, archive, bursts):
    assert file_message(ReceivedMessage(burst.wakeup, SOURCE, NOON), archive, bursts) == (burst.id,)
    ((kept, received),) = archive.first_notices(burst.id).items()
    assert kept.read_bytes() == burst.wakeup
    assert received == NOON
    assert list(bursts.all()) == [burst.id]
    line = json.loads((kept.parent / "received.jsonl").read_text())
    assert line["source"] == SOURCE


def test_packets_are_filed_by_the_burst_that_is_in_them(burst, archive, bursts):
    other = burst.messages[0].replace(b"\x01\x8d", b"\x01\x8d")
    assert file_message(ReceivedMessage(other, SOURCE, NOON), archive, bursts) == (burst.id,)
    assert [path.read_bytes() for path in archive.vhf(burst.id)] == [other]


def test_what_comes_again_is_kept_once_and_its_first_reception_counts(burst, archive, bursts):
    for moment in (NOON, seconds(5)):
        file_message(ReceivedMessage(burst.messages[0], SOURCE, moment), archive, bursts)
    assert list(archive.vhf(burst.id).values()) == [NOON]


@pytest.mark.parametrize(
    ("raw", "cause"),
    [
        (b"", "empty"),
        (b"<html>error</html>", "VOEvent"),
        (b"\x00" * 200, "no VHF packet"),
        (b"GET / HTTP/1.1", "no VOEvent"),
        (b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type"),
    ],
)
def test_what_is_neither_goes_to_quarantine_with_the_reason(raw, cause, archive, bursts):
    assert file_message(ReceivedMessage(raw, SOURCE, NOON), archive, bursts) == ()
    (note,) = archive.root.glob("quarantine/*.json")
    written = json.loads(note.read_text())
    assert cause in written["reason"]
    assert written["input"] == SOURCE
    assert note.with_suffix(".bin").read_bytes() == raw
    assert not bursts.all()


def test_a_packet_with_a_flipped_bit_alone_goes_to_quarantine_and_beside_good_ones_not(
    burst, archive, bursts
):
    damaged = bytearray(burst.messages[0][:87])
    damaged[40] ^= 1
    assert file_message(ReceivedMessage(bytes(damaged), SOURCE, NOON), archive, bursts) == ()
    assert file_message(
        ReceivedMessage(bytes(damaged) + burst.messages[1], SOURCE, NOON), archive, bursts
    ) == (burst.id,)


def test_xml_is_known_by_its_first_character():
    assert all(is_xml(raw) for raw in (b"<a/>", b"\n <a/>", b"\xef\xbb\xbf<a/>", "<a/>".encode("utf-16")))
    assert not any(is_xml(raw) for raw in (b"", b"\x0a\x00", b"abc <"))


def test_the_waiting_room_gives_back_what_was_kept_oldest_first(tmp_path):
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
