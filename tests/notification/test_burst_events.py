"""Events of a burst from notices and reports: each only once, and none without importance or too old."""

from datetime import timedelta

import pytest
from astropy.coordinates import SkyCoord

from mxtvhf.crosscheck.model import BurstVerdict
from mxtvhf.notification.burst_events import BurstWatch
from mxtvhf.notification.ledger import Ledger
from support.duty import BURST, NOW, after
from support.reports import ECLAIRS, VHF


@pytest.fixture
def look(installation):
    """Check the bursts with a new watch and return all events by subject."""
    ledger = Ledger(installation.settings.notifications)

    def events(at=NOW, subject=BURST):
        watch = BurstWatch(installation.archive, installation.settings.products, ledger, "https://x/desk")
        watch.look(at)
        watch.look(at)
        return [one.event for one in ledger.record(subject).occurrences]

    events.record = ledger.record
    return events


def moved(position, arcmin):
    return position.model_copy(update={"dec_deg": position.dec_deg + arcmin / 60.0})


def test_notice_position_and_changes_are_events(installation, look):
    installation.first_notice()
    assert look() == ["first_notice"]
    installation.report(status="preliminary", at=after(1))
    assert look(after(1)) == ["first_notice", "first_position"]
    installation.report(at=after(2))
    assert look(after(2)) == ["first_notice", "first_position"], "the final report says the same"
    installation.report(ECLAIRS, moved(VHF, 1.5), sequence=2, at=after(3))
    assert look(after(3)) == ["first_notice", "first_position", "result_changed"]
    assert "position moved by 90" in look.record(BURST).occurrences[-1].title


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"verdict": BurstVerdict.KNOWN_SOURCE}, "known source (before"),
        ({"best_position": ECLAIRS}, "position from ECLAIRs (before: MXT-VHF)"),
        ({"best_position": VHF.model_copy(update={"r90_arcsec": 20.0})}, "smaller error radius"),
        ({"best_position": VHF.model_copy(update={"r90_arcsec": 40.0})}, None),
    ],
)
def test_only_a_clear_change_is_an_event(installation, look, changes, why):
    installation.first_notice()
    installation.report(at=after(1))
    look(after(1))
    installation.report(sequence=2, at=after(2), **changes)
    events = look(after(2))
    assert ("result_changed" in events) == (why is not None)
    if why:
        assert why in look.record(BURST).occurrences[-1].title


def test_the_text_has_event_position_significance_action_and_link(installation, look):
    installation.first_notice()
    installation.report(at=after(1))
    look(after(1))
    first, position = look.record(BURST).occurrences
    assert "eclairs-wakeup notice of 2026-05-11 11:00:32 UTC" in first.body
    assert "SNR 9" in first.body
    place = SkyCoord(212.5, -12.73, unit="deg").galactic
    lines = dict(line.split(": ", 1) for line in position.body.splitlines())
    assert lines["What"] == "First position (final report of update 1)"
    assert lines["Where"].startswith("RA 14:10:00.0 Dec -12:43:48 (212.5000 -12.7300 deg), R90 48")
    assert f"l {place.l.deg:.2f}, b {place.b.deg:+.2f} deg, from MXT (VHF photons)" in lines["Where"]
    assert lines["Evidence"].startswith("TS 80 (9 sigma), 30 source photons; ")
    assert "I have it" in lines["What to do"]
    assert lines["Page"] == f"https://x/desk/{BURST}?run={BURST}__1"


def test_replays_give_no_events_and_tests_have_their_own_subject(installation, look):
    installation.first_notice(role="test")
    installation.report(at=after(1), is_test=True)
    installation.report(sequence=3, at=after(1), is_replay=True)
    assert look(after(1)) == []
    assert look(after(1), f"{BURST}__test") == ["first_notice", "first_position"]
    assert "DRILL" in look.record(f"{BURST}__test").occurrences[0].title


def test_a_retraction_of_a_notified_burst_is_an_event(installation, look):
    alert = installation.first_notice()
    assert look() == ["first_notice"]
    installation.retraction(alert, after(5))
    assert look(after(5)) == ["first_notice", "retraction"]


def test_a_retraction_of_an_unknown_burst_notifies_nobody(installation, look):
    alert = installation.first_notice(at=NOW - timedelta(days=1))
    installation.retraction(alert, NOW)
    assert look() == []


def test_a_restored_archive_notifies_nobody(installation, look):
    installation.first_notice()
    installation.report()
    assert look(NOW + timedelta(days=2)) == []


def test_an_unreadable_report_is_ignored(installation, look, caplog):
    installation.first_notice()
    installation.report()
    path = next(installation.settings.products.glob("*/*/report.json"))
    path.write_text("{")
    assert look() == ["first_notice"]
    assert "no notification is sent about this" in caplog.text


def test_a_report_written_after_its_burst_was_closed_is_an_event(installation):
    """Workers may be down for an hour, and GP may answer after it."""
    installation.first_notice()
    for burst in (installation.archive.root / "open").glob("sb*"):
        burst.unlink()
    ledger = Ledger(installation.settings.notifications)
    watch = BurstWatch(installation.archive, installation.settings.products, ledger, None)
    watch.look(NOW)
    assert not ledger.record(BURST).occurrences
    installation.report(at=after(90))
    watch.look(after(91))
    assert [one.event for one in ledger.record(BURST).occurrences] == ["first_notice", "first_position"]
