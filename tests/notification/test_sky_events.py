"""Notices of other missions that change what people know about a burst: each only once."""

from datetime import timedelta

import pytest

from mxtvhf.notification.burst_events import BurstWatch
from mxtvhf.notification.ledger import Ledger
from mxtvhf.notification.sky_events import SkyWatch
from mxtvhf.simulator.sky_notices import write_gcn_json
from mxtvhf.sky_notices.coincidence import other_missions
from mxtvhf.sky_notices.store import SkyStore
from support.duty import BURST, NOW, after
from support.reports import ECLAIRS, T0, VHF


class Duty:
    """The watches of an installation, and what they record."""

    def __init__(self, installation):
        self.installation = installation
        self.ledger = Ledger(installation.settings.notifications)
        self.store = SkyStore(installation.archive.root)
        self.bursts = BurstWatch(
            installation.archive, installation.settings.products, self.ledger, "https://x/desk"
        )
        self.sky = SkyWatch(installation.archive, self.ledger, "https://x/desk")

    def events(self, at=NOW):
        self.bursts.look(at)
        self.sky.look(at)
        return [one.event for one in self.ledger.record(BURST).occurrences]

    def receive(
        self, schema="fermi/gbm/trigger", event_id="1", after_s=2.0, at=NOW, radius_deg=3.0, **fields
    ):
        given = {"mission": "Fermi", "instrument": "GBM", "ra": VHF.ra_deg, "dec": VHF.dec_deg, **fields}
        moment = T0 + timedelta(seconds=after_s)
        raw = write_gcn_json(schema, event_id, moment, published=at, ra_dec_error=radius_deg, **given)
        self.store.read(self.store.keep(raw, received=at, source="test"), at)


@pytest.fixture
def duty(installation):
    return Duty(installation)


def test_a_new_coincidence_is_an_event_once(duty):
    duty.installation.first_notice()
    assert duty.events() == ["first_notice"]
    duty.receive()
    assert duty.events() == ["first_notice", "other_mission"]
    duty.receive(radius_deg=2.0, at=after(1))
    assert duty.events(after(1)) == ["first_notice", "other_mission"], "an update of the same event"
    one = duty.ledger.record(BURST).occurrences[-1]
    assert one.title == f"{BURST}: also seen by Fermi GBM"
    assert one.seen_by == ("Fermi GBM",)
    lines = dict(line.split(": ", 1) for line in one.body.splitlines())
    assert "probably the same event" in lines["What"]
    assert lines["Page"] == f"https://x/desk/{BURST}"


def test_a_much_better_position_is_an_event(duty):
    duty.installation.first_notice()
    duty.receive()
    duty.events()
    duty.receive(
        "swift/xrt/position", "2", 600.0, at=after(2), radius_deg=0.001, mission="Swift", instrument="XRT"
    )
    assert duty.events(after(2))[-1] == "other_mission"
    assert duty.ledger.record(BURST).occurrences[-1].title == f"{BURST}: also seen by Swift XRT"


def test_a_retraction_takes_it_back(duty):
    duty.installation.first_notice()
    duty.receive()
    duty.events()
    duty.receive(alert_type="retraction", at=after(30))
    assert duty.events(after(30)) == ["first_notice", "other_mission", "other_mission"]
    last = duty.ledger.record(BURST).occurrences[-1]
    assert last.title == f"{BURST}: Fermi GBM 1, retracted by its mission"


def test_a_new_classification_as_no_burst_is_an_event_once_with_the_reason(duty):
    duty.installation.first_notice()
    duty.receive()
    duty.events()
    duty.receive(classification={"SOLAR_FLARE": 0.98}, at=after(30))
    assert duty.events(after(30)) == ["first_notice", "other_mission", "other_mission"]
    last = duty.ledger.record(BURST).occurrences[-1]
    assert last.title == f"{BURST}: Fermi GBM 1, classified as SOLAR_FLARE by its mission"
    assert (last.seen_by, last.no_longer_seen_by) == ((), ("Fermi GBM",))
    assert "no probable detection by another mission" in last.body
    duty.receive(alert_type="retraction", at=after(60))
    assert len(duty.events(after(60))) == 3, "the same event is withdrawn only once"
    duty.receive(event_id="2", at=after(90))
    assert duty.events(after(90))[-1] == "other_mission"
    assert duty.ledger.record(BURST).occurrences[-1].seen_by == ("Fermi GBM",), "another event counts again"


def test_an_event_that_is_called_a_burst_again_sends_its_message_again_once(duty):
    duty.installation.first_notice()
    duty.receive()
    duty.events(after(1))
    duty.receive(classification={"SOLAR_FLARE": 0.98}, at=after(2))
    assert len(duty.events(after(2))) == 3, "notice, seen, withdrawn"
    duty.receive(classification={"GRB": 0.97}, at=after(3))
    assert len(duty.events(after(3))) == 4
    last = duty.ledger.record(BURST).occurrences[-1]
    assert last.seen_by == ("Fermi GBM",)
    assert "also seen by Fermi GBM" in last.body
    duty.receive(classification={"GRB": 0.98}, at=after(4))
    assert len(duty.events(after(4))) == 4, "only once"
    duty.receive(alert_type="retraction", at=after(5))
    assert len(duty.events(after(5))) == 5
    assert duty.ledger.record(BURST).occurrences[-1].no_longer_seen_by == ("Fermi GBM",)
    duty.receive(alert_type="retraction", at=after(6))
    assert len(duty.events(after(6))) == 5, "withdrawn once"


def test_nobody_is_notified_of_a_withdrawal_that_no_message_named(duty):
    duty.installation.first_notice()
    duty.receive()
    duty.receive(classification={"SOLAR_FLARE": 0.98}, at=after(1))
    assert duty.events(after(1)) == ["first_notice"]


@pytest.mark.parametrize(
    "notice",
    [
        {"after_s": 7200.0},
        {"dec": 60.0},
        {"alert_tense": "test"},
        {"alert_tense": "planned"},
        {"after_s": 500.0, "ra": None, "dec": None},
    ],
)
def test_unrelated_notices_notify_nobody(duty, notice):
    duty.installation.first_notice()
    duty.receive(at=after(180), **notice)
    assert duty.events(after(180)) == ["first_notice"]


def test_nobody_is_notified_of_a_burst_that_nobody_knows(duty):
    duty.receive()
    assert duty.events() == []


def test_a_detection_named_in_the_first_position_is_not_repeated(duty):
    duty.installation.first_notice()
    duty.bursts.look(NOW)
    duty.receive()
    found = other_missions(duty.store, BURST, T0, VHF, is_test=False)
    duty.installation.report(ECLAIRS, VHF, at=after(1), other_missions=found)
    assert duty.events(after(1)) == ["first_notice", "first_position"]
    assert "also seen by Fermi GBM" in duty.ledger.record(BURST).occurrences[-1].body
