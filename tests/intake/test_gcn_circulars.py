"""The name of an event is taken from the GCN Circular that quotes the burst."""

import json
from datetime import UTC, datetime

import pytest

from mxtvhf.archive.archive import Archive
from mxtvhf.intake.gcn_circulars import name_from_circular
from mxtvhf.models.kept import read_kept
from mxtvhf.reporting.announcement.model import EVENT, NamedEvent
from mxtvhf.reporting.announcement.submission import event_of, name_event

BURST = "sb26051102"
NOW = datetime(2026, 5, 11, 12, tzinfo=UTC)


def circular(**changes):
    fields = {
        "circularId": 44468,
        "eventId": "GRB 260511A",
        "subject": "GRB 260511A: SVOM detection",
        "body": f"ECLAIRs triggered on GRB 260511A (SVOM burst-id {BURST}).",
        "submitter": "somebody",
    }
    return json.dumps(fields | changes).encode()


@pytest.fixture
def read(tmp_path):
    archive, releases = Archive(tmp_path / "archive"), tmp_path / "releases"
    archive.keep_alert(BURST, b"<a/>")

    def take(raw):
        name_from_circular(raw, archive, releases, now=NOW)
        return event_of(releases / BURST)

    take.folder = releases / BURST
    return take


def test_a_burst_gets_the_name_of_the_circular_that_quotes_it(read):
    assert read(circular()) == "GRB 260511A"
    assert read_kept(read.folder / EVENT, NamedEvent).recorded_by == "GCN Circ. 44468"


def test_what_a_person_typed_and_the_first_circular_stay(read):
    name_event(read.folder.parent, read.folder.name, "GRB 260511B", by="ada", at=NOW)
    assert read(circular()) == "GRB 260511B"


@pytest.mark.parametrize(
    "raw",
    [
        circular(body="GRB 260511A faded."),
        circular(body=f"{BURST} and sb26051103 are one event."),
        circular(body="burst-id xsb26051102, sb260511023"),
        circular(body="burst-id sb26051199, which nobody received"),
        circular(eventId=""),
        circular(eventId=BURST),
        circular(eventId="GRB <b>260511A</b>"),
        circular(circularId="none"),
        b"<html>",
        b"",
        b"\xff",
    ],
)
def test_any_other_circular_names_nothing(read, raw):
    assert read(raw) is None
