"""The section "Who else saw it" of a burst's page, and the same facts in the report."""

from datetime import UTC, datetime, timedelta

import pytest

from mxtvhf.simulator.sky_notices import write_gcn_json
from mxtvhf.sky_notices.store import SkyStore
from mxtvhf.workflow.steps.other_missions import with_other_missions
from support.desk import BURST, HOSTILE, html_of, page_of, run
from support.reports import ECLAIRS, T0, VHF, checked, record, report
from support.reports import page_of as report_page


@pytest.fixture
def receive(settings):
    """Receive a notice of Fermi about the burst of the page."""
    store = SkyStore(settings.archive)

    def file(report, after_s=2.0, **fields):
        best = report["best_position"]
        moment = datetime.fromisoformat(report["trigger_time"]) + timedelta(seconds=after_s)
        given = {"mission": "Fermi", "instrument": "GBM", "ra": best["ra_deg"], "dec": best["dec_deg"]}
        raw = write_gcn_json("fermi/gbm/trigger", "7", moment, **(given | {"ra_dec_error": 3.0} | fields))
        received = moment + timedelta(minutes=10)
        store.read(store.keep(raw, received=received, source="test"), received)

    return file


def section(settings):
    return html_of(settings, [run()]).split('id="other-missions"')[1].split("</section>")[0]


def test_without_notices_the_section_says_that_nothing_was_checked(settings, put):
    put(f"{BURST}__1")
    assert "Not checked: no notice of another mission was ever received" in section(settings)


def test_a_notice_received_after_the_report_is_shown(settings, put, receive):
    report = put(f"{BURST}__1")
    receive(report)
    shown = section(settings)
    assert "Fermi GBM" in shown
    assert "+2.0 s" in shown
    assert ">probable<" in shown
    assert "Notices of other missions in the time window: 1." in shown


def test_a_retracted_event_and_a_missing_position_are_named(settings, put, receive):
    report = put(f"{BURST}__1")
    receive(report, ra=None, dec=None, healpix_url="https://x/map.fit")
    assert "not checked" in section(settings)
    receive(report, alert_type="retraction")
    assert "No longer counted: Fermi GBM 7, retracted by its mission." in section(settings)


def test_the_headline_names_the_missions_that_also_saw_the_burst(settings, put, receive):
    report = put(f"{BURST}__1")
    receive(report, after_s=5000.0, id=["8"])

    def headline():
        return html_of(settings, [run()]).split('id="headline"')[1].split("</section>")[0]

    assert "Also seen by" not in headline()
    receive(report, event_name="GRB 260228B")
    assert 'Also seen by <a href="#other-missions">Fermi GBM</a>.' in headline()
    assert "<span>7 GRB 260228B" in section(settings)


def test_the_reason_of_an_unchecked_position_is_readable_without_a_tooltip(settings, put, receive):
    report = put(f"{BURST}__1")
    receive(report, ra=None, dec=None, healpix_url="https://x/map.fit")
    reason = (
        "Position of Fermi GBM 7 not checked: the notice only links its sky map, and maps are not downloaded."
    )
    assert reason in section(settings)


def test_while_notices_wait_the_section_says_that_the_newest_are_not_checked(settings, put, receive):
    report = put(f"{BURST}__1")
    receive(report, after_s=5000.0)
    SkyStore(settings.archive).note_unread()
    shown = section(settings)
    assert "No event of another mission fits in time and position among the notices read so far." in shown
    assert "Not checked yet: the newest notices, because many arrived at once." in shown


def test_an_imprecise_position_of_another_mission_is_not_part_of_the_joint_position(settings, put, receive):
    report = put(f"{BURST}__1")
    receive(report)
    page = page_of(settings, [run()])
    assert page.other_missions.seen_by == ("Fermi GBM",)
    assert page.joint_position is None or "Fermi GBM" not in page.joint_position.used


def test_names_and_links_of_a_notice_are_escaped(settings, put, receive):
    report = put(f"{BURST}__1")
    receive(report, id=[HOSTILE], data_archive_page="javascript:alert(1)")
    shown = section(settings)
    assert HOSTILE not in shown
    assert "javascript:" not in shown


def test_the_page_shows_the_joint_position(settings, put, receive):
    report = put(f"{BURST}__1")
    receive(report, ra_dec_error=0.01, mission="Swift", instrument="XRT")
    page = page_of(settings, [run()])
    assert "R90" in page.joint_position.words
    html = html_of(settings, [run()])
    positions, others = (
        html.split(f'id="{name}"')[1].split("</section>")[0] for name in ("positions", "other-missions")
    )
    assert "Joint position, for comparison only and never announced: RA " in positions
    assert "Joint position" not in others


def test_the_report_has_the_coincidences_and_says_what_was_not_checked(tmp_path):
    store = SkyStore(tmp_path)
    raw = write_gcn_json(
        "swift/xrt/position", "1", T0 + timedelta(seconds=900), mission="Swift", instrument="XRT",
        ra=VHF.ra_deg, dec=VHF.dec_deg, ra_dec_error=0.001,
    )  # fmt: skip
    check = checked(ECLAIRS, VHF)

    def made(sky):
        return report(with_other_missions(record(), check, sky), check, light=True)

    empty = made(store)
    assert (empty.other_missions.checked, made(None).other_missions) == (False, None)
    assert "Not checked: no notice of another mission" in report_page(empty)
    now = datetime(2026, 5, 11, 12, tzinfo=UTC)
    store.read(store.keep(raw, received=now, source="test"), now)
    found = made(store)
    assert found.other_missions.seen_by == ("Swift XRT",)
    assert found.joint_position.used == ("Swift XRT", VHF.name, ECLAIRS.name)
    assert found.joint_position.r90_arcsec < 4.0
    page = report_page(found)
    assert "probably the same event" in page
    assert "Joint position" in page
