import os

import pytest

from mxtvhf.archive import disk
from mxtvhf.archive.disk import once_there_is_room


def write_to_a_full_disk():
    # Every write to this Linux device fails with this error.
    with open("/dev/full", "wb", buffering=0) as full:
        full.write(b"1")


def test_work_is_retried_until_the_disk_has_room(monkeypatch):
    monkeypatch.setattr(disk, "PAUSE_S", 0.0)
    full, told = [True, True, False], []

    def work():
        if full.pop(0):
            write_to_a_full_disk()
        return "done"

    assert once_there_is_room(work, told.append) == "done"
    assert full == []
    assert told == ["[Errno 28] No space left on device; trying again in 0 s"] * 2


def test_other_errors_are_raised_at_once(tmp_path):
    with pytest.raises(FileNotFoundError):
        once_there_is_room(lambda: os.listdir(tmp_path / "absent"), print)
