import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from mxtvhf.errors import InvalidInput
from mxtvhf.events.event_file import read_event_file
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.pointing import quaternion_of
from mxtvhf.instrument.time import met_from_utc
from mxtvhf.telemetry.encode import encode_photons, encode_pointing
from mxtvhf.workflow.steps.fits_feed import EventProduct, fits_feed
from mxtvhf.workflow.steps.photons_extraction import photons_extraction
from support.alerts import alert_of

BURST = "sb26051102"
OBSERVED = datetime(2026, 5, 11, 11, 3, 32, tzinfo=UTC)
START = met_from_utc(OBSERVED)
ALERT = alert_of(
    BURST,
    "mxt-initial_qf4",
    OBSERVED,
    packet_type=209,
    notice_level="N2m",
    instrument="MXT",
    role="test",
    published=OBSERVED + timedelta(seconds=20),
    snr=None,
)
GP = {"apid": "00810300005", "target": "2", "orbit": "7"}


def feed(folder, packets, alert=ALERT, related=()):
    path = folder / "packets.bin"
    path.write_bytes(b"".join(packets))
    return fits_feed(photons_extraction(path, BURST, folder / "out"), alert, folder / "out", related=related)


@pytest.fixture
def extraction(tmp_path):
    def extraction(stable=(1,) * 10, decs=None):
        count = 600
        columns = np.random.default_rng(0).integers(0, 256, (3, count))
        photons = PhotonList(START + 0.1 * np.arange(count), *columns.astype(np.int16))
        quaternion = np.array([quaternion_of(10.0, dec, 30.0) for dec in decs or [20.0] * len(stable)])
        attitude = AttitudeHistory(START + 6.0 * np.arange(len(stable)), quaternion, np.array(stable, bool))
        path = tmp_path / "packets.bin"
        path.write_bytes(b"".join(encode_photons(photons, BURST) + encode_pointing(attitude, BURST)))
        return photons_extraction(path, BURST, tmp_path / "out")

    return extraction


def test_the_event_file_holds_the_photons(extraction, tmp_path):
    product = fits_feed(extraction(), ALERT, tmp_path / "out", **GP)
    path = Path(product.path)
    events = read_event_file(path)
    assert len(events.photons) == product.n_photons == 600
    assert hashlib.sha256(path.read_bytes()).hexdigest() == product.sha256
    assert (product.ra_deg, product.dec_deg, product.roll_deg) == pytest.approx((10.0, 20.0, 30.0))
    # The last packet is full: nobody knows whether there was another one, with photons of the last frame.
    assert product.exposure_s == pytest.approx(59.95)
    assert abs(product.tstart - OBSERVED) < timedelta(milliseconds=1)
    assert abs(product.tstop - OBSERVED - timedelta(seconds=59.95)) < timedelta(milliseconds=1)
    assert product.warnings == ()
    assert events.header["OBS_ID"] == "00810300005_2_7"
    assert events.header["IVORN"] == ALERT.ivorn
    # All inputs existed when the last photon had been seen, after the notice.
    assert events.header["DATE"].startswith("2026-05-11T11:04:31.9")


def fed(photons, tmp_path):
    attitude = AttitudeHistory(
        START + np.array([0.0, 30.0]), np.tile(quaternion_of(10.0, 20.0, 30.0), (2, 1)), np.ones(2, bool)
    )
    path = tmp_path / "packets.bin"
    path.write_bytes(b"".join(encode_photons(photons, BURST) + encode_pointing(attitude, BURST)))
    return fits_feed(photons_extraction(path, BURST, tmp_path / "out"), ALERT, tmp_path / "out", **GP)


def test_the_pixels_of_a_photon_are_one_event(tmp_path):
    """The entries as read out stay in the photon list."""
    time = START + 0.1 * np.repeat(np.arange(50), 2)
    x, ones = np.tile([10, 11], 50).astype(np.int16), np.ones(100, np.int16)
    photons = PhotonList(time, x, 20 * ones, np.tile([300, 100], 50).astype(np.int32))
    product = fed(photons, tmp_path)
    assert (product.n_photons, product.patterns.doubles, product.warnings) == (50, 50, ())
    events = read_event_file(Path(product.path)).photons
    assert set(events.pha) == {400}
    assert PhotonList.load(tmp_path / "out" / "photons.npz").pha.tolist() == photons.pha.tolist()


def test_pixels_that_no_photon_makes_are_left_out_and_it_is_said(tmp_path):
    """A row of which all pixels fire in one frame."""
    count = 100
    time = START + np.append(np.zeros(count), 0.1 * np.arange(1, count + 1))
    x, y = (np.append(np.arange(count), np.arange(count)).astype(np.int16) for _ in range(2))
    y[:count] = 77
    product = fed(PhotonList(time, x, y, np.full(2 * count, 300, np.int32)), tmp_path)
    assert (product.n_photons, product.patterns.invalid_pixels) == (100, 100)
    assert (
        "100 of 200 pixel entries excluded: their patterns are not those of single photons"
        in product.warnings[-1]
    )


def test_pile_up_is_said(tmp_path):
    """A source of 300 counts/s in an image of 40 x 40 pixels."""
    rng = np.random.default_rng(4)
    time = START + 0.1 * np.repeat(np.arange(100), 30)
    x, y = rng.integers(100, 140, (2, 3000)).astype(np.int16)
    product = fed(PhotonList(time, x, y, np.full(3000, 300, np.int32)), tmp_path)
    assert 0.03 < product.patterns.pile_up < 0.12
    assert product.warnings[-1].startswith("pile-up: about ")


def test_the_product_travels_as_json(extraction, tmp_path):
    product = fits_feed(extraction(), ALERT, tmp_path / "out", **GP)
    assert EventProduct.model_validate(json.loads(product.model_dump_json())) == product


def test_a_rerun_gives_the_same_file(extraction, tmp_path):
    first, second = (fits_feed(extraction(), ALERT, tmp_path / name, **GP) for name in ("one", "two"))
    assert first.sha256 == second.sha256


def test_photons_of_the_slew_are_left_out_and_it_is_said(extraction, tmp_path):
    product = fits_feed(extraction(stable=[0, 0] + [1] * 8), ALERT, tmp_path / "out", **GP)
    assert (product.n_photons, product.n_outside_gti) == (480, 120)
    assert product.warnings == ("120 photons left out: the pointing was not stable",)
    assert product.exposure_s == pytest.approx(47.95)


def test_lost_packets_are_no_good_time_and_the_report_says_which_part(tmp_path):
    photons = PhotonList(START + 0.1 * np.arange(3000), *np.zeros((3, 3000), np.int16))
    time = START + 10.0 * np.arange(30)
    attitude = AttitudeHistory(time, np.tile(quaternion_of(10.0, 20.0, 30.0), (30, 1)), np.ones(30, bool))
    packets = encode_photons(photons, BURST)
    # Of each 12 photons, 1.2 s: the first 40 s, and 12 s in the middle.
    del packets[150:160], packets[:100]
    product = feed(tmp_path, packets + encode_pointing(attitude, BURST))
    lost = [(120.1, 0.0), (13.3, 179.95), (0.05, 299.95)]
    events = read_event_file(Path(product.path))
    np.testing.assert_allclose(events.gti - START, [[120.1, 179.95], [192.1, 299.95]], atol=1e-3)
    assert product.exposure_s == pytest.approx(300.0 - 120.1 - 12.15 - 0.05, abs=1e-3)
    assert product.lost is not None
    assert product.lost.seconds == pytest.approx(132.3, abs=1e-3)
    assert product.lost.fraction == pytest.approx(132.3 / 300.0, abs=1e-5)
    assert product.lost.gaps == len(lost)
    # One photon a frame; the first frame of each run is not used.
    assert product.lost.n_photons == 2
    assert len(events.photons) == product.n_photons == 3000 - 1320 - 2
    assert product.warnings == (
        "44 % of the observation is lost: 132 s in 3 gaps, the longest from 2026-05-11 11:03:32 to "
        "2026-05-11 11:05:32 UTC: exposure, rates and limits refer to the rest",
    )


def test_the_notice_of_mxt_says_when_the_observation_began(tmp_path):
    photons = PhotonList(START + 0.1 * np.arange(1200, 3001), *np.zeros((3, 1801), np.int16))
    time = START + 120.0 + 10.0 * np.arange(19)
    attitude = AttitudeHistory(time, np.tile(quaternion_of(10.0, 20.0, 30.0), (19, 1)), np.ones(19, bool))
    packets = encode_photons(photons, BURST, 100) + encode_pointing(attitude, BURST, 12)
    product = feed(tmp_path, packets)
    assert product.lost is not None
    assert (product.lost.gaps, product.lost.longest[0].start) == (2, OBSERVED)
    assert product.lost.fraction == pytest.approx(0.4, abs=1e-3)
    assert product.warnings[-1].startswith("40 % of the observation is lost: 120 s")
    wakeup = ALERT.model_copy(update={"instrument": "ECLAIRs"})
    assert feed(tmp_path, packets, wakeup, related=[ALERT]).lost == product.lost
    earlier = ALERT.model_copy(update={"event_time": OBSERVED - timedelta(days=2)})
    assert feed(tmp_path, packets, earlier, related=[ALERT]).lost == product.lost
    other = feed(tmp_path, packets, wakeup)
    assert other.lost is not None
    assert other.lost.fraction < 0.001
    assert other.warnings == ()


def test_without_a_photon_packet_there_is_no_exposure(tmp_path):
    attitude = AttitudeHistory(
        START + np.arange(9.0), np.tile(quaternion_of(1.0, 2.0, 3.0), (9, 1)), np.ones(9, bool)
    )
    product = feed(tmp_path, encode_pointing(attitude, BURST))
    assert (product.n_photons, product.exposure_s) == (0, 0.0)
    assert product.lost is not None
    assert product.lost.fraction == 1.0
    assert product.warnings == (
        "100 % of the observation is lost: 8 s from 2026-05-11 11:03:32 to 2026-05-11 11:03:40 UTC: "
        "no exposure",
    )


def test_an_extraction_that_does_not_know_what_was_received_takes_all_of_it(extraction, tmp_path):
    earlier = extraction().model_copy(update={"received_path": None})
    assert fits_feed(earlier, ALERT, tmp_path / "out").exposure_s == pytest.approx(60.0)


def test_a_drift_of_the_pointing_is_said(extraction, tmp_path):
    # 36 arcsec in 54 s, then 6 s at its end: 19.8 arcsec from there to the mean.
    decs = [20.0 + 0.01 * step / 9 for step in range(10)]
    product = fits_feed(extraction(decs=decs), ALERT, tmp_path / "out", **GP)
    assert product.n_photons == 600
    assert product.attitude_spread_arcsec == pytest.approx(19.8, abs=0.01)
    assert product.warnings == (
        "the pointing moved by up to 19.8 arcsec from its mean; photon positions are corrected for the drift",
    )
    assert read_event_file(Path(product.path)).header["PNTSPRD"] == product.attitude_spread_arcsec


def test_a_pointing_that_was_never_stable_leaves_no_good_time(extraction, tmp_path):
    product = fits_feed(extraction(stable=[0] * 10), ALERT, tmp_path / "out", **GP)
    assert (product.n_photons, product.n_outside_gti, product.exposure_s) == (0, 600, 0.0)
    assert "600 photons left out: the pointing was not stable" in product.warnings


def test_an_observation_without_a_name_is_not_called_by_that_of_another_burst(extraction, tmp_path):
    product = fits_feed(extraction(), ALERT, tmp_path / "out")
    assert read_event_file(Path(product.path)).header["OBS_ID"] == ALERT.burst_id


def test_names_that_no_header_can_hold_are_refused(extraction, tmp_path):
    with pytest.raises(InvalidInput, match=r"obs_id .* does not fit a FITS header"):
        fits_feed(extraction(), ALERT, tmp_path / "out", apid="1", target="é", orbit="1")
