"""``mxtvhf info`` and ``start`` without Airflow."""

import json

import pytest

from mxtvhf.archive.archive import Archive
from mxtvhf.cli import runs
from mxtvhf.errors import Failure
from support.commands import mxtvhf


def test_data_of_the_state_folder_are_shown_without_airflow(tmp_path):
    Archive(tmp_path / "archive").quarantine(b"junk", name="inbox junk\udce9.xml", reason="not XML")
    done = mxtvhf("info", "--quarantine", MXTVHF_STATE=tmp_path)
    assert done.returncode == 0, done.stderr
    assert r"inbox junk\xe9.xml: not XML (4 bytes" in done.stdout
    (note,) = json.loads(mxtvhf("info", "--quarantine", "--json", MXTVHF_STATE=tmp_path).stdout)
    assert note["reason"] == "not XML"
    for what in ("--gaps", "--latency"):
        assert mxtvhf("info", what, MXTVHF_STATE=tmp_path).returncode == 0


def test_without_a_state_folder_airflow_is_asked(tmp_path):
    done = mxtvhf("info", "--quarantine", MXTVHF_STATE=tmp_path)
    assert done.returncode == 2
    assert "passwords.json: the password cannot be read" in done.stderr


@pytest.mark.parametrize("what", ["sb26030704/../x", "a b", "\udce9", "x" * 300, "sb1\n"])
def test_an_invalid_id_is_rejected_without_airflow(tmp_path, what):
    (tmp_path / "word").write_text("word")
    done = mxtvhf("info", what, MXTVHF_STATE=tmp_path, MXTVHF_AIRFLOW_PASSWORD_FILE=tmp_path / "word")
    assert done.returncode == 2
    assert "expected a burst id (sb26030704) or a run id" in done.stderr


def test_start_names_all_files_of_the_input(tmp_path, monkeypatch):
    posted = []

    class Api:
        def post(self, path, body):
            posted.append((path, body))
            raise Failure("enough")

    monkeypatch.setattr(runs, "airflow", Api)
    files = {name: tmp_path / name for name in ("alert.xml", "packets.bin", "attitude.fits")}
    for path in files.values():
        path.write_bytes(b"<a/>" if path.suffix == ".xml" else b"x")
    with pytest.raises(Failure, match="enough"):
        runs.start(
            files["alert.xml"], files["packets.bin"], attitude=files["attitude.fits"], burst="sb26030704"
        )
    ((path, body),) = posted
    assert path == "/mxtvhf/processing"
    assert [body[key] for key in ("alert", "packets", "attitude")] == [one.as_uri() for one in files.values()]
