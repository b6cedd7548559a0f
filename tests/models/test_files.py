import os

import pytest

from mxtvhf.models.files import file_inside, write_atomically, write_once


def test_a_file_written_once_stays(tmp_path):
    assert write_once(tmp_path / "file", b"first")
    assert not write_once(tmp_path / "file", b"second")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"first"]


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    target = tmp_path / "folder" / "file"
    write_atomically(target, b"old")

    def no_space(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(target.parent.iterdir()) == [target]


def test_a_written_file_is_readable_by_others(tmp_path):
    write_atomically(tmp_path / "file", b"x")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "link", "below", "missing", "a\0b", "a" * 300])
def test_no_name_leads_to_a_file_outside_the_folder(tmp_path, name):
    folder = tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "page").write_text("page")
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    assert file_inside(folder, "below/page") == folder / "below" / "page"
    assert file_inside(folder, name) is None
