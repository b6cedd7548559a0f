import re
from datetime import UTC, datetime

import numpy as np
import pytest
from astropy.io import fits

from mxtvhf.errors import InvalidInput
from mxtvhf.events.event_file import read_event_file, write_event_file
from mxtvhf.events.header import EventHeader
from mxtvhf.events.onboard_file import OnboardMessage, OnboardSource, write_onboard_file
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.calibration import CalibrationStore, default_calibration, packaged_folder
from mxtvhf.instrument.constants import pixel_scale_arcsec
from mxtvhf.instrument.pointing import Pointing
from mxtvhf.instrument.time import met_from_utc, utc_from_met
from mxtvhf.localisation.model import OnboardVerdict
from mxtvhf.localisation.position import localise
from mxtvhf.models.angles import separation_arcsec
from mxtvhf.models.position import Origin
from mxtvhf.simulator.gp.analysis import localise_events
from mxtvhf.simulator.notices import eclairs_wakeup_notice
from mxtvhf.simulator.photons import simulate_photons
from mxtvhf.simulator.pointing import moving_attitude, seen_with
from mxtvhf.workflow.steps.onboard_positions import photon_evidence
from mxtvhf.workflow.steps.photons_extraction import Extraction
from mxtvhf.workflow.steps.vhf_localisation import in_band, unplaced_localisation, vhf_localisation
from support.alerts import alert_of
from support.positions import place

START = 295_000_000.0
POINTING = Pointing(ra_deg=83.6, dec_deg=22.0, roll_deg=30.0)
HEADER = EventHeader(
    burst_id="sb26051102",
    ivorn="ivo://org.svom/fsc#sb26051102_eclairs-wakeup",
    obs_id="1",
    date=datetime(2026, 5, 11, tzinfo=UTC),
)


def event_file(folder, photons, start=START):
    time = np.arange(start - 5.0, start + 310.0, 5.0)
    attitude = AttitudeHistory(time, np.tile(POINTING.quaternion(), (len(time), 1)), np.ones(len(time), bool))
    write_event_file(folder / "events.fits", photons, attitude, header=HEADER)
    return folder / "events.fits"


def burst(seed=1, **changes):
    case = {"x": 100.3, "y": 60.2, "counts": 300, "background": 100, "start": START, "stop": START + 300}
    return simulate_photons(**{**case, **changes}, rng=np.random.default_rng(seed))


def test_a_source_is_placed_on_the_sky(tmp_path):
    photons = burst()
    found = vhf_localisation(event_file(tmp_path, photons))
    assert found.detected
    assert found.reason is None
    position = found.position
    assert (position.origin, position.label) == (Origin.MXT_VHF, "photons")
    ra, dec = POINTING.pixel_to_sky(100.3, 60.2)
    assert (
        separation_arcsec(position.ra_deg, position.dec_deg, float(ra), float(dec)) < 2 * position.r90_arcsec
    )
    assert position.r90_sys_arcsec == 25.0
    assert position.r90_arcsec == pytest.approx(np.hypot(position.r90_stat_arcsec, 25.0))
    assert found.r50_arcsec < position.r90_stat_arcsec
    assert met_from_utc(position.time) == pytest.approx(photons.time[-1], abs=1e-5)
    assert found.n_photons == len(photons)
    assert found.n_source == pytest.approx(300, abs=80)
    assert found.calibration.items() >= default_calibration().versions().items()
    ours = set(found.calibration) - set(default_calibration().versions())
    assert ours == {"instrument", "detection", "onboard", "population"}


def test_another_calibration_gives_another_position_and_is_recorded(tmp_path, exchange):
    path = event_file(tmp_path, burst())
    plain = vhf_localisation(path)
    exchange("psf", core_fwhm_arcmin=7.0)
    exchange("alignment", column=137.5, systematic_r90_arcsec=60.0)
    folder = exchange("bad_pixels", columns="[98, 99]")
    store = CalibrationStore(packaged_folder(), folder)
    found = vhf_localisation(path, store=store)
    assert localise_events(path, store) == found
    changed = {item for item, version in found.calibration.items() if version == "900-own"}
    assert changed == {"psf", "alignment", "bad_pixels"}
    assert found.position.r90_sys_arcsec == 60.0
    assert found.n_source + found.n_background < plain.n_source + plain.n_background
    moved = separation_arcsec(
        plain.position.ra_deg, plain.position.dec_deg, found.position.ra_deg, found.position.dec_deg
    )
    assert moved == pytest.approx(10 * pixel_scale_arcsec(), abs=40.0)
    assert found.position.r90_stat_arcsec < plain.position.r90_stat_arcsec


def test_the_systematic_error_is_that_of_the_observation(tmp_path):
    year = 365 * 86400.0
    photons = burst()
    older = PhotonList(photons.time - year, photons.x, photons.y, photons.pha)
    found = vhf_localisation(event_file(tmp_path, older, START - year))
    assert found.position.r90_sys_arcsec == 35.0
    assert found.calibration["alignment"] == "001"


@pytest.mark.parametrize(
    ("photons", "words"),
    [
        (burst(counts=0, background=60), "no significant source in"),
        (
            PhotonList(
                np.full(60, START + 5.0),
                np.full(60, 7, np.int16),
                np.full(60, 9, np.int16),
                np.full(60, 400, np.int32),
            ),
            r"1 hot pixel \(column, row\): \(7, 9\)",
        ),
        (burst(counts=0, background=0), "none of its 0 photons"),
    ],
    ids=["background", "hot pixel", "empty"],
)
def test_no_source_gives_a_reason_and_no_circle(tmp_path, photons, words):
    found = vhf_localisation(event_file(tmp_path, photons))
    assert not found.detected
    assert found.position is None
    assert (found.r50_arcsec, found.detector_x, found.detector_y) == (None, None, None)
    assert np.isfinite([found.ts, found.n_source, found.n_background]).all()
    assert re.search(words, found.reason)


def test_photons_outside_the_energy_band_are_left_out(tmp_path):
    gain, pha = default_calibration().gain, np.array([0, 79, 80, 4000, 4001, 4095], np.int32)
    assert in_band(pha, gain).tolist() == [False, False, True, True, False, False]
    photons = burst()
    found = vhf_localisation(
        event_file(tmp_path, PhotonList(photons.time, photons.x, photons.y, photons.pha * 0 + 10))
    )
    assert not found.detected
    assert found.n_photons == 0
    assert "energy band" in found.reason


def test_an_address_beside_the_detector_names_the_file(tmp_path):
    path = event_file(tmp_path, burst())
    with fits.open(path, mode="update", checksum="remove") as parts:
        parts["EVENTS"].data["RAWX"][3] = 300
    with pytest.raises(InvalidInput, match=r"events\.fits: HDU EVENTS: photons: x 300 is out of range"):
        vhf_localisation(path)


def test_a_drift_does_not_blur_the_position(tmp_path):
    attitude = moving_attitude(POINTING, START, START + 300.0, drift_arcsec=120.0)
    photons = burst(counts=3000, background=100, decay_index=1.2, burst_time=START - 60.0)
    path = tmp_path / "events.fits"
    seen = seen_with(attitude, POINTING, photons, np.random.default_rng(2))
    write_event_file(path, seen, attitude, header=HEADER)
    truth = [float(value) for value in POINTING.pixel_to_sky(100.3, 60.2)]
    found = vhf_localisation(path).position
    assert separation_arcsec(found.ra_deg, found.dec_deg, *truth) < found.r90_stat_arcsec
    # Without the correction the position is where the pointing was while most photons came.
    seen = read_event_file(path)
    blurred = localise(seen.photons.x, seen.photons.y)
    sky = [float(value) for value in seen.pointing.pixel_to_sky(blurred.x, blurred.y)]
    assert separation_arcsec(*sky, *truth) > blurred.r90


def test_dead_columns_do_not_pull_the_position_when_the_pointing_drifts(tmp_path, exchange):
    dead = list(range(120, 136))
    store = CalibrationStore(packaged_folder(), exchange("bad_pixels", columns=str(dead)))
    attitude = moving_attitude(POINTING, START, START + 300.0, drift_arcsec=60.0)
    truth = [float(value) for value in POINTING.pixel_to_sky(145.0, 128.0)]
    offsets, radii = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        source = burst(seed, x=145.0, y=128.0, counts=600, background=0)
        seen = seen_with(attitude, POINTING, source, rng).merged(burst(seed, counts=0, background=300))
        path = tmp_path / "events.fits"
        write_event_file(path, seen.selected(~np.isin(seen.x, dead)), attitude, header=HEADER, store=store)
        found = vhf_localisation(path, store=store).position
        offsets.append(separation_arcsec(found.ra_deg, found.dec_deg, *truth))
        radii.append(found.r90_stat_arcsec)
    # With all columns taken as good they are 7 pixels away, which is twice the radius.
    assert np.median(offsets) < np.median(radii)
    assert np.sum(np.array(offsets) < radii) >= 9


def test_a_hot_pixel_stays_one_when_the_pointing_drifts(tmp_path):
    attitude = moving_attitude(POINTING, START, START + 300.0, drift_arcsec=120.0)
    time = START + 0.1 * np.arange(3000)
    ones = np.ones(3000, np.int16)
    path = tmp_path / "events.fits"
    write_event_file(
        path, PhotonList(time, 7 * ones, 9 * ones, ones.astype(np.int32) * 400), attitude, header=HEADER
    )
    assert not vhf_localisation(path).detected


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InvalidInput, match=r"nothing\.fits"):
        vhf_localisation(tmp_path / "nothing.fits")


def wakeup(x, y, trigger_met):
    ra, dec = (float(axis) for axis in POINTING.pixel_to_sky(x, y))
    return eclairs_wakeup_notice(
        HEADER.burst_id, ra_deg=ra, dec_deg=dec, trigger_time=utc_from_met(trigger_met), snr=30.0,
        rng=np.random.default_rng(1),
    )  # fmt: skip


def test_arrival_times_count_where_the_notices_tell_when_the_burst_was(tmp_path):
    path = event_file(tmp_path, burst(burst_time=START - 100.0, decay_index=1.2))
    plain = vhf_localisation(path)
    timed = vhf_localisation(path, alerts=[wakeup(100.3, 60.2, START - 100.0)])
    late = vhf_localisation(path, alerts=[wakeup(100.3, 60.2, START + 100.0)])
    assert plain.uses == ("energy", "time")
    assert timed.uses == ("energy", "time", "T0")
    assert timed.position.r90_stat_arcsec != plain.position.r90_stat_arcsec
    assert (late.uses, late.position) == (plain.uses, plain.position)


@pytest.mark.slow
def test_the_circle_of_eclairs_is_asked_only_where_the_photons_show_no_source(tmp_path):
    alerts = [wakeup(100.3, 60.2, START - 100.0)]
    bright = vhf_localisation(event_file(tmp_path, burst()), alerts=alerts)
    assert "ECLAIRs" not in bright.uses
    found, alone = [], []
    for seed in range(25):
        path = event_file(tmp_path, burst(seed, counts=12, background=100))
        found.append(vhf_localisation(path, alerts=alerts))
        alone.append(vhf_localisation(path))
    helped = [with_circle for with_circle in found if with_circle.detected and "ECLAIRs" in with_circle.uses]
    assert len(helped) >= 3
    assert sum(one.detected for one in found) > sum(one.detected for one in alone) + 4
    assert all(one.uses == ("energy", "time", "T0", "ECLAIRs") for one in found if not one.detected)


def test_the_circle_of_eclairs_is_asked_beside_a_bright_known_source(tmp_path):
    """The Crab is in the field; the burst in the circle is too faint to be found without it."""
    crab = [float(axis) for axis in POINTING.sky_to_pixel(83.6331, 22.0145)]
    photons = burst(seed=2, x=60.0, y=200.0, counts=25, background=100)
    photons = photons.merged(burst(seed=100, x=crab[0], y=crab[1], counts=300, background=0))
    path = event_file(tmp_path, photons)
    grm, eclairs = wakeup(60.0, 200.0, START - 100.0), wakeup(60.0, 200.0, START - 100.0)
    alone = vhf_localisation(path, alerts=[grm.model_copy(update={"position": None})])
    found = vhf_localisation(path, alerts=[eclairs])
    assert [source.known_as for source in alone.sources] == ["Crab"]
    assert [source.known_as for source in found.sources] == ["Crab", None]
    assert found.chosen == "S2"
    assert np.hypot(found.detector_x - 60.0, found.detector_y - 200.0) < 20.0
    assert (alone.uses, found.uses) == (("energy", "time", "T0"), ("energy", "time", "T0", "ECLAIRs"))


def test_a_source_that_is_found_without_the_circle_is_placed_without_it(tmp_path):
    """Two sources, one of them where ECLAIRs is: nothing is asked of the circle."""
    photons = burst(x=60.0, y=200.0).merged(burst(seed=2, x=190.0, y=60.0, counts=400, background=0))
    path = event_file(tmp_path, photons)
    found = vhf_localisation(path, alerts=[wakeup(63.0, 200.0, START - 100.0)])
    assert len(found.sources) == 2
    assert "ECLAIRs" not in found.uses


def test_of_two_sources_in_a_wide_circle_of_eclairs_the_much_nearer_one_is_the_burst(tmp_path):
    photons = burst(x=90.0, y=200.0).merged(burst(seed=2, x=170.0, y=200.0, counts=450, background=0))
    notice = wakeup(90.0, 200.0, START - 100.0)
    ra, dec = (float(axis) for axis in POINTING.pixel_to_sky(90.0, 200.0))
    circle = place(ra, dec, 900.0, Origin.ECLAIRS, "eclairs-wakeup")
    found = vhf_localisation(
        event_file(tmp_path, photons), alerts=[notice.model_copy(update={"position": circle})]
    )
    bright, faint = found.sources
    assert bright.in_eclairs
    assert faint.in_eclairs
    # 80 pixels are 1080 arcsec, and the standard error is 900 / 2.146 arcsec per axis.
    assert bright.eclairs_sigmas == pytest.approx(1080.0 / (900.0 / 2.146), abs=0.2)
    assert faint.eclairs_sigmas < 0.3
    assert found.chosen == faint.name
    assert found.choice == f"{faint.name} lies much nearer to the ECLAIRs position than {bright.name}"


def in_a_line(photons, source, kev=3.0):
    """Photons of a background that is all in one line, and of a source."""
    line = np.random.default_rng(1).normal(kev, 0.06, len(photons))
    channels = np.rint(default_calibration().gain.channel(line)).astype(np.int32)
    return PhotonList(photons.time, photons.x, photons.y, channels).merged(source)


def test_a_background_in_a_line_that_is_not_listed_neither_hides_nor_makes_a_source(tmp_path):
    background, source = burst(counts=0, background=300), burst(seed=2, counts=100, background=0)
    found = vhf_localisation(event_file(tmp_path, in_a_line(background, source)))
    assert found.detected
    assert np.hypot(found.detector_x - 100.3, found.detector_y - 60.2) < 25.0
    assert found.n_source == pytest.approx(100.0, abs=40.0)
    assert (found.uses, found.not_used) == (("time",), ("energy",))
    empty = vhf_localisation(event_file(tmp_path, in_a_line(background, burst(counts=0, background=0))))
    assert not empty.detected
    assert "the photon energies fit no known background or source and were not used" in empty.reason


def test_photons_of_one_frame_are_placed_without_their_times(tmp_path):
    photons = burst(counts=100, background=100)
    time = np.full_like(photons.time, START + 30.0)
    path = event_file(tmp_path, PhotonList(time, photons.x, photons.y, photons.pha))
    found = vhf_localisation(path, alerts=[wakeup(100.3, 60.2, START - 100.0)])
    assert (found.uses, found.not_used) == (("energy",), ("time",))
    assert np.hypot(found.detector_x - 100.3, found.detector_y - 60.2) < 15.0
    assert found.n_source == pytest.approx(100.0, abs=35.0)


def test_no_source_comes_with_an_upper_limit(tmp_path):
    found = vhf_localisation(event_file(tmp_path, burst(counts=0, background=200)))
    assert not found.detected
    assert 2.3 < found.upper_limit_photons < 60.0
    # 1 count/s of the source's photons is about 1e-10 erg/cm2/s (GCN 41288).
    rate = found.upper_limit_photons / found.exposure_s
    usual, *others = found.upper_limit_fluxes
    assert 0.2e-10 < usual.flux / rate < 3e-10
    assert usual.flux < found.upper_limit_flux < max(one.flux for one in others)
    assert found.upper_limit_flux in [one.flux for one in others]
    assert (usual.photon_index, usual.nh_1e22_cm2) == (2.0, 0.1)
    assert max(others, key=lambda one: one.flux).nh_1e22_cm2 == 10.0
    assert f"90 % upper limit: {found.upper_limit_photons:.0f} photons" in found.reason
    assert vhf_localisation(event_file(tmp_path, burst())).upper_limit_photons is None


@pytest.mark.slow
def test_one_good_pixel_sets_no_limit(tmp_path, exchange):
    columns, rows = ([i for i in range(256) if i != good] for good in (100, 50))
    folder = exchange("bad_pixels", columns=str(columns), rows=str(rows))
    store = CalibrationStore(packaged_folder(), folder)

    def found_in_one_photon(pha):
        photon = PhotonList(*(np.array([value]) for value in (START + 1.0, 100, 50, pha)))
        return vhf_localisation(event_file(tmp_path, photon), store=store)

    # Its energy must not tell source from background either.
    found = next(one for one in map(found_in_one_photon, range(600, 800)) if one.upper_limit_photons is None)
    assert not found.detected
    assert found.upper_limit_flux is None
    assert found.upper_limit_fluxes == ()
    assert "too few good pixels" in found.reason


def test_the_posterior_on_the_sky_is_a_product(tmp_path):
    found = vhf_localisation(event_file(tmp_path, burst()), out=tmp_path / "out")
    assert {product.path for product in found.products.values()} == {
        path.name for path in (tmp_path / "out").iterdir()
    }
    half, most = found.regions
    assert (half.part, most.part) == (0.5, 0.9)
    circle = np.pi * (found.position.r90_arcsec / 60.0) ** 2
    assert most.area_arcmin2 == pytest.approx(circle, rel=0.05)
    assert (found.exposure_s, found.data_stream) == (pytest.approx(310.0), "VHF")


def test_no_source_leaves_no_sky_map(tmp_path):
    found = vhf_localisation(event_file(tmp_path, burst(counts=0, background=60)), out=tmp_path / "out")
    assert (found.regions, found.products) == ((), {})
    assert not (tmp_path / "out").exists()


def onboard_file(folder, *places):
    """The product of one on-board result with a source at each pixel."""
    sources = []
    for x, y in places:
        ra, dec = (float(axis) for axis in POINTING.pixel_to_sky(x, y))
        sources.append(OnboardSource(ra_deg=ra, dec_deg=dec, r90_arcsec=50.0, snr=9.0, known_source=False))
    message = OnboardMessage(met=START + 300.0, sources=tuple(sources))
    write_onboard_file(folder / "qpo_mxt.fits", [message], HEADER.burst_id)
    return folder / "qpo_mxt.fits"


def test_the_onboard_positions_are_judged_by_the_photons(tmp_path):
    product = onboard_file(tmp_path, (100.3, 60.2), (112.0, 60.2))
    found = vhf_localisation(event_file(tmp_path, burst()), onboard=product)
    right, wrong = found.onboard
    assert (right.position.label, right.verdict) == ("QPO_MXT S1", OnboardVerdict.SUPPORTED)
    assert (wrong.position.label, wrong.verdict) == ("QPO_MXT S2", OnboardVerdict.CONTRADICTED)
    assert wrong.separation_arcsec == pytest.approx(11.7 * pixel_scale_arcsec(), abs=60.0)
    assert wrong.p_value < 1e-3 < right.p_value
    assert vhf_localisation(event_file(tmp_path, burst())).onboard == ()


def test_an_onboard_position_of_another_source_does_not_support_the_burst(tmp_path):
    """The cross-check called it consistent with the burst, because the photons show a source there, too."""
    photons = burst().merged(burst(seed=3, x=180.0, y=200.0, counts=200, background=0))
    product = onboard_file(tmp_path, (100.3, 60.2), (180.0, 200.0))
    found = vhf_localisation(event_file(tmp_path, photons), onboard=product)
    assert [source.name for source in found.sources] == ["S1", "S2"]
    assert found.chosen == "S1"
    assert [(judged.verdict, judged.other_source) for judged in found.onboard] == [
        (OnboardVerdict.SUPPORTED, None),
        (OnboardVerdict.SUPPORTED, "S2"),
    ]
    assert [one.supported for one in photon_evidence(found)] == [True, False]


def test_a_notice_of_mxt_is_judged_alike(tmp_path):
    ra, dec = POINTING.pixel_to_sky(115.0, 60.2)
    where = place(float(ra), float(dec), 60.0, Origin.MXT_ONBOARD, "mxt-initial_qf2")
    alert = alert_of(HEADER.burst_id, "mxt-initial_qf2", utc_from_met(START), packet_type=209, position=where)
    (judged,) = vhf_localisation(event_file(tmp_path, burst()), alerts=[alert]).onboard
    assert (judged.position, judged.verdict) == (where, OnboardVerdict.CONTRADICTED)


@pytest.mark.parametrize("counts", [0, 60])
def test_without_a_source_the_onboard_position_cannot_be_judged(tmp_path, counts):
    photons = burst(counts=0, background=counts)
    product = onboard_file(tmp_path, (100.3, 60.2))
    (judged,) = vhf_localisation(event_file(tmp_path, photons), onboard=product).onboard
    assert (judged.verdict, judged.p_value) == (OnboardVerdict.UNDECIDABLE, None)
    assert judged.explanation.startswith("QPO_MXT S1 cannot be tested by the photons: ")


def test_without_a_pointing_the_onboard_position_is_told_all_the_same(tmp_path):
    extraction = Extraction.model_construct(
        unplaced="no pointing packet", onboard_path=str(onboard_file(tmp_path, (100.3, 60.2)))
    )
    found = unplaced_localisation(extraction, ())
    assert found.reason == "no pointing packet"
    assert [one.position.label for one in found.onboard] == ["QPO_MXT S1"]
    assert found.onboard[0].verdict is OnboardVerdict.UNDECIDABLE


def test_several_sources_are_listed_written_and_not_counted_as_background(tmp_path):
    other = burst(seed=2, x=200.0, y=60.0, counts=400, background=0)
    path = event_file(tmp_path, burst().merged(other))
    found = vhf_localisation(path, tmp_path / "out")
    assert [source.name for source in found.sources] == ["S1", "S2"]
    assert {"sources", "sources_ds9"} <= found.products.keys()
    table = fits.getdata(tmp_path / "out" / "sources.fits")
    assert list(table["COUNTS"]) == [source.n_source for source in found.sources]
    assert list(table["BURST"]) == [source.name == found.chosen for source in found.sources]
    assert found.n_background == pytest.approx(100, abs=60)
    total = sum(source.n_source for source in found.sources) + found.n_background
    assert total == pytest.approx(found.n_photons, rel=0.01)
