import subprocess
import warnings
from dataclasses import replace

import fitsio
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time
from astropy.wcs import WCS, FITSFixedWarning
from pydantic import ValidationError

from mxtvhf.errors import InvalidInput
from mxtvhf.events.event_file import pi_channels, read_event_file, write_event_file
from mxtvhf.events.patterns import INVALID_GRADE
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.calibration import (
    CalibrationStore,
    default_calibration,
    packaged_folder,
    packaged_store,
)
from mxtvhf.instrument.pixels import RawMask
from mxtvhf.instrument.pointing import Pointing, quaternion_of, seen_pixels
from mxtvhf.models.angles import separation_arcsec
from mxtvhf.simulator.pointing import moving_attitude
from support.event_files import HEADER, OBSERVED, START, attitude_history


def photon_list(count):
    rng = np.random.default_rng(count)
    return PhotonList(
        START + 0.1 * np.sort(rng.integers(0, 3000, count)),
        rng.integers(0, 256, count).astype(np.int16),
        rng.integers(0, 256, count).astype(np.int16),
        rng.integers(0, 4096, count).astype(np.int32),
    )


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "events.fits"
    return path, write_event_file(path, photon_list(300), attitude_history(), header=HEADER)


@pytest.mark.service
@pytest.mark.parametrize("count", [0, 1, 300])
@pytest.mark.parametrize("case", ["plain", "at the pole", "two intervals", "never steady"])
def test_fitsverify_finds_nothing(tmp_path, count, case):
    path = tmp_path / "events.fits"
    attitude = {
        "plain": attitude_history(),
        "at the pole": attitude_history(dec=90.0),
        "two intervals": drifting_attitude(120.0),
        "never steady": moving_attitude(Pointing(1.0, 2.0, 3.0), START, START + 300.0, drift_arcsec=3000.0),
    }[case]
    write_event_file(path, photon_list(count), attitude, header=HEADER)
    intervals = {"two intervals": 2, "never steady": 0}.get(case, 1)
    assert len(read_event_file(path).gti) == intervals
    report = subprocess.run(["fitsverify", str(path)], capture_output=True, text=True)
    assert "0 warning(s) and 0 error(s)" in report.stdout, report.stdout
    assert report.returncode == 0


@pytest.mark.parametrize("count", [0, 300])
def test_a_written_event_file_is_read_back(tmp_path, count):
    path, photons, attitude = tmp_path / "events.fits", photon_list(count), attitude_history()
    info = write_event_file(path, photons, attitude, header=HEADER)
    events = read_event_file(path)
    for column in ("time", "x", "y", "pha"):
        mine, theirs = getattr(photons, column), getattr(events.photons, column)
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(events.attitude.quaternion, attitude.quaternion)
    np.testing.assert_array_equal(events.attitude.stable, attitude.stable)
    assert events.pointing == info.pointing
    assert events.gti.tolist() == [[info.tstart, info.tstop]]
    assert events.header["BURST_ID"] == "sb26051102"


def split_photons():
    """Return a double (grade 2), a line of three pixels and a single photon, in two frames."""
    return PhotonList(
        START + np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.2]),
        np.array([10, 11, 80, 81, 82, 50], np.int16),
        np.array([20, 20, 30, 30, 30, 60], np.int16),
        np.array([300, 100, 40, 50, 60, 500], np.int32),
    )


def changed(path, change):
    """Apply a function to the event table of a file, and write the file without checksums."""
    with fits.open(path) as parts:
        tables = [change(part) if part.name == "EVENTS" else part for part in parts]
        for part in tables:
            part.header.remove("CHECKSUM", ignore_missing=True)
            part.header.remove("DATASUM", ignore_missing=True)
        fits.HDUList(tables).writeto(path, overwrite=True)
    return path


def without_grades(part):
    columns = [column for column in part.columns if column.name != "GRADE"]
    return fits.BinTableHDU.from_columns(columns, header=part.header, name="EVENTS")


def test_split_events_are_joined_and_graded(tmp_path):
    path = tmp_path / "events.fits"
    info = write_event_file(path, split_photons(), attitude_history(), header=HEADER)
    with fits.open(path) as parts:
        table, header = parts["EVENTS"].data, parts["EVENTS"].header
        assert header["RECONSTR"] is True
        assert table["GRADE"].tolist() == [2, *3 * [INVALID_GRADE], 0]
        assert table["PHA"].tolist() == [400, 40, 50, 60, 500]
        assert table["PI"].tolist() == [100, 10, 12, 15, 125]
    counts = {"singles": 1, "doubles": 1, "triples": 0, "quadruples": 0, "invalid_pixels": 3, "pile_up": 0.0}
    assert info.patterns.model_dump() == counts
    assert (info.n_photons, info.n_unstable + info.n_incomplete, info.patterns.pixels) == (2, 0, 6)
    events = read_event_file(path)
    assert (events.photons.x.tolist(), events.photons.pha.tolist()) == ([10, 50], [400, 500])
    assert events.rejected.pha.tolist() == [40, 50, 60]


def test_a_file_without_grades_holds_pixel_entries(tmp_path):
    path = tmp_path / "events.fits"
    write_event_file(path, split_photons(), attitude_history(), header=HEADER)
    graded = read_event_file(path)

    def entries(part):
        part = without_grades(part)
        part.data["PHA"] = [250, 40, 50, 60, 500]
        part.data["RAWX"], part.data["RAWY"] = [81, 80, 81, 82, 50], [31, 30, 30, 30, 60]
        return part

    changed(path, entries)
    events = read_event_file(path)
    assert (events.photons.pha.tolist(), events.rejected.pha.tolist()) == ([500], [250, 40, 50, 60])
    changed(path, without_grades)
    assert len(events.photons) + len(events.rejected) == len(graded.photons) + len(graded.rejected)


def test_grades_in_the_file_are_kept(tmp_path):
    """Adjacent photons of one frame that another reconstruction separated stay separate."""
    path = tmp_path / "events.fits"
    write_event_file(path, split_photons(), attitude_history(), header=HEADER)

    def regraded(part):
        part.data["GRADE"] = [31, 0, 12, 13, -1]
        return part

    changed(path, regraded)
    events = read_event_file(path)
    assert (events.photons.pha.tolist(), events.rejected.pha.tolist()) == ([40, 50], [400, 60, 500])


def test_entries_of_bad_pixels_are_not_joined(tmp_path, exchange):
    store = CalibrationStore(packaged_folder(), exchange("bad_pixels", columns="[11]"))
    path = tmp_path / "events.fits"
    write_event_file(path, split_photons(), attitude_history(), header=HEADER, store=store)
    assert read_event_file(path).photons.pha.tolist() == [300, 100, 500]


def test_the_second_reader_reads_the_same(written):
    photons = photon_list(300)
    with fitsio.FITS(str(written[0])) as parts:
        assert [part.get_extname() for part in parts] == ["", "EVENTS", "GTI", "ATTITUDE"]
        table = parts["EVENTS"].read()
        np.testing.assert_array_equal(table["TIME"], photons.time)
        np.testing.assert_array_equal(table["RAWX"], photons.x)
        np.testing.assert_array_equal(table["RAWY"], photons.y)
        np.testing.assert_array_equal(table["PHA"], photons.pha)
        assert parts["ATTITUDE"].read()["STABLE"].all()


def test_the_primary_header_has_the_products_keywords_in_order(written):
    header = fits.getheader(written[0])
    expected = [
        *("ORIGIN", "TELESCOP", "INSTRUME", "CREATOR", "CARD", "PROGRAM", "PRDM_VER", "GLDM_VER", "PROC_VER"),
        *("PIP_VER", "DSTREAM", "DATE", "TIMEREF", "TIMESYS", "TIMEUNIT", "MJDREFI", "MJDREFF"),
        *("OBS_ID", "BURST_ID", "IVORN"),
    ]
    assert [key for key in header if key in expected] == expected
    assert (header["TELESCOP"], header["INSTRUME"], header["DSTREAM"]) == ("SVOM", "MXT", "VHF")
    assert header["DATE"] == "2026-05-11T12:00:00.500"


def test_times_are_the_utc_of_the_photons(written):
    header = fits.getheader(written[0], "EVENTS")
    moment = Time(header["MJDREFI"], header["MJDREFF"] + START / 86400, format="mjd", scale="tt")
    assert abs((moment - Time(OBSERVED)).to_value("s")) < 1e-5
    assert abs((Time(header["DATE-OBS"], scale="tt") - Time(OBSERVED)).to_value("s")) < 1e-3
    assert header["TSTART"] == START


def drifting_attitude(arcsec):
    """Return an attitude with two stable intervals and a slew between them, drifting all the time."""
    attitude = moving_attitude(Pointing(123.456, -45.6, 200.0), START, START + 300.0, drift_arcsec=arcsec)
    slew = (attitude.time > START + 100.0) & (attitude.time < START + 160.0)
    return AttitudeHistory(attitude.time, attitude.quaternion, ~slew)


@pytest.mark.parametrize("arcsec", [0.0, 120.0])
def test_an_independent_reader_finds_each_photon_in_the_sky(tmp_path, arcsec):
    """Compare astropy and wcslib, which use only the file, with the attitude at each photon's time."""
    path, attitude = tmp_path / "events.fits", drifting_attitude(arcsec)
    write_event_file(path, photon_list(300), attitude, header=HEADER)
    table = Table.read(path, hdu="EVENTS")
    with warnings.catch_warnings():
        # Wcslib warns that DATE-OBS, which OGIP requires in every extension, is an image keyword.
        warnings.simplefilter("ignore", FITSFixedWarning)
        wcs = WCS(fits.getheader(path, "EVENTS"), keysel=["pixel"], colsel=[2, 3])
    found = np.transpose(wcs.wcs_pix2world(table["X"], table["Y"], 1))
    now = attitude.at(np.asarray(table["TIME"]))
    assert len(table) > 200
    for quaternion, x, y, sky in zip(now, table["RAWX"], table["RAWY"], found, strict=True):
        expected = Pointing.from_quaternion(quaternion).pixel_to_sky(x, y)
        assert separation_arcsec(*sky, *map(float, expected)) < 1e-6


def test_the_columns_stay_in_their_legal_ranges(written):
    with fits.open(written[0]) as parts:
        table = parts["EVENTS"]
        for number, column in enumerate(table.columns.names[1:], 2):
            assert table.header[f"TLMIN{number}"] <= table.data[column].min()
            assert table.data[column].max() <= table.header[f"TLMAX{number}"]


def test_the_calibration_and_the_spread_are_recorded(tmp_path):
    path = tmp_path / "events.fits"
    info = write_event_file(path, photon_list(9), drifting_attitude(120.0), header=HEADER)
    header = fits.getheader(path)
    keywords = {"CALPSF": "psf", "CALARF": "effective_area", "CALGAIN": "gain", "CALRMF": "redistribution"}
    keywords |= {"CALBADPX": "bad_pixels", "CALALIGN": "alignment", "CALBKG": "background"}
    assert {item: header[key] for key, item in keywords.items()} == packaged_store().at(OBSERVED).versions()
    assert header["PNTSPRD"] == info.spread_arcsec == pytest.approx(60.0, abs=4.0)
    assert read_event_file(path).spread_arcsec == info.spread_arcsec


def test_a_steady_pointing_leaves_the_addresses(tmp_path):
    path = tmp_path / "events.fits"
    write_event_file(path, photon_list(100), drifting_attitude(3.0), header=HEADER)
    events = read_event_file(path)
    steady = events.drift_corrected_pixels(default_calibration().alignment)
    assert not steady.moved
    assert steady.on_detector.all()
    assert steady.x is events.photons.x


def test_a_drift_is_taken_out_of_the_addresses(tmp_path):
    """A source fixed in the sky returns to its pixel, and photons outside the detector are marked."""
    attitude = moving_attitude(Pointing(123.456, -45.6, 200.0), START, START + 300.0, drift_arcsec=300.0)
    time = START + 0.1 * np.arange(3000)
    ones = np.ones(3000)
    pointing = Pointing(123.456, -45.6, 200.0)
    seen = np.rint(seen_pixels(pointing, attitude, time, 40.0 * ones, 200.0 * ones))
    path = tmp_path / "events.fits"
    photons = PhotonList(time, *seen.astype(np.int16), np.full(3000, 400, np.int32))
    write_event_file(path, photons, attitude, header=HEADER)
    events = read_event_file(path)
    steady = events.drift_corrected_pixels(default_calibration().alignment)
    assert steady.moved
    assert steady.on_detector.all()
    assert np.ptp(events.photons.y) > 20
    assert set(steady.x) == {40}
    assert set(steady.y) <= {199, 200, 201}
    edge = PhotonList(time, 0 * photons.x, 0 * photons.y, photons.pha)
    write_event_file(path, edge, attitude, header=HEADER)
    steady = read_event_file(path).drift_corrected_pixels(default_calibration().alignment)
    assert 0 < steady.on_detector.sum() < 3000
    assert steady.y[steady.on_detector].min() == 0


def test_a_drifting_pointing_exposes_bad_columns_and_edges_for_a_fraction_of_the_time(tmp_path):
    """The drift is along the rows; time outside the GTIs has no effect."""
    attitude = moving_attitude(Pointing(123.456, -45.6, 200.0), START, START + 300.0, drift_arcsec=272.0)
    path, good = tmp_path / "events.fits", np.ones((256, 256), bool)
    good[100:110] = False
    write_event_file(path, photon_list(100), attitude, header=HEADER)
    events = read_event_file(path)
    looking = events.exposure_map(good, default_calibration().alignment)
    # The drift is 20 pixels long, so a strip of 10 rows covers the pixels it passes for half of the time.
    assert looking[105, 128] == pytest.approx(0.5, abs=0.1)
    assert looking[50, 128] == looking[200, 128] == 1.0
    assert looking[0, 128] == pytest.approx(0.5, abs=0.1)
    assert looking.sum() == pytest.approx(good.sum() - 256 * 2 * 10 / 4, rel=2e-3)
    gap = np.array([[START, START + 1.0], [START + 200.0, START + 200.0], [START + 299.0, START + 300.0]])
    ends = replace(events, gti=gap).exposure_map(good, default_calibration().alignment)
    assert set(np.unique(ends)) <= {0.0, 0.5, 1.0}


@pytest.mark.parametrize("drift", [0.0, 60.0])
def test_an_unusable_pixel_is_left_out_at_its_raw_address(tmp_path, drift):
    attitude = moving_attitude(Pointing(123.456, -45.6, 200.0), START, START + 300.0, drift_arcsec=drift)
    path, photons = tmp_path / "events.fits", photon_list(100)
    usable = np.ones((256, 256), bool)
    usable[photons.y[40], photons.x[40]] = False
    write_event_file(path, photons, attitude, header=HEADER)
    events, alignment = read_event_file(path), default_calibration().alignment
    found = events.drift_corrected_photons(RawMask(usable), alignment)
    addresses = events.drift_corrected_pixels(alignment)
    kept = addresses.on_detector & usable[photons.y, photons.x]
    assert not kept[40]
    np.testing.assert_array_equal(found.time, photons.time[kept])
    np.testing.assert_array_equal(found.x, addresses.x[kept])
    whole = events.exposure_map(RawMask(np.ones((256, 256), bool)), alignment)
    assert whole.sum() - found.exposure.sum() == pytest.approx(1.0, abs=0.2)


def test_without_good_time_nothing_is_exposed(tmp_path):
    attitude = moving_attitude(Pointing(123.456, -45.6, 200.0), START, START + 300.0, drift_arcsec=1000.0)
    path = tmp_path / "events.fits"
    write_event_file(path, photon_list(100), attitude, header=HEADER)
    events = replace(read_event_file(path), gti=np.empty((0, 2)))
    assert events.exposure_s == 0.0
    assert not events.exposure_map(np.ones((256, 256), bool), default_calibration().alignment).any()


@pytest.mark.parametrize("roll", [0.0, 45.0, 200.0])
def test_north_is_up_in_the_sky_image(tmp_path, roll):
    attitude = AttitudeHistory(np.array([START]), quaternion_of(80.0, 20.0, roll)[None], np.array([True]))
    path = tmp_path / "events.fits"
    write_event_file(path, photon_list(50), attitude, header=HEADER)
    with fits.open(path) as parts:
        data = parts["EVENTS"].data
        ra, dec = Pointing(80.0, 20.0, roll).pixel_to_sky(data["RAWX"], data["RAWY"])
        assert np.corrcoef(data["Y"], dec)[0, 1] > 0.999
        assert np.corrcoef(data["X"], ra)[0, 1] < -0.999


def test_the_same_input_gives_the_same_bytes(tmp_path):
    infos = [
        write_event_file(tmp_path / name, photon_list(20), attitude_history(), header=HEADER) for name in "ab"
    ]
    assert infos[0].sha256 == infos[1].sha256
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_photons_outside_stable_pointing_are_left_out(tmp_path):
    flags = [0] * 5 + [1] * 10 + [0] * 5 + [1] * 11
    path, photons = tmp_path / "events.fits", photon_list(1000)
    info = write_event_file(path, photons, attitude_history(flags), header=HEADER)
    events = read_event_file(path)
    assert events.gti.tolist() == [[START + 50, START + 140], [START + 200, START + 300]]
    since = photons.time - START
    inside = (since >= 50) & (since < 140) | (since >= 200)
    np.testing.assert_array_equal(events.photons.time, photons.time[inside])
    np.testing.assert_array_equal(events.photons.x, photons.x[inside])
    assert info.n_unstable == 1000 - inside.sum()
    assert info.exposure_s == pytest.approx(190.0)


def test_the_gti_excludes_lost_time(tmp_path):
    path, photons = tmp_path / "events.fits", photon_list(1000)
    flags = [0] * 5 + [1] * 26
    received = START + np.array([[-np.inf, 100.0], [160.0, 200.0], [240.0, np.inf]])
    info = write_event_file(path, photons, attitude_history(flags), header=HEADER, received=received)
    good = [[START + 50, START + 100], [START + 160, START + 200], [START + 240, START + 300]]
    events = read_event_file(path)
    assert events.gti.tolist() == good
    assert info.lost.tolist() == [[START + 100, START + 160], [START + 200, START + 240]]
    assert info.exposure_s == events.exposure_s == pytest.approx(150.0)
    inside = np.searchsorted(np.ravel(good), photons.time, side="right") % 2 == 1
    np.testing.assert_array_equal(events.photons.time, photons.time[inside])
    assert info.n_unstable == np.count_nonzero(photons.time < START + 50)
    assert info.n_unstable + info.n_incomplete == 1000 - inside.sum()


def test_an_attitude_gap_is_bridged_while_photons_come(tmp_path):
    path, attitude = tmp_path / "events.fits", attitude_history()
    gap = np.r_[0:5, 25:31]
    attitude = AttitudeHistory(attitude.time[gap], attitude.quaternion[gap], attitude.stable[gap])
    info = write_event_file(path, photon_list(300), attitude, header=HEADER)
    assert (info.n_photons, info.exposure_s) == (300, pytest.approx(300.0))
    photons = photon_list(300)
    since = photons.time - START
    # There are neither photons nor samples for 80 s: the instrument was off.
    photons = photons.selected((since < 100) | (since >= 180))
    before, after = photons.time[photons.time < START + 100][-1], photons.time[photons.time >= START + 180][0]
    info = write_event_file(path, photons, attitude, header=HEADER)
    assert read_event_file(path).gti.tolist() == [[START, before + 0.1], [after, START + 300]]
    assert (info.n_photons, info.lost.shape) == (len(photons), (0, 2))


def test_without_a_gti_the_file_is_empty_and_valid(tmp_path):
    path = tmp_path / "events.fits"
    info = write_event_file(path, photon_list(0), attitude_history([0, 1]), header=HEADER)
    assert (info.n_photons, info.exposure_s) == (0, 0.0)
    assert read_event_file(path).gti.shape == (0, 2)


def test_a_pointing_that_was_never_stable_has_no_good_time(tmp_path):
    write_event_file(tmp_path / "e.fits", photon_list(3), attitude_history([0, 0]), header=HEADER)
    events = read_event_file(tmp_path / "e.fits")
    assert (len(events.photons), len(events.gti), events.exposure_s) == (0, 0, 0.0)
    assert events.header["EXPOSURE"] == 0.0


def test_without_attitude_there_is_no_file(tmp_path):
    with pytest.raises(InvalidInput, match="attitude: no sample"):
        write_event_file(tmp_path / "e.fits", photon_list(3), attitude_history([]), header=HEADER)
    assert list(tmp_path.iterdir()) == []


def test_pi_is_the_energy_in_channels_of_ten_ev():
    pha = np.array([0, 3, 4, 400, 4095], np.int32)
    gain = default_calibration().gain
    assert pi_channels(pha, gain).tolist() == [0, 0, 1, 100, 1023]
    shifted = gain.model_copy(update={"offset_kev": -0.02, "kev_per_channel": 0.005})
    assert pi_channels(pha, shifted).tolist() == [0, 0, 0, 198, 1023]


def test_the_calibration_is_the_one_valid_at_the_start_of_the_gtis(tmp_path, exchange):
    """X, Y and PI use this calibration, and a reader finds the time that selects it."""
    since = f"{OBSERVED:%Y-%m-%dT%H:%M:%SZ}"
    exchange("gain", offset_kev=0.1, valid_from=since)
    store = CalibrationStore(packaged_folder(), exchange("alignment", column=130.5, valid_from=since))
    plain, changed, attitude = tmp_path / "plain.fits", tmp_path / "changed.fits", attitude_history()
    write_event_file(plain, photon_list(300), attitude, header=HEADER)
    info = write_event_file(changed, photon_list(300), attitude, header=HEADER, store=store)
    assert info.calibration == store.at(OBSERVED) != packaged_store().at(OBSERVED)
    assert read_event_file(changed).tstart == info.tstart == pytest.approx(START, abs=1e-3)
    first, second = fits.getdata(plain, "EVENTS"), fits.getdata(changed, "EVENTS")
    np.testing.assert_allclose(np.hypot(first["X"] - second["X"], first["Y"] - second["Y"]), 3.0, atol=1e-9)
    inside = second["PI"] < 1023
    assert set(second["PI"][inside] - first["PI"][inside]) == {10}
    early = AttitudeHistory(attitude.time - 400.0, attitude.quaternion, attitude.stable)
    before = write_event_file(changed, photon_list(0), early, header=HEADER, store=store)
    assert before.calibration == packaged_store().at(OBSERVED)


def test_a_header_that_fits_cannot_hold_is_refused():
    with pytest.raises(ValidationError, match="ivorn"):
        HEADER.model_validate(HEADER.model_dump() | {"ivorn": "ivo://é"})


def damaged(path, change):
    path.write_bytes(change(path.read_bytes()))
    return path


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda raw: b"", "not a FITS file"),
        (lambda raw: b"<html>", "not a FITS file"),
        (lambda raw: b"\x1f\x8b" + raw, "not a FITS file"),
        (lambda raw: raw[:3000], "HDU PRIMARY"),
        (lambda raw: raw[:5760], "HDU EVENTS: not an event list: the table is missing"),
        (lambda raw: raw[:15_000], "HDU EVENTS"),
        (lambda raw: raw.replace(b"XTENSION= 'BINTABLE'", b"XTENSION= 'B\xffNTABLE'", 1), "HDU EVENTS"),
        (lambda raw: raw[:16_000] + b"\x55" + raw[16_001:], "HDU EVENTS: Checksum"),
        (lambda raw: raw.replace(b"'SVOM    '", b"'SWIFT   '", 1), "HDU PRIMARY"),
    ],
)
def test_a_damaged_file_is_refused_with_the_part_at_fault(written, change, cause):
    path = damaged(written[0], change)
    with pytest.raises(InvalidInput, match=f"events.fits: {cause}") as caught:
        read_event_file(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("part", "edit", "cause"),
    [
        ("PRIMARY", {"TELESCOP": "SWIFT"}, "TELESCOP is 'SWIFT', expected 'SVOM'"),
        ("PRIMARY", {"TIMESYS": "UTC"}, "TIMESYS is 'UTC'"),
        ("EVENTS", {"TTYPE4": "DETX"}, "RAWX"),
        ("ATTITUDE", {"TTYPE3": "FLAG"}, "HDU ATTITUDE.*STABLE"),
        ("GTI", {"EXTNAME": "BTI"}, "HDU GTI"),
        ("PRIMARY", {"RA_PNT": "north"}, "HDU PRIMARY: could not convert"),
        ("PRIMARY", {"RA_PNT": -10.0}, "RA_PNT is -10.0, expected 0 to 360"),
        ("PRIMARY", {"DEC_PNT": 100.0}, "DEC_PNT is 100.0, expected -90 to 90"),
        ("PRIMARY", {"PNTSPRD": -1.0}, "PNTSPRD is -1.0"),
        ("PRIMARY", {"TSTART": 1.0}, "TSTART is 1.0, expected the start of the first good time"),
        ("PRIMARY", {"TSTART": 1e30}, "TSTART is 1e.30, expected 0 to"),
        ("PRIMARY", {"TIMEZERO": 100.0}, "TIMEZERO is 100.0, expected 0.0"),
        ("EVENTS", {"TIMEZERO": 100.0}, "HDU EVENTS: TIMEZERO is 100.0, expected 0.0"),
        ("GTI", {"TIMEZERO": 100.0}, "HDU GTI: TIMEZERO"),
        ("ATTITUDE", {"MJDREFI": 51544}, "HDU ATTITUDE: MJDREFI is 51544"),
        ("PRIMARY", {"MJDREFF": 0.5}, "MJDREFF is 0.5, expected 0.000800"),
        ("EVENTS", {"TIMEUNIT": "d"}, "HDU EVENTS: TIMEUNIT is 'd', expected 's'"),
        ("PRIMARY", {"TIMEREF": "SOLARSYSTEM"}, "TIMEREF is 'SOLARSYSTEM'"),
        ("EVENTS", {"TIMEPIXR": 0.5}, "TIMEPIXR is 0.5"),
        ("PRIMARY", {"RADESYS": "FK4"}, "RADESYS is 'FK4', expected 'ICRS'"),
        ("PRIMARY", {"BURST_ID": "GRB1"}, "BURST_ID is 'GRB1'"),
        ("PRIMARY", {"DSTREAM": "Fpoc"}, "DSTREAM is 'Fpoc'"),
        ("PRIMARY", {"DATE": "yesterday"}, "DATE is 'yesterday'"),
        ("EVENTS", {"TUNIT1": "d"}, "column TIME is in 'd', expected 's'"),
        ("EVENTS", {"TLMIN4": 1}, "TLMIN4 of column RAWX is 1, expected 0"),
    ],
)
def test_a_file_with_unexpected_keywords_is_refused(written, part, edit, cause):
    path = written[0]
    with fits.open(path, mode="update", checksum="remove") as parts:
        parts[part].header.update(edit)
    with pytest.raises(InvalidInput, match=cause):
        read_event_file(path)


@pytest.mark.parametrize(
    ("part", "column", "row", "value", "cause"),
    [
        ("EVENTS", "RAWX", 5, 256, "HDU EVENTS: photons: x 256 is out of range; expected 0 to 255"),
        ("EVENTS", "RAWY", 0, -1, "HDU EVENTS: photons: y -1 is out of range; expected 0 to 255"),
        ("EVENTS", "PHA", 9, 4096, "HDU EVENTS: photons: pha 4096 is out of range; expected 0 to 4095"),
        ("EVENTS", "TIME", 7, np.nan, "HDU EVENTS: photons: times are not in ascending order"),
        ("EVENTS", "TIME", 7, 0.0, "HDU EVENTS: photons: times are not in ascending order"),
        ("GTI", "START", 0, 1e9, "HDU GTI: good time intervals overlap or are not in time order"),
        ("GTI", "STOP", 0, np.nan, "HDU GTI: good time intervals are not finite"),
        ("ATTITUDE", "TIME", 1, 0.0, "HDU ATTITUDE: attitude: sample 1: time 0.000000 is not after"),
        ("ATTITUDE", "QUATERNION", 2, np.nan, "HDU ATTITUDE: attitude: sample 2: quaternion is not of unit"),
    ],
)
def test_impossible_values_are_refused(written, part, column, row, value, cause):
    with fits.open(written[0], mode="update", checksum="remove") as parts:
        parts[part].data[column][row] = value
    with pytest.raises(InvalidInput, match=f"events.fits: {cause}"):
        read_event_file(written[0])


def test_no_attitude_is_refused_and_leaves_no_file(tmp_path):
    nothing = AttitudeHistory(np.empty(0), np.empty((0, 4)), np.empty(0, bool))
    with pytest.raises(InvalidInput, match="attitude: no sample"):
        write_event_file(tmp_path / "events.fits", photon_list(10), nothing, header=HEADER)
    assert not list(tmp_path.iterdir())


def test_a_message_shows_no_control_character_of_a_file_name(tmp_path):
    path = tmp_path / "a\x1b[31m\nb\udce9.fits"
    for content in (None, b"no FITS"):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InvalidInput) as caught:
            read_event_file(path)
        assert str(caught.value).startswith(r"a\x1b[31m\nb\xe9.fits: ")
        assert str(caught.value).isprintable()


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match=r"none\.fits: No such file"):
        read_event_file(tmp_path / "none.fits")
