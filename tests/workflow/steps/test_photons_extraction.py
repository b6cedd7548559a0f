import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from mxtvhf.errors import InvalidInput, NotOurs
from mxtvhf.events.attitude_file import attitude_product_bytes
from mxtvhf.events.onboard_file import OnboardMessage, OnboardSource, read_onboard_file
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.pointing import quaternion_of
from mxtvhf.instrument.time import met_from_utc
from mxtvhf.telemetry.encode import encode_onboard, encode_photons, encode_pointing
from mxtvhf.workflow.steps.photons_extraction import Extraction, load_received, photons_extraction

BURST = "sb26051102"
START = 295268612.0


def photon_packets(burst=BURST, count=60):
    columns = np.random.default_rng(0).integers(0, 256, (3, count))
    return encode_photons(PhotonList(START + 0.1 * np.arange(count), *columns.astype(np.int16)), burst)


def pointing_packets(stable=(1, 1)):
    count = len(stable)
    quaternion = np.tile(quaternion_of(10.0, 20.0, 30.0), (count, 1))
    return encode_pointing(
        AttitudeHistory(START + np.arange(count), quaternion, np.array(stable, bool)), BURST
    )


@pytest.fixture
def extract(tmp_path):
    def extract(*packets):
        path = tmp_path / "packets.bin"
        path.write_bytes(b"".join(packets))
        return photons_extraction(path, BURST, tmp_path / "out")

    return extract


def test_photons_and_attitude_are_kept_and_summed_up(extract):
    found = extract(*photon_packets(), *pointing_packets())
    photons = PhotonList.load(Path(found.photons_path))
    assert len(photons) == found.n_photons == 60
    assert met_from_utc(found.last_utc) == pytest.approx(START + 5.9, abs=1e-5)
    attitude = AttitudeHistory.from_bytes(Path(found.attitude_path).read_bytes())
    assert len(attitude) == 2
    assert (found.rejected_path, found.warnings) == (None, ())
    assert found.packets.good == 7


def test_the_extraction_is_small_and_travels_as_json(extract):
    found = extract(*photon_packets(count=12_000), *pointing_packets())
    text = found.model_dump_json()
    assert len(text) < 2000
    assert Extraction.model_validate(json.loads(text)) == found


def test_rejected_bytes_are_kept_with_place_and_reason(extract):
    first, *others = photon_packets()
    damaged = bytearray(others[1])
    damaged[40] ^= 4
    found = extract(first, b"noise", others[0], bytes(damaged), *others[2:], *pointing_packets())
    note = json.loads(Path(found.rejected_path).read_text())
    assert note == {
        "schema_version": 1,
        "input": "packets.bin",
        "rejects": [
            {"offset": 92, "length": 5, "reason": "5 bytes left over"},
            {"offset": 92 + 5 + 92, "length": 92, "reason": "wrong CRC"},
        ],
    }
    assert Path(found.rejected_path).with_suffix(".bin").read_bytes() == b"noise" + damaged
    assert found.warnings == ("1 packet missing", "2 corrupt, rejected: 5 bytes left over; wrong CRC")


def test_a_rerun_gives_the_same_files(extract):
    packets = [*photon_packets(), b"noise", *pointing_packets()]
    first, second = (
        {path.name: path.read_bytes() for path in Path(extract(*packets).photons_path).parent.iterdir()}
        for _ in range(2)
    )
    assert first == second
    rejected = {"rejected_packets.bin", "rejected_packets.json"}
    assert set(first) == {"photons.npz", "attitude.npz", "received.npz"} | rejected


def test_the_time_of_lost_packets_is_not_received(extract):
    packets = photon_packets(count=70)
    found = extract(*packets[:2], *packets[3:], *pointing_packets())
    assert found.received_path is not None
    received = load_received(Path(found.received_path))
    # 12 photons in a packet, one each 0.1 s; after the gap the first frame is left out.
    np.testing.assert_allclose(received - START, [[-np.inf, 2.35], [3.7, np.inf]], atol=1e-4)


def test_a_damaged_file_of_the_received_time_is_refused(tmp_path):
    (tmp_path / "received.npz").write_bytes(b"PK")
    with pytest.raises(InvalidInput, match=r"received\.npz: damaged arrays"):
        load_received(tmp_path / "received.npz")


def test_what_is_odd_is_said(extract):
    found = extract(*photon_packets("sb26051103"), *pointing_packets((0, 1)))
    assert found.n_photons == 0
    assert found.last_utc is None
    assert found.warnings == (
        "no photons",
        "packets ignored: 5 of burst sb26051103",
        "the pointing was not stable throughout",
    )


@pytest.mark.parametrize(
    ("packets", "error", "cause"),
    [
        ([b"\0" * 500], InvalidInput, "packets.bin: no valid packet in 500 bytes"),
        (photon_packets("sb26042105"), NotOurs, "packets.bin: .*found 5 of burst sb26042105"),
    ],
)
def test_a_stream_without_use_is_refused(extract, tmp_path, packets, error, cause):
    with pytest.raises(error, match=cause):
        extract(*packets)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("packets", "reason"),
    [
        ([], "packets.bin: empty, no VHF packets"),
        (
            photon_packets(),
            "packets.bin: no pointing packet, so its 5 photon packets cannot be placed on the sky",
        ),
    ],
)
def test_what_cannot_be_placed_on_the_sky_is_extracted_with_the_reason(extract, packets, reason):
    found = extract(*packets)
    assert found.unplaced == reason
    assert reason in found.warnings
    assert PhotonList.load(Path(found.photons_path)).time.size == found.n_photons
    assert len(AttitudeHistory.from_bytes(Path(found.attitude_path).read_bytes())) == 0


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match=r"none\.bin: cannot be read: No such file"):
        photons_extraction(tmp_path / "none.bin", BURST, tmp_path)


def onboard_packets(*results):
    messages = [OnboardMessage(met=START + 10.0 * k, sources=found) for k, found in enumerate(results)]
    return encode_onboard(messages, BURST)


SOURCE = OnboardSource(ra_deg=10.0, dec_deg=20.0, r90_arcsec=60.0, snr=9.0, known_source=False)


def test_the_positions_found_on_board_are_a_product(extract):
    found = extract(*photon_packets(), *pointing_packets(), *onboard_packets((), (SOURCE,)))
    assert found.n_onboard == 2
    assert read_onboard_file(Path(found.onboard_path)) == (
        OnboardMessage(met=START + 10.0, sources=(SOURCE,)),
    )
    assert found.packets.good == 9


def test_without_a_source_on_board_there_is_no_product(extract):
    found = extract(*photon_packets(), *pointing_packets(), *onboard_packets(()))
    assert (found.onboard_path, found.n_onboard) == (None, 1)
    assert extract(*photon_packets(), *pointing_packets()).n_onboard == 0


def test_a_damaged_position_packet_is_kept_with_its_reason(extract):
    whole, cut = onboard_packets((SOURCE,), (SOURCE,))
    found = extract(*photon_packets(), *pointing_packets(), whole, cut[:50])
    assert len(read_onboard_file(Path(found.onboard_path))) == 1
    note = json.loads(Path(found.rejected_path).read_text())
    assert [reject["reason"] for reject in note["rejects"]] == ["cut short: 50 of 95 bytes"]
    assert Path(found.rejected_path).with_suffix(".bin").read_bytes() == cut[:50]


def test_an_extraction_older_than_the_positions_is_read(extract):
    kept = json.loads(extract(*photon_packets(), *pointing_packets()).model_dump_json())
    del kept["onboard_path"], kept["n_onboard"]
    assert Extraction.model_validate(kept).onboard_path is None


def attitude_product(tmp_path, *seconds, burst=BURST):
    quaternion = np.tile(quaternion_of(11.0, 20.0, 30.0), (len(seconds), 1))
    history = AttitudeHistory(START + np.array(seconds), quaternion, np.ones(len(seconds), bool))
    path = tmp_path / "attitude.fits"
    path.write_bytes(attitude_product_bytes(history, burst, datetime(2026, 5, 11, tzinfo=UTC)))
    return path, history


def extract_with(tmp_path, attitude, *packets):
    (tmp_path / "packets.bin").write_bytes(b"".join(packets))
    return photons_extraction(
        tmp_path / "packets.bin", BURST, tmp_path / "out", attitude=attitude, attitude_name="mine.fits"
    )


def test_an_attitude_product_places_the_photons_without_pointing_packets(tmp_path):
    path, history = attitude_product(tmp_path, 0.0, 5.0, 10.0)
    found = extract_with(tmp_path, path, *photon_packets())
    assert (found.unplaced, found.attitude_origin, found.warnings) == (None, "product", ())
    kept = AttitudeHistory.from_bytes(Path(found.attitude_path).read_bytes())
    np.testing.assert_allclose(kept.quaternion, history.quaternion, atol=1e-15)
    # The last sample, 4 s after the last photon's frame, adds no time to the observation.
    np.testing.assert_allclose(kept.time - START, [0.0, 5.0, 6.0], atol=1e-6)


def test_of_both_the_one_that_covers_more_photons_is_taken(tmp_path):
    path, _ = attitude_product(tmp_path, 0.0, 5.0, 10.0)
    found = extract_with(tmp_path, path, *photon_packets(), *pointing_packets())
    assert found.attitude_origin == "product"
    assert "attitude from the product SVO-ATT-VHF: it covers 100% of the photons" in found.warnings[0]
    short, _ = attitude_product(tmp_path, 0.0, 0.2)
    found = extract_with(tmp_path, short, *photon_packets(), *pointing_packets())
    assert found.attitude_origin == "packets"
    assert "attitude from the pointing packets, not from the product" in found.warnings[0]
    assert any("differ by up to" in warning for warning in found.warnings)


def test_a_product_of_another_time_leaves_the_photons_unplaced(tmp_path):
    path, _ = attitude_product(tmp_path, 5e4, 5e4 + 10.0)
    found = extract_with(tmp_path, path, *photon_packets())
    assert "no pointing packet" in found.unplaced
    assert "covers none of the photons" in " ".join(found.warnings)


def test_an_attitude_of_another_burst_or_a_damaged_one_is_refused(tmp_path):
    path, _ = attitude_product(tmp_path, 0.0, 5.0, burst="sb26051101")
    with pytest.raises(
        NotOurs, match=r"mine\.fits: attitude product of burst sb26051101; expected burst sb26051102"
    ):
        extract_with(tmp_path, path, *photon_packets())
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(InvalidInput, match=r"mine\.fits: "):
        extract_with(tmp_path, path, *photon_packets())
