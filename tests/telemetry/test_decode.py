import struct
import tomllib
import warnings
from binascii import crc_hqx
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from space_packet_parser import load_xtce

from mxtvhf.errors import InvalidInput, NotOurs
from mxtvhf.events.onboard_file import OnboardMessage, OnboardSource
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.constants import instrument
from mxtvhf.instrument.pointing import quaternion_of
from mxtvhf.instrument.time import met_from_utc
from mxtvhf.telemetry.crc import crc16
from mxtvhf.telemetry.decode import decode_stream
from mxtvhf.telemetry.encode import encode_onboard, encode_photons, encode_pointing
from mxtvhf.telemetry.layout import DEFINITION, layout, packet_types
from support.project import PROJECT

BURST = "sb26051102"
START = met_from_utc(datetime(2026, 5, 11, 11, 3, 32, tzinfo=UTC))
GOLDEN = tomllib.loads((PROJECT / "tests" / "data" / "packets.toml").read_text())


def golden(name):
    return bytes.fromhex("".join(line.split("#")[0] for line in GOLDEN[name]["hex"].splitlines()))


def photon_packet(sequence, met, slots, *, burst=26051102, version=1, count=None, apid=0x301, fine=0):
    """Return a photon packet built by hand; ``slots`` holds (frame, column, row, pha)."""
    body = struct.pack(">HHHIHI", 0x0800 | apid, 0xC000 | sequence % 16384, 85, int(met), fine, burst)
    body += struct.pack(">BB", version, len(slots) if count is None else count)
    body += b"".join(struct.pack(">HBBH", *slot) for slot in slots).ljust(72, b"\0")
    return with_crc(body)


def pointing_packet(sequence, met, quaternion=(0.0, 0.0, 0.0, 1.0), *, burst=26051102, flags=0x80):
    body = struct.pack(">HHHIHI", 0x0B02, 0xC000 | sequence, 45, int(met), 0, burst)
    return with_crc(body + struct.pack(">BB4d", 1, flags, *quaternion))


def position_packet(sequence, met, sources, *, count=None, fine=0, burst=26051102):
    """Return a position packet built by hand; ``sources`` holds (ra, dec, r90, snr, known)."""
    body = struct.pack(">HHHIHI", 0x0B03, 0xC000 | sequence, 88, int(met), fine, burst)
    body += struct.pack(">BB", 1, len(sources) if count is None else count)
    body += b"".join(struct.pack(">ddffB", *source) for source in sources).ljust(75, b"\0")
    return with_crc(body)


def with_crc(body):
    return body + struct.pack(">H", crc_hqx(body, 0xFFFF))


def photon_list(frames, seed=0):
    rng = np.random.default_rng(seed)
    count = len(frames)
    return PhotonList(
        START + np.sort(np.asarray(frames, float)) * 0.1,
        rng.integers(0, 256, count).astype(np.int16),
        rng.integers(0, 256, count).astype(np.int16),
        rng.integers(0, 4096, count).astype(np.int32),
    )


def attitude_history(count=3):
    quaternion = np.tile(quaternion_of(150.0, -30.0, 40.0), (count, 1))
    return AttitudeHistory(START + 10.0 * np.arange(count), quaternion, np.ones(count, bool))


POINTING = encode_pointing(attitude_history(), BURST)


def decode(*packets, burst=BURST):
    return decode_stream(b"".join(packets), burst, name="test.bin")


def assert_same_photons(first, second):
    for column in ("time", "x", "y", "pha"):
        a, b = getattr(first, column), getattr(second, column)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


# ------------------------------------------------------------------ the layout


def test_a_packet_written_by_hand_is_decoded():
    stream = decode(golden("pointing"), golden("photon"))
    expected = GOLDEN["photon"]
    assert stream.photons.time.tolist() == expected["time"]
    assert stream.photons.x.tolist() == expected["x"]
    assert stream.photons.y.tolist() == expected["y"]
    assert stream.photons.pha.tolist() == expected["pha"]
    assert stream.attitude.time.tolist() == [GOLDEN["pointing"]["time"]]
    assert stream.attitude.quaternion.tolist() == [GOLDEN["pointing"]["quaternion"]]
    assert stream.attitude.stable.tolist() == [True]
    assert stream.photon_sequence.tolist() == [16383]


def test_packets_written_by_hand_are_what_the_encoder_makes():
    photons = PhotonList(
        np.array(GOLDEN["photon"]["time"]),
        np.array(GOLDEN["photon"]["x"], np.int16),
        np.array(GOLDEN["photon"]["y"], np.int16),
        np.array(GOLDEN["photon"]["pha"], np.int32),
    )
    one = GOLDEN["pointing"]
    attitude = AttitudeHistory(
        np.array([one["time"]]), np.array([one["quaternion"]]), np.array([one["stable"]])
    )
    assert encode_photons(photons, BURST, first_sequence=16383) == [golden("photon")]
    assert encode_pointing(attitude, BURST) == [golden("pointing")]


def test_an_independent_xtce_reader_reads_the_same_numbers():
    definition = load_xtce(str(DEFINITION))
    photons = photon_list(np.random.default_rng(5).integers(0, 4000, 50))
    packets = encode_photons(photons, BURST, first_sequence=16380)
    found = []
    for packet in packets:
        with warnings.catch_warnings(action="error"):
            read = definition.parse_bytes(packet)
        assert read["BURST_ID"] == 26051102
        reference = read["TIME_COARSE"] + read["TIME_FINE"] / 65536
        for slot in range(read["PHOTON_COUNT"]):
            frame, x, y, pha = (read[f"{name}_{slot:02d}"] for name in ("FRAME", "COLUMN", "ROW", "PHA"))
            found.append((reference + 0.1 * frame, x, y, pha))
    time, x, y, pha = (np.array(column) for column in zip(*found, strict=True))
    decoded = decode(*packets, *POINTING).photons
    np.testing.assert_allclose(time, decoded.time, rtol=0, atol=1e-6)
    for mine, theirs in ((decoded.x, x), (decoded.y, y), (decoded.pha, pha)):
        np.testing.assert_array_equal(mine, theirs)
    sample = definition.parse_bytes(POINTING[1])
    quaternion = [sample[name] for name in ("QX", "QY", "QZ", "QW")]
    np.testing.assert_array_equal(quaternion, attitude_history().quaternion[1])
    assert sample["STABLE"] == 1


def test_every_bit_of_a_packet_belongs_to_a_parameter():
    for kind in layout().types:
        bits = sum(place_bits(kind, name) for name in kind.places)
        if "SLOTS" in (kind.dtype.names or ()):
            bits += 8 * kind.dtype["SLOTS"].itemsize
        assert bits == 8 * kind.size


def place_bits(kind, name):
    place = kind.places[name]
    return 8 * kind.dtype[place.field].itemsize if place.mask is None else place.mask.bit_length()


@pytest.mark.parametrize("name", ["VERSION", "PKT_APID", "SRC_SEQ_CTR", "TIME_COARSE", "PHOTON_COUNT"])
def test_the_extreme_values_of_a_parameter_change_no_other_parameter(name):
    kind = layout().photon
    limit = 2 ** place_bits(kind, name) - 1
    for value in (0, 1, limit):
        records = np.zeros(1, kind.dtype)
        kind.write(records, name, value)
        assert kind.read(records, name)[0] == value
        assert all(kind.read(records, other)[0] == 0 for other in kind.places if other != name)


def test_the_icd_lists_every_parameter_with_its_location():
    text = (PROJECT / "docs" / "reference" / "packets.md").read_text()
    for kind in layout().types:
        section = text.split(f"## {kind.name}")[1].split("\n## ")[0]
        for name, place in kind.places.items():
            bits = place_bits(kind, name)
            start = 8 * kind.offset(place.field) + 8 * kind.dtype[place.field].itemsize - place.shift - bits
            byte, bit = divmod(start, 8)
            assert f"| {byte} | {bit} | {bits} | `{name}` |" in section, (kind.name, name)


def test_the_icd_gives_the_highest_channel():
    text = (PROJECT / "docs" / "reference" / "packets.md").read_text()
    highest = instrument().energy.pha_channels - 1
    assert f"pulse height, channel, 0-{highest} " in text
    assert f"a pulse height above channel {highest};" in text


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        (lambda text: text[:500], "definition"),
        (lambda text: text.replace('name="U6"', 'name="U7"'), "U6"),
        (lambda text: text.replace('<ParameterRefEntry parameterRef="ROW_05"/>', ""), "irregular"),
        (
            lambda text: text.replace('<ParameterRefEntry parameterRef="SPARE"/>', ""),
            "expected 8|byte boundary",
        ),
    ],
)
def test_an_unusable_definition_is_refused(damage, cause):
    with pytest.raises(InvalidInput, match=f"layout.xml: not a usable.*({cause})"):
        packet_types(damage(DEFINITION.read_text()).encode(), name="layout.xml")


def test_entities_of_a_definition_are_not_expanded():
    bomb = b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]><a xmlns="urn:x">&e;</a>'
    assert packet_types(bomb, name="layout.xml") == {}


@pytest.mark.parametrize("size", [1, 2, 3, 31, 32, 33, 34, 41, 52, 91, 92, 200])
def test_the_crc_is_that_of_the_standard_library(size):
    packets = np.random.default_rng(size).integers(0, 256, (5000, size), np.uint8)
    assert crc16(packets).tolist() == [crc_hqx(packet.tobytes(), 0xFFFF) for packet in packets]


def test_the_crc_has_the_published_check_value():
    assert crc16(np.frombuffer(b"123456789", np.uint8)[None])[0] == 0x29B1


# ------------------------------------------------------------------ round trip and properties

frame_lists = st.lists(st.integers(0, 300_000), min_size=1, max_size=60)


@given(frames=frame_lists, fraction=st.floats(0.0, 1.0), first=st.integers(0, 16383))
def test_photons_survive_the_link(frames, fraction, first):
    sent = photon_list(frames)
    sent = PhotonList(sent.time + fraction, sent.x, sent.y, sent.pha)
    packets = encode_photons(sent, BURST, first)
    got = decode(*packets, *POINTING)
    np.testing.assert_allclose(got.photons.time, sent.time, rtol=0, atol=2e-6)
    assert got.photons.x.tolist() == sent.x.tolist()
    assert got.photons.pha.tolist() == sent.pha.tolist()
    # Times that come from decoded packets are reproduced exactly.
    assert encode_photons(got.photons, BURST, first) == packets
    assert got.counts.missing == got.counts.corrupt == 0


@given(data=st.data(), frames=frame_lists, first=st.integers(0, 16383))
@settings(max_examples=100)
def test_order_and_repeats_do_not_change_the_photons(data, frames, first):
    packets = encode_photons(photon_list(frames), BURST, first) + POINTING
    plain = decode(*packets)
    copies = data.draw(st.lists(st.integers(1, 3), min_size=len(packets), max_size=len(packets)))
    sent = [packet for packet, count in zip(packets, copies, strict=True) for _ in range(count)]
    mixed = decode(*data.draw(st.permutations(sent)))
    assert_same_photons(mixed.photons, plain.photons)
    np.testing.assert_array_equal(mixed.attitude.quaternion, plain.attitude.quaternion)
    np.testing.assert_array_equal(mixed.photon_sequence, plain.photon_sequence)
    assert mixed.counts.good == len(packets)
    assert mixed.counts.repeated == len(sent) - len(packets)
    assert mixed.counts.missing == mixed.counts.corrupt == 0


@given(data=st.data(), first=st.integers(0, 16383))
@settings(max_examples=100)
def test_packets_lost_between_others_are_counted(data, first):
    packets = encode_photons(photon_list(range(0, 2400, 4)), BURST, first)
    lost = data.draw(st.sets(st.integers(1, len(packets) - 2)))
    kept = [packet for index, packet in enumerate(packets) if index not in lost]
    stream = decode(*data.draw(st.permutations(kept)), *POINTING)
    assert stream.counts.missing == len(lost)
    assert stream.counts.good == len(kept) + len(POINTING)


@given(data=st.data(), noise=st.binary(max_size=300))
@settings(max_examples=100)
def test_garbage_between_packets_costs_none_of_them(data, noise):
    packets = encode_photons(photon_list(range(60)), BURST) + POINTING
    at = data.draw(st.integers(0, len(packets)))
    stream = decode(*packets[:at], noise, *packets[at:])
    assert stream.counts.good == len(packets)
    assert sum(reject.length for reject in stream.rejects) == len(noise) or stream.foreign


@given(cut=st.integers(1, 91))
def test_a_cut_tail_costs_the_last_packet_only(cut):
    packets = POINTING + encode_photons(photon_list(range(60)), BURST)
    raw = b"".join(packets)[:-cut]
    stream = decode(raw)
    assert stream.counts.good == len(packets) - 1
    assert (stream.counts.corrupt, len(stream.photons)) == (1, 48)
    assert stream.rejects[0].length == 92 - cut


@given(flips=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 92 * 8 - 1)), max_size=5))
def test_a_flipped_bit_costs_its_packet_only(flips):
    packets = [bytearray(p) for p in encode_photons(photon_list(range(120)), BURST)]
    for index, bit in flips:
        packets[index][bit // 8] ^= 1 << bit % 8
    whole = {i for i, p in enumerate(packets) if crc_hqx(bytes(p), 0xFFFF) == 0}
    stream = decode(*map(bytes, packets), *POINTING)
    assert stream.counts.good == len(whole) + len(POINTING)
    assert sum(reject.length for reject in stream.rejects) == 92 * (10 - len(whole))


@given(raw=st.binary(min_size=1, max_size=2000))
def test_noise_is_refused_and_never_hangs(raw):
    with pytest.raises(InvalidInput, match=r"test\.bin: (no valid packet|no packet of burst)"):
        decode(raw)


def test_several_cycles_of_the_sequence_count_are_unwrapped():
    photons = photon_list(np.random.default_rng(3).integers(0, 36_000, 600_000))
    packets = encode_photons(photons, BURST, first_sequence=100)
    assert len(packets) == 50_000
    lost = set(range(20_000, 30_000)) | {40_000}
    kept = [packet for index, packet in enumerate(packets) if index not in lost]
    order = np.random.default_rng(4).permutation(len(kept))
    stream = decode(*(kept[index] for index in order), *POINTING)
    assert stream.photon_sequence[[0, -1]].tolist() == [100, 100 + 49_999]
    assert stream.counts.missing == len(lost)
    assert stream.counts.good == len(kept) + len(POINTING)


def test_forged_headers_everywhere_take_linear_time_and_little_memory():
    header = bytes.fromhex("0B01C0000055")
    raw = header * 50_000 + b"\x0b\x01" * 50_000 + b"".join(POINTING) + b"\x08\x10\xff\xff\xff\xff" * 50_000
    stream = decode(raw)
    assert len(stream.attitude) == 3
    assert sum(reject.length for reject in stream.rejects) == len(raw) - 3 * 52


def test_photons_of_one_frame_have_the_same_time_in_every_packet():
    photons = photon_list(np.repeat(np.arange(200), 7))
    got = decode(*encode_photons(photons, BURST), *POINTING).photons
    assert len(np.unique(got.time)) == 200
    np.testing.assert_allclose(np.diff(np.unique(got.time)), 0.1, atol=1e-7)


def test_a_long_pause_starts_a_new_packet():
    packets = encode_photons(photon_list([0, 65_535, 65_536, 200_000]), BURST)
    assert len(packets) == 3
    assert [packet[17] for packet in packets] == [2, 1, 1]


# ------------------------------------------------------------------ packet counts


def test_counts_of_a_mixed_stream_add_up():
    packets = encode_photons(photon_list(range(120)), BURST)
    other = encode_photons(photon_list(range(24)), "sb26051103")
    apid = with_crc(bytes.fromhex("0BFFC000000A") + bytes(9))
    damaged = bytearray(packets[4])
    damaged[30] ^= 1
    stream = decode(
        packets[2], packets[0], packets[0], bytes(damaged), apid, *other, *POINTING, *packets[5:], packets[5]
    )
    counts = stream.counts
    assert (counts.good, counts.repeated, counts.missing) == (7 + 3, 2, 3)
    assert (counts.corrupt, counts.foreign, counts.out_of_order) == (1, 3, 1)
    assert counts.received == counts.good + counts.repeated + counts.foreign + counts.corrupt
    assert stream.foreign == {"burst sb26051103": 2, "APID 1023": 1}


def test_a_repeat_with_other_content_is_a_conflict_and_the_first_is_kept():
    first = photon_packet(5, START, [(0, 1, 2, 3)])
    other = photon_packet(5, START, [(0, 9, 9, 9)])
    moved = photon_packet(5, START + 1, [(0, 8, 8, 8)])
    later = photon_packet(6, START + 2, [(0, 4, 5, 6)])
    stream = decode(*POINTING, first, other, first, later, moved)
    assert stream.photons.x.tolist() == [1, 4]
    assert (stream.counts.corrupt, stream.counts.repeated, stream.counts.missing) == (2, 1, 0)
    assert {reject.reason for reject in stream.rejects} == {"sequence number repeated with other content"}


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (photon_packet(1, START, [(0, 1, 1, 1)], count=13), "more than 12 photons"),
        (photon_packet(1, START, [(5, 1, 1, 1), (4, 1, 1, 1)]), "time runs backwards in the packet"),
        (photon_packet(1, START, [(0, 1, 1, 4095), (0, 1, 1, 4096)]), "pulse height above channel 4095"),
        (photon_packet(1, START, [(0, 1, 1, 65535)]), "pulse height above channel 4095"),
        (photon_packet(1, START + 90 * 86400, [(0, 1, 1, 1)]), "time is not near the burst's date"),
        (photon_packet(1, 0, [(0, 1, 1, 1)]), "time is not near the burst's date"),
        (photon_packet(1, START, [(0, 1, 1, 1)], version=2), "FORMAT_VERSION is not 1"),
        (photon_packet(1, START, [(0, 1, 1, 1)])[:-1] + b"\0", "wrong CRC"),
        (photon_packet(1, START, [(0, 1, 1, 1)])[:50], "cut short: 50 of 92 bytes"),
        (b"\x0b\x01\xc0\x00\xff\xff" + bytes(20), "length field says 65542 bytes, a PhotonPacket has 92"),
        (b"\x0b\x01\x40\x00\x00\x55" + bytes(20), "wrong flags in the packet header"),
        (b"\xff" * 20, "no packet header"),
        (b"\x0b\x01", "2 bytes left over"),
        (pointing_packet(9, START, (0.0, 0.0, 0.0, 0.0)), "quaternion is not of unit length"),
        (pointing_packet(9, START, (float("nan"), 0.0, 0.0, 1.0)), "quaternion is not of unit length"),
    ],
)
def test_a_bad_packet_is_rejected_with_its_reason_and_offset(packet, reason):
    before, after = b"".join(POINTING), photon_packet(0, START, [(0, 7, 7, 7)])
    stream = (
        decode(before, packet, after) if not reason.startswith("2 bytes") else decode(before, after, packet)
    )
    offset = len(before) + (len(after) if reason.startswith("2 bytes") else 0)
    assert [(r.offset, r.length, r.reason) for r in stream.rejects] == [(offset, len(packet), reason)]
    assert stream.photons.x.tolist() == [7]


@pytest.mark.parametrize(
    ("packets", "error", "message"),
    [
        (
            [b"\xff" * 100],
            InvalidInput,
            "no valid packet in 100 bytes; first fault at byte 0: no packet header",
        ),
        (
            [photon_packet(0, START, [], burst=26042105), pointing_packet(0, START, burst=26042105)],
            NotOurs,
            "no packet of burst sb26051102; found 2 of burst sb26042105",
        ),
        ([photon_packet(0, START, [], apid=0x123)], NotOurs, "found 1 of APID 291"),
    ],
)
def test_a_stream_without_packets_of_the_burst_is_refused(packets, error, message):
    with pytest.raises(error, match=message) as caught:
        decode(*packets)
    assert type(caught.value) is error


def test_an_empty_stream_is_accepted():
    stream = decode()
    assert (len(stream.photons), len(stream.attitude), stream.counts.received) == (0, 0, 0)


def test_photons_without_pointing_are_decoded():
    stream = decode(photon_packet(0, START, [(0, 7, 9, 400)]))
    assert (stream.photons.x.tolist(), len(stream.attitude)) == ([7], 0)


def test_an_impossible_burst_id_is_refused():
    with pytest.raises(InvalidInput, match="invalid date 260231"):
        decode(*POINTING, burst="sb26023101")


def test_the_contents_of_unused_slots_are_ignored():
    slots = [(9, 1, 1, 5), (0, 2, 2, 65535)]
    stream = decode(*POINTING, photon_packet(0, START, slots, count=1))
    assert (stream.photons.pha.tolist(), stream.rejects) == ([5], ())


def test_pointing_without_photons_is_legal():
    stream = decode(*POINTING)
    assert len(stream.photons) == 0
    assert len(stream.attitude) == 3


def test_photons_left_in_the_stream_bytes_are_not_shared():
    raw = bytearray(b"".join([*encode_photons(photon_list(range(24)), BURST), *POINTING]))
    received, stream = bytes(raw), decode(raw)
    stream.photons.x[0] = 1
    stream.attitude.quaternion[0] = 0.0
    assert raw == received


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"x": np.array([0, 256], np.int16)}, "x 256 is out of range; expected 0 to 255"),
        ({"y": np.array([-1, 0], np.int16)}, "y -1 is out of range; expected 0 to 255"),
        ({"pha": np.array([0, 4096], np.int32)}, "pha 4096 is out of range; expected 0 to 4095"),
        ({"time": np.array([START + 1, START])}, "times are not in ascending order"),
        ({"time": np.array([START, START + 0.05])}, "expected starts of detector frames"),
        ({"time": np.array([-5.0, -4.0])}, "expected seconds from the mission.s epoch"),
    ],
)
def test_photons_that_no_packet_can_carry_are_refused(change, cause):
    columns = {"time": START + np.array([0.0, 0.1])}
    columns |= {"x": np.zeros(2, np.int16), "y": np.zeros(2, np.int16), "pha": np.zeros(2, np.int32)}
    with pytest.raises(InvalidInput, match=cause):
        encode_photons(PhotonList(**(columns | change)), BURST)


def test_an_empty_photon_list_makes_no_packets():
    assert encode_photons(photon_list([]), BURST) == []


# ------------------------------------------------------------------ on-board positions

S1, S2 = (210.105, 54.5963, 64.5, 38.25, 0), (209.5, -54.25, 120.0, 12.5, 1)


def onboard_message(met, *sources):
    fields = ("ra_deg", "dec_deg", "r90_arcsec", "snr", "known_source")
    return OnboardMessage(
        met=met, sources=tuple(OnboardSource(**dict(zip(fields, source, strict=True))) for source in sources)
    )


def test_a_position_packet_written_by_hand_is_decoded_and_encoded():
    packet = position_packet(0, 295268700, [S1, S2], fine=0x4000)
    assert decode(packet).onboard == (onboard_message(295268700.25, S1, S2),)
    assert encode_onboard(decode(packet).onboard, BURST) == [packet]


def test_an_independent_xtce_reader_reads_the_same_sources():
    definition = load_xtce(str(DEFINITION))
    (packet,) = encode_onboard([onboard_message(START, S1, S2)], BURST)
    with warnings.catch_warnings(action="error"):
        read = definition.parse_bytes(packet)
    assert read["SOURCE_COUNT"] == 2
    for slot, source in enumerate((S1, S2)):
        names = ("RA", "DEC", "R90", "SNR", "KNOWN_SOURCE")
        assert tuple(read[f"{name}_{slot:02d}"] for name in names) == source


def test_no_source_on_board_is_a_result():
    assert decode(*encode_onboard([onboard_message(START)], BURST)).onboard == (onboard_message(START),)
    assert encode_onboard([], BURST) == []


def test_results_are_in_time_order_without_repeats():
    messages = [onboard_message(START + 10.0 * k, S1) for k in range(5)]
    packets = encode_onboard(messages, BURST, first_sequence=16382)
    stream = decode(packets[3], packets[0], packets[3], packets[4], packets[0], packets[1])
    assert stream.onboard == (messages[0], messages[1], messages[3], messages[4])
    counts = stream.counts
    assert (counts.good, counts.repeated, counts.missing, counts.out_of_order) == (4, 2, 1, 2)


@pytest.mark.parametrize(
    ("sources", "count", "reason"),
    [
        ([S1], 4, "more than 3 sources"),
        ([S1], 255, "more than 3 sources"),
        ([S1, (float("nan"), *S2[1:])], None, "position is not on the sky"),
        ([S1, (360.0, *S2[1:])], None, "position is not on the sky"),
        ([(-1e-9, *S1[1:])], None, "position is not on the sky"),
        ([(S1[0], 90.5, *S1[2:])], None, "position is not on the sky"),
        ([(S1[0], float("inf"), *S1[2:])], None, "position is not on the sky"),
        ([(*S1[:2], 0.0, *S1[3:])], None, "error radius is not a positive number up to 10 deg"),
        ([(*S1[:2], float("nan"), *S1[3:])], None, "error radius is not a positive number up to 10 deg"),
        ([(*S1[:2], 4e4, *S1[3:])], None, "error radius is not a positive number up to 10 deg"),
        ([(*S1[:3], float("nan"), 0)], None, "SNR is not a finite number of at least 0"),
        ([(*S1[:3], -1.0, 0)], None, "SNR is not a finite number of at least 0"),
        ([(*S1[:4], 2)], None, "KNOWN_SOURCE is neither 0 nor 1"),
        ([S1, (*S1[:2], *S2[2:])], None, "two sources at one position"),
    ],
)
def test_an_impossible_result_is_rejected_and_affects_no_other(sources, count, reason):
    bad, good = position_packet(0, START, sources, count=count), position_packet(1, START + 5, [S2])
    stream = decode(good, bad, *POINTING)
    assert stream.onboard == (onboard_message(START + 5, S2),)
    assert [(reject.offset, reject.length, reject.reason) for reject in stream.rejects] == [(95, 95, reason)]
    assert stream.counts.corrupt == 1


def test_the_contents_of_unused_source_slots_are_ignored():
    packet = position_packet(0, START, [S1, (float("nan"), 99.0, -1.0, -1.0, 9)], count=1)
    assert decode(packet).onboard == (onboard_message(START, S1),)


def test_a_truncated_position_packet_is_rejected():
    packet = position_packet(0, START, [S1])
    stream = decode(*POINTING, packet[:60])
    assert stream.onboard == ()
    assert stream.rejects[0].reason == "cut short: 60 of 95 bytes"


def test_a_result_far_from_the_burst_is_rejected():
    stream = decode(position_packet(0, START - 5e5, [S1]), *POINTING)
    assert [reject.reason for reject in stream.rejects] == ["time is not near the burst's date"]


@settings(max_examples=50, deadline=None)
@given(noise=st.binary(max_size=95), place=st.integers(0, 94))
def test_no_damage_to_a_position_packet_raises(noise, place):
    packet = position_packet(0, START, [S1, S2])
    damaged = packet[:place] + noise + packet[place + len(noise) :]
    stream = decode(*POINTING, damaged)
    assert stream.onboard in ((), (onboard_message(float(int(START)), S1, S2),))
