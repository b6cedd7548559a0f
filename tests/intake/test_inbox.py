"""The inbox takes what is complete, and only that."""

import os

import pytest

from mxtvhf.intake.inbox import Inbox


@pytest.fixture
def inbox(tmp_path):
    kept = []
    box = Inbox(tmp_path / "inbox", kept.append)
    box.folder.mkdir()
    box.kept = kept
    return box


def test_a_file_is_taken_when_it_no_longer_changes(inbox):
    path = inbox.folder / "sb26030704" / "alert.xml"
    path.parent.mkdir()
    path.write_bytes(b"<a>")
    inbox.scan()
    assert inbox.kept == []
    inbox.scan()
    (message,) = inbox.kept
    assert (message.raw, message.source) == (b"<a>", "inbox sb26030704/alert.xml")
    assert not path.exists()


def test_a_file_that_is_still_written_is_not_taken(inbox):
    path = inbox.folder / "packets.bin"
    with path.open("wb") as file:
        file.write(b"half")
        file.flush()
        for _ in range(4):
            inbox.scan()
        assert inbox.kept == []
        file.write(b" and half")
    for _ in range(2):
        inbox.scan()
    assert [message.raw for message in inbox.kept] == [b"half and half"]


def test_other_files_hidden_ones_and_links_stay(inbox, tmp_path):
    (tmp_path / "secret.xml").write_bytes(b"<secret/>")
    for name in ("notes.txt", ".alert.xml", "alert.xml.part"):
        (inbox.folder / name).write_bytes(b"x")
    (inbox.folder / "link.xml").symlink_to(tmp_path / "secret.xml")
    os.mkfifo(inbox.folder / "pipe.xml")
    for _ in range(3):
        inbox.scan()
    assert inbox.kept == []
    assert len(list(inbox.folder.iterdir())) == 5


def test_what_cannot_be_kept_stays_in_the_inbox(inbox):
    path = inbox.folder / "alert.xml"
    path.write_bytes(b"<a/>")
    inbox.scan()

    def full(message):
        raise OSError("no space left on device")

    inbox._keep = full
    with pytest.raises(OSError, match="no space"):
        inbox.scan()
    assert path.read_bytes() == b"<a/>"
