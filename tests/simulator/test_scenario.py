import json
from datetime import UTC, datetime
from math import hypot

import pytest

from mxtvhf.errors import InvalidInput, NotOurs
from mxtvhf.events.event_file import read_event_file
from mxtvhf.events.patterns import reconstruct
from mxtvhf.localisation.position import localise
from mxtvhf.models.angles import separation_arcsec
from mxtvhf.notices.voevent import read_alert
from mxtvhf.simulator.gp.analysis import analyse
from mxtvhf.simulator.scenario import XBAND_FILE, scenario_of, write_scenario
from mxtvhf.telemetry.decode import decode_stream
from mxtvhf.workflow.gp.contract import GpRequest
from mxtvhf.workflow.local import process_burst

KNOWN = "sb26030704"


def written(folder, burst=KNOWN, **options):
    write_scenario(scenario_of(burst, **options), folder)
    return json.loads((folder / "truth.json").read_text())


def test_a_known_burst_brings_its_place_and_times(tmp_path):
    truth = written(tmp_path)
    assert (truth["ra_deg"], truth["dec_deg"]) == (155.5246, -21.0037)
    assert truth["trigger_time"] == "2026-03-07T13:45:06.207Z"
    stream = decode_stream((tmp_path / "packets.bin").read_bytes(), KNOWN, name="packets.bin")
    assert len(stream.photons) == truth["n_pixels"] > truth["n_photons"]
    assert len(reconstruct(stream.photons).photons) == pytest.approx(truth["n_photons"], abs=3)
    x, y = stream.attitude.quaternion[0], truth["pointing"]
    assert x.shape == (4,)
    offset = separation_arcsec(truth["ra_deg"], truth["dec_deg"], y["ra_deg"], y["dec_deg"])
    assert offset == pytest.approx(240.0, abs=1e-6)
    assert hypot(truth["detector_x"] - 127.5, truth["detector_y"] - 127.5) == pytest.approx(17.7, abs=0.1)


def test_the_notices_are_of_the_burst_and_tests(tmp_path):
    written(tmp_path)
    alert, wakeup = (
        read_alert((tmp_path / f"{name}.xml").read_bytes()) for name in ("alert", "eclairs-wakeup")
    )
    assert alert.burst_id == wakeup.burst_id == KNOWN
    assert alert.notice_type.startswith("mxt-initial_qf")
    assert alert.is_test
    assert wakeup.is_test
    assert alert.citations[0].ivorn == wakeup.ivorn


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        written(tmp_path / name, seed=seed, loss=0.1, corrupt=0.05, duration_s=60.0)
    packets = [(tmp_path / name / "packets.bin").read_bytes() for name in "abc"]
    assert packets[0] == packets[1] != packets[2]


def test_without_enough_photons_the_alert_is_eclairs_own(tmp_path):
    written(tmp_path, counts=2.0, background=20.0)
    assert read_alert((tmp_path / "alert.xml").read_bytes()).notice_type == "eclairs-wakeup"


def test_an_unknown_burst_at_a_given_place_and_time(tmp_path):
    start = datetime(2026, 7, 1, 3, 4, 5, tzinfo=UTC)
    truth = written(tmp_path, "sb26070101", ra_deg=359.99, dec_deg=89.5, start=start, counts=100.0)
    assert truth["start"] == "2026-07-01T03:04:05.000Z"
    assert truth["trigger_time"] == "2026-07-01T03:01:05.000Z"
    assert read_alert((tmp_path / "alert.xml").read_bytes()).burst_id == "sb26070101"


def test_a_slew_and_a_drift_are_in_the_packets_and_taken_out_again(tmp_path):
    """The position found with a moving telescope is the true one, and photons of the slew are excluded."""
    truth = written(tmp_path, counts=1500.0, drift_arcsec=120.0, slew_s=60.0)
    stream = decode_stream((tmp_path / "packets.bin").read_bytes(), KNOWN, name="packets.bin")
    start = stream.attitude.time[0]
    assert stream.attitude.stable.tolist() == [time >= start + 60.0 for time in stream.attitude.time]
    report = json.loads(
        process_burst(tmp_path / "alert.xml", tmp_path / "packets.bin", tmp_path / "out").read_text()
    )
    best = report["best_position"]
    away = separation_arcsec(best["ra_deg"], best["dec_deg"], truth["ra_deg"], truth["dec_deg"])
    assert away < best["r90_arcsec"]
    events = read_event_file(tmp_path / "out" / "events.fits")
    assert events.gti.tolist() == [[start + 60.0, start + 300.0]]
    assert events.photons.time[0] >= start + 60.0
    settled = stream.photons.selected(stream.photons.time >= start + 60.0)
    assert len(events.photons) == len(reconstruct(settled).photons) < truth["n_photons"]
    assert events.spread_arcsec == pytest.approx(60.0, abs=0.1)
    mean = events.pointing
    named = truth["pointing"]
    assert separation_arcsec(mean.ra_deg, mean.dec_deg, named["ra_deg"], named["dec_deg"]) < 0.1
    assert "pointing moved by up to 60." in " ".join(report["warnings"])


def test_a_flux_stands_for_counts(tmp_path):
    faint, bright = (
        written(tmp_path / str(flux), flux=flux, counts=None, duration_s=60.0)["counts"]
        for flux in (1e-11, 1e-10)
    )
    assert bright == pytest.approx(10 * faint)


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"burst_id": "sb26070101"}, "'sb26070101' is unknown"),
        ({"burst_id": "../etc", "ra_deg": 1.0, "dec_deg": 1.0}, "expected sbYYMMDDnn"),
        ({"burst_id": KNOWN, "ra_deg": 1.0}, "both --ra and --dec"),
        ({"burst_id": KNOWN, "ra_deg": 360.0, "dec_deg": 0.0}, "ra_deg"),
        ({"burst_id": KNOWN, "counts": -1.0}, "counts"),
        ({"burst_id": KNOWN, "counts": 1.0, "flux": 1.0}, "either counts or flux"),
        ({"burst_id": KNOWN, "loss": 1.5}, "loss"),
        ({"burst_id": KNOWN, "role": "tset"}, "role"),
        ({"burst_id": KNOWN, "xband_s": 300.0}, "xband: the exposure must be longer than"),
        ({"burst_id": KNOWN, "slew_s": 300.0}, "slew_s: the slew must end before the observation"),
        ({"burst_id": KNOWN, "drift_arcsec": 1e5}, "drift_arcsec"),
    ],
)
def test_impossible_scenarios_are_refused(options, cause):
    with pytest.raises(InvalidInput, match=cause):
        scenario_of(**options)


def test_the_x_band_file_holds_the_vhf_photons_and_later_ones(tmp_path):
    without = written(tmp_path / "without")
    truth = written(tmp_path / "with", xband_s=1500.0)
    for name in ("packets.bin", "alert.xml", "eclairs-wakeup.xml"):
        assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes()
    assert not (tmp_path / "without" / XBAND_FILE).exists()
    events = read_event_file(tmp_path / "with" / XBAND_FILE)
    assert (events.header["DSTREAM"], events.header["EXPOSURE"]) == ("XBand", 1500.0)
    sent = decode_stream((tmp_path / "with" / "packets.bin").read_bytes(), KNOWN, name="packets.bin").photons
    assert len(sent) == truth["n_pixels"] == without["n_pixels"]
    sent = reconstruct(sent).photons
    first = slice(len(sent))
    for name in ("x", "y", "pha"):
        assert (getattr(events.photons, name)[first] == getattr(sent, name)).all()
    later = events.photons.time[len(sent) :] - events.photons.time[0]
    assert (later > 290.0).all()
    # The background rate is 0.45/s; the source fades as t^-1.2 from 234 s after T0 on.
    assert len(later) == pytest.approx(940, rel=0.15)


def test_split_events_can_be_switched_off_and_change_nothing_else(tmp_path):
    """Photons and notices are the same, with one pixel entry per photon."""
    truths = {
        split: written(tmp_path / str(split), split_events=split, duration_s=60.0) for split in (True, False)
    }
    for name in ("alert.xml", "eclairs-wakeup.xml"):
        assert (tmp_path / "True" / name).read_bytes() == (tmp_path / "False" / name).read_bytes()
    assert truths[False]["n_pixels"] == truths[False]["n_photons"] == truths[True]["n_photons"]
    assert truths[True]["n_pixels"] > 1.3 * truths[True]["n_photons"]
    whole = decode_stream((tmp_path / "False" / "packets.bin").read_bytes(), KNOWN, name="").photons
    parts = decode_stream((tmp_path / "True" / "packets.bin").read_bytes(), KNOWN, name="").photons
    assert set(parts.time) == set(whole.time)


def test_the_same_seed_gives_the_same_x_band_bytes(tmp_path):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        written(tmp_path / name, seed=seed, xband_s=600.0, duration_s=60.0)
    a, b, c = ((tmp_path / name / XBAND_FILE).read_bytes() for name in "abc")
    assert a == b != c


def test_more_photons_give_a_smaller_radius_that_holds_the_truth(tmp_path):
    """Compare the position of the reference GP from X-band data with the VHF position of the burst."""
    held = 0
    for seed in range(1, 7):
        # A slowly fading source emits most of its photons after the VHF observation.
        truth = written(tmp_path / str(seed), seed=seed, counts=100.0, decay=0.5, xband_s=1500.0)
        request = GpRequest(apid="1", target="2", orbit="3", event_file=f"{seed}/{XBAND_FILE}")
        whole = analyse(request, tmp_path)
        sent = decode_stream((tmp_path / str(seed) / "packets.bin").read_bytes(), KNOWN, name="").photons
        seen = reconstruct(sent).photons
        found = localise(seen.x, seen.y)
        assert (whole.data_stream, whole.exposure_s) == ("XBand", 1500.0)
        assert whole.n_photons > len(sent)
        assert whole.r90_stat_arcsec < found.r90
        away = separation_arcsec(truth["ra_deg"], truth["dec_deg"], whole.ra_deg, whole.dec_deg)
        held += away <= whole.r90_stat_arcsec
    assert held >= 4


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """Write and process a burst, and return its folder and true values."""
    folder = tmp_path_factory.mktemp("usual")
    truth = written(folder, seed=7)
    process_burst(folder / "alert.xml", folder / "packets.bin", folder / "out")
    return folder, truth


def report_in(folder):
    return json.loads((folder / "out" / "report.json").read_text())


def test_the_notice_announces_the_onboard_result_of_the_packets(usual):
    folder, _ = usual
    stream = decode_stream((folder / "packets.bin").read_bytes(), KNOWN, name="packets.bin")
    (source,), position = (
        stream.onboard[-1].sources,
        read_alert((folder / "alert.xml").read_bytes()).position,
    )
    assert separation_arcsec(source.ra_deg, source.dec_deg, position.ra_deg, position.dec_deg) < 0.4
    assert position.r90_stat_arcsec == pytest.approx(source.r90_arcsec, abs=0.5)


@pytest.mark.parametrize(("offset", "verdict"), [(0.0, "supported"), (200.0, "contradicted")])
def test_the_onboard_position_is_judged_from_end_to_end(tmp_path, usual, offset, verdict):
    folder = tmp_path if offset else usual[0]
    if offset:
        written(folder, seed=7, onboard_offset_arcsec=offset)
        process_burst(folder / "alert.xml", folder / "packets.bin", folder / "out")
    report = report_in(folder)
    found = report["localisation"]["onboard"]
    assert [one["verdict"] for one in found] == [verdict, verdict]
    assert found[1]["position"]["label"] == "QPO_MXT S1"
    assert report["products"]["onboard_positions"]["path"] == "qpo_mxt.fits"
    told = [warning for warning in report["warnings"] if "is contradicted by the photons" in warning]
    assert len(told) == (2 if offset else 0)
    assert verdict in (folder / "out" / "report.html").read_text()


def test_the_attitude_of_the_packets_gives_the_position(usual):
    folder, truth = usual
    assert not (folder / "attitude.fits").exists()
    stream = decode_stream((folder / "packets.bin").read_bytes(), KNOWN, name="packets.bin")
    assert len(stream.attitude) > 0
    report = report_in(folder)
    assert away_of(report, truth) < 2 * report["localisation"]["position"]["r90_arcsec"]
    assert not [warning for warning in report["warnings"] if "SVO-ATT-VHF" in warning]


def away_of(report, truth):
    ours = report["localisation"]["position"]
    return separation_arcsec(ours["ra_deg"], ours["dec_deg"], truth["ra_deg"], truth["dec_deg"])


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("product", None),
        (
            "both",
            "Attitude from the product SVO-ATT-VHF: it covers 100% of the photons, the pointing packets",
        ),
    ],
)
def test_the_attitude_may_come_as_a_product(tmp_path, way, words):
    truth = written(tmp_path, seed=7, attitude=way)
    product = tmp_path / "attitude.fits"
    assert product.exists()
    stream = decode_stream((tmp_path / "packets.bin").read_bytes(), KNOWN, name="packets.bin")
    assert (len(stream.attitude) > 0) == (way != "product")
    path = process_burst(
        tmp_path / "alert.xml",
        tmp_path / "packets.bin",
        tmp_path / "out",
        attitude=product,
    )
    report = json.loads(path.read_text())
    assert away_of(report, truth) < 2 * report["localisation"]["position"]["r90_arcsec"]
    told = [warning for warning in report["warnings"] if "SVO-ATT-VHF" in warning]
    assert [warning.startswith(str(words)) for warning in told] == ([True] if words else [])


def test_the_wrong_attitude_product_is_an_error_that_names_it(tmp_path):
    written(tmp_path / "one", seed=7, attitude="product")
    written(tmp_path / "other", "sb26070101", ra_deg=10.0, dec_deg=5.0, attitude="product")
    with pytest.raises(
        NotOurs,
        match=r"other/attitude\.fits: attitude product of burst sb26070101; expected burst sb26030704",
    ):
        process_burst(
            tmp_path / "one" / "alert.xml",
            tmp_path / "one" / "packets.bin",
            tmp_path / "out",
            attitude=tmp_path / "other" / "attitude.fits",
        )
    with pytest.raises(InvalidInput, match=r"other/alert\.xml: HDU PRIMARY: not a FITS file"):
        process_burst(
            tmp_path / "one" / "alert.xml",
            tmp_path / "one" / "packets.bin",
            tmp_path / "out2",
            attitude=tmp_path / "other" / "alert.xml",
        )
