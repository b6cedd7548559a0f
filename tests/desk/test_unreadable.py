from datetime import UTC, datetime, timedelta

import pytest

from mxtvhf.archive.archive import Archive
from mxtvhf.desk.render import Viewer, render_unreadable
from mxtvhf.desk.unreadable import UnreadableInputs
from mxtvhf.errors import InvalidInput
from mxtvhf.sky_notices.store import INDEX, SkyStore
from support.commands import mxtvhf
from support.desk import HOSTILE, Elements


@pytest.fixture
def archive(settings):
    return Archive(settings.archive)


@pytest.fixture
def unreadable(settings, archive):
    return UnreadableInputs(archive, settings.desk_records)


def test_a_dismissed_input_leaves_the_list_and_stays_in_quarantine(archive, unreadable):
    """The list linked to raw JSON, and its red count never went away."""
    path = archive.quarantine(b"no notice", name="inbox a.xml", reason="not well-formed XML")
    archive.quarantine(b"no packets", name="inbox b.bin", reason="5 bytes")
    unreadable.dismiss(path.stem, by="ada", now=datetime.now(UTC))
    assert [note.input for note in unreadable.open()] == ["inbox b.bin"]
    assert len(archive.quarantined()) == 2


def test_an_input_that_arrives_again_after_its_dismissal_is_listed_again(archive, unreadable):
    path = archive.quarantine(b"no notice", name="inbox a.xml", reason="not well-formed XML")
    unreadable.dismiss(path.stem, by="ada", now=datetime.now(UTC) - timedelta(minutes=1))
    archive.quarantine(b"no notice", name="NATS notices", reason="not well-formed XML")
    assert "NATS notices" in [note.input for note in unreadable.open()]


def test_unreadable_notices_of_other_missions_are_listed_and_dismissed(settings, archive, unreadable):
    """They were only counted, without a name or reason anywhere."""
    received, source = datetime(2026, 4, 2, 22, tzinfo=UTC), "inbox bad.json"
    sky = SkyStore(archive.root)
    path = sky.keep(b'{"a": 1}', received=received, source=source)
    assert sky.read(path, received, source) == ()
    archive.quarantine(b"no notice", name="inbox a.xml", reason="not well-formed XML")
    packets, notice = unreadable.open()
    assert (packets.input, notice.input) == ("inbox a.xml", source)
    assert (notice.time, notice.size, notice.sha256) == (received, 8, path.stem)
    assert notice.reason
    shown = mxtvhf("info", "--quarantine", MXTVHF_STATE=settings.home).stdout
    assert f"inbox bad.json: {notice.reason} (8 bytes" in shown
    unreadable.dismiss(notice.sha256, by="ada", now=datetime.now(UTC))
    assert [note.input for note in unreadable.open()] == ["inbox a.xml"]


def test_a_damaged_index_of_notices_hides_no_input_of_the_quarantine(archive, unreadable):
    archive.quarantine(b"no notice", name="inbox a.xml", reason="not well-formed XML")
    (archive.root / "sky").mkdir()
    (archive.root / "sky" / INDEX).write_bytes(b"no index" * 1000)
    assert [note.input for note in unreadable.open()] == ["inbox a.xml"]


def test_an_input_outside_the_quarantine_cannot_be_dismissed(unreadable):
    with pytest.raises(InvalidInput, match="abab: no unreadable input"):
        unreadable.dismiss("ab" * 32, by="ada", now=datetime.now(UTC))


def test_the_page_lists_input_and_reason_and_only_a_burst_advocate_may_dismiss(archive, unreadable):
    archive.quarantine(b"no notice", name=f"inbox {HOSTILE}.xml", reason=f"line 3 {HOSTILE}")
    notes = unreadable.open()
    html = render_unreadable(notes, base="/air/mxtvhf", viewer=Viewer("ada", may_decide=True))
    assert HOSTILE not in html
    assert "line 3 &lt;script&gt;" in html
    (button,) = [one for one in Elements(html).named("button") if "data-dismiss" in one]
    assert button["data-dismiss"] == f"/air/mxtvhf/desk/unreadable/{notes[0].sha256}"
    assert "data-dismiss" not in render_unreadable(notes, base="", viewer=Viewer("eve", may_decide=False))
    assert "All inputs OK." in render_unreadable([], base="")
