"""The inbox takes in only complete files."""

import errno
import os
import socket

import pytest

from mxtvhf.intake.inbox import ASIDE, PATIENCE_S, Inbox
from mxtvhf.intake.spool import Spool


@pytest.fixture
def inbox(tmp_path):
    kept, refused = [], []
    box = Inbox(tmp_path / "inbox", kept.append, lambda message, reason: refused.append(reason))
    box.folder.mkdir()
    box.kept, box.refused = kept, refused
    return box


@pytest.fixture
def permissions(tmp_path):
    """Skip a test if permissions have no effect, for example for root."""
    probe = tmp_path / "probe"
    probe.touch(mode=0)
    if os.access(probe, os.R_OK):
        pytest.skip("this user may read and write everything")


def scan(inbox, times=3):
    for _ in range(times):
        inbox.scan()


def names_in(folder):
    return sorted(os.fsencode(path.name) for path in folder.rglob("*") if not path.is_dir())


def test_a_file_replaced_while_the_first_is_stored_is_taken_too(tmp_path):
    """A sender may use one name for all messages; the second was removed unread."""
    kept, path = [], tmp_path / "packets.bin"

    def keep(message):
        kept.append(message.raw)
        if len(kept) == 1:
            (tmp_path / ".next").write_bytes(b"second")
            (tmp_path / ".next").replace(path)

    path.write_bytes(b"first")
    scan(Inbox(tmp_path, keep, lambda message, reason: None), times=5)
    assert kept == [b"first", b"second"]
    assert not list(tmp_path.iterdir())


ODD_NAMES = {
    b"caf\xe9.xml": r"caf\xe9.xml",
    b"\xff\xfe.bin": r"\xff\xfe.bin",
    b"a\nCRITICAL forged\r\x1b[2J.xml": r"a\nCRITICAL forged\r\x1b[2J.xml",
    b"\xed\xb3\xa9.xml": r"\xed\xb3\xa9.xml",
    b"tab\tand space .xml": r"tab\tand space .xml",
    "\u202eevil.vhf".encode(): r"\u202eevil.vhf",
    "\u00e9t\u00e9.xml".encode(): "\u00e9t\u00e9.xml",
    b"x" * 251 + b".xml": "x" * 251 + ".xml",
    b"ALERT.XML": "ALERT.XML",
    b"Packets.Bin": "Packets.Bin",
    b"-rf *.xml": "-rf *.xml",
}


@pytest.mark.parametrize("name", ODD_NAMES, ids=repr)
def test_files_with_any_name_are_taken_in_and_logged_with_escapes(inbox, tmp_path, name, caplog):
    (inbox.folder / os.fsdecode(name)).write_bytes(b"<a/>")
    (inbox.folder / "zzz.xml").write_bytes(b"<b/>")
    scan(inbox)
    assert {message.source for message in inbox.kept} == {f"inbox {ODD_NAMES[name]}", "inbox zzz.xml"}
    assert names_in(inbox.folder) == []
    room = Spool(tmp_path / "archive")
    room.keep(inbox.kept[0])
    assert [room.read(path) for path in room.waiting()] == inbox.kept[:1]
    assert not caplog.messages


@pytest.mark.slow
def test_too_deeply_nested_folders_do_not_affect_other_files(inbox):
    home = os.open(".", os.O_RDONLY)
    try:
        os.chdir(inbox.folder)
        for _ in range(1200):  # deeper than calls may be nested, and than a path may be long
            os.mkdir("d")
            os.chdir("d")
        with open("deep.xml", "w"):
            pass
        os.fchdir(home)
        (inbox.folder / "zzz.xml").write_bytes(b"<b/>")
        scan(inbox)
        assert [message.source for message in inbox.kept] == ["inbox zzz.xml"]
    finally:
        remove_nested(inbox.folder)
        os.fchdir(home)
        os.close(home)


def remove_nested(folder):
    """Remove ``d/d/d/...``, which is too deep for a path."""
    os.chdir(folder)
    depth = 0
    while os.path.isdir("d"):
        os.chdir("d")
        depth += 1
    os.unlink("deep.xml")
    for _ in range(depth):
        os.chdir("..")
        os.rmdir("d")


def test_an_unreadable_entry_is_moved_aside_once_with_the_reason(inbox, tmp_path, caplog):
    (tmp_path / "secret.xml").write_bytes(b"<secret/>")
    (inbox.folder / "link.xml").symlink_to(tmp_path / "secret.xml")
    (inbox.folder / "nowhere.bin").symlink_to(tmp_path / "nowhere")
    (inbox.folder / "loop.bin").symlink_to("loop.bin")
    os.mkfifo(inbox.folder / "pipe.xml")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(inbox.folder / "s.vhf"))
        (inbox.folder / "folder.xml").mkdir()
        (inbox.folder / "zzz.xml").write_bytes(b"<b/>")
        scan(inbox, times=5)
    assert [message.source for message in inbox.kept] == ["inbox zzz.xml"]
    assert [reason.split(":")[0] for reason in inbox.refused] == [
        f"inbox {name}" for name in ("link.xml", "loop.bin", "nowhere.bin", "pipe.xml", "s.vhf")
    ]
    expected = "expected a regular file; the file was moved to .set-aside"
    assert all(expected in reason for reason in inbox.refused)
    assert names_in(inbox.folder / ASIDE) == names_in(inbox.folder)
    assert len(names_in(inbox.folder)) == 5
    assert (tmp_path / "secret.xml").read_bytes() == b"<secret/>"


@pytest.mark.usefixtures("permissions")
def test_an_unreadable_file_is_taken_in_when_readable_and_moved_aside_later(inbox, monkeypatch):
    for name in ("a.xml", "b.xml"):
        (inbox.folder / name).write_bytes(b"<a/>")
        (inbox.folder / name).chmod(0)
    scan(inbox)
    assert (inbox.kept, inbox.refused) == ([], [])
    (inbox.folder / "b.xml").chmod(0o600)
    scan(inbox)
    assert [message.source for message in inbox.kept] == ["inbox b.xml"]
    later = (inbox.folder / "a.xml").stat().st_ctime + PATIENCE_S + 1.0
    monkeypatch.setattr("mxtvhf.intake.inbox.time.time", lambda: later)
    scan(inbox, times=5)
    (reason,) = inbox.refused
    assert reason.startswith("inbox a.xml: cannot be read: Permission denied")
    assert names_in(inbox.folder) == [b"a.xml"]


@pytest.mark.usefixtures("permissions")
def test_a_file_that_cannot_be_removed_is_stored_and_logged_once(inbox, caplog):
    folder = inbox.folder / "of another"
    folder.mkdir()
    (folder / "a.xml").write_bytes(b"<a/>")
    os.mkfifo(folder / "b.xml")
    (inbox.folder / "zzz.xml").write_bytes(b"<b/>")
    folder.chmod(0o500)
    scan(inbox, times=6)
    folder.chmod(0o700)
    assert [message.raw for message in inbox.kept] == [b"<a/>", b"<b/>"]
    assert len(inbox.refused) == 1
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 2
    assert "was stored but cannot be removed" in errors[0]


@pytest.mark.usefixtures("permissions")
def test_a_folder_that_cannot_be_read_is_logged_once_and_the_others_are_watched(inbox, caplog):
    (inbox.folder / "closed").mkdir(mode=0)
    (inbox.folder / "zzz.xml").write_bytes(b"<b/>")
    scan(inbox, times=4)
    assert len(inbox.kept) == 1
    assert len([text for text in caplog.messages if "not watched" in text]) == 1


def test_a_file_is_taken_in_when_it_no_longer_changes(inbox):
    path = inbox.folder / "sb26030704" / "alert.xml"
    path.parent.mkdir()
    path.write_bytes(b"<a>")
    inbox.scan()
    assert inbox.kept == []
    inbox.scan()
    (message,) = inbox.kept
    assert (message.raw, message.source) == (b"<a>", "inbox sb26030704/alert.xml")
    assert not path.exists()


def test_an_attitude_product_is_taken_in_like_packets(inbox):
    (inbox.folder / "attitude.FITS").write_bytes(b"SIMPLE  =")
    scan(inbox)
    assert [message.raw for message in inbox.kept] == [b"SIMPLE  ="]


def test_a_file_that_is_being_written_is_not_taken_in(inbox):
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


def test_other_files_and_hidden_ones_stay_and_are_logged_once(inbox, caplog):
    caplog.set_level("INFO")
    for name in ("notes.txt", ".alert.xml", "alert.xml.part", "bell\a.txt"):
        (inbox.folder / name).write_bytes(b"x")
    scan(inbox)
    assert inbox.kept == []
    assert len(list(inbox.folder.iterdir())) == 4
    assert len(caplog.messages) == 3
    assert all(text.isprintable() for text in caplog.messages)


def test_a_file_that_cannot_be_stored_stays_in_the_inbox(inbox):
    path = inbox.folder / "alert.xml"
    path.write_bytes(b"<a/>")
    inbox.scan()

    def full(message):
        raise OSError(errno.ENOSPC, "no space left on device")

    inbox._keep = full
    with pytest.raises(OSError, match="no space"):
        inbox.scan()
    assert path.read_bytes() == b"<a/>"
