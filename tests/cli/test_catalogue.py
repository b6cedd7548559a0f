import json

import pytest
from typer.testing import CliRunner

from mxtvhf.catalogues.version import data_file
from mxtvhf.cli.main import app
from mxtvhf.errors import InvalidInput
from support.catalogues import write_csv


class TestCommand:
    @pytest.fixture
    def run(self, tmp_path, monkeypatch):
        monkeypatch.setenv("MXTVHF_STATE", str(tmp_path / "state"))
        return lambda *arguments: CliRunner().invoke(app, ["catalogue", *map(str, arguments)])

    def test_add_list_search(self, tmp_path, run):
        file = write_csv(tmp_path / "a.csv", "who,ra,dec,r", "A,10,-20,5", "B,nan,1,1")
        options = [
            "--name",
            "mine",
            "--column",
            "name=who,error=r",
            "--error-is",
            "r90",
            "--unit",
            "error=arcmin",
        ]
        done = run("add", file, *options, "--reference", "Me 2026")
        assert "1 sources of 2 rows" in done.output
        assert "1 with no position" in done.output
        assert "mine 1: 1 sources, Me 2026" in run("list", "--check").output
        found = json.loads(run("search", 10, -20.05, 60, "--catalogue", "mine", "--json").output)
        assert found[0]["sources"][0]["name"] == "A"
        assert found[0]["sources"][0]["r90_arcsec"] == 300.0
        assert "A" in run("search", 10, -20, 60).output

    def test_wrong_options(self, tmp_path, run):
        file = write_csv(tmp_path / "a.csv", "ra,dec,r90", "10,-20,5")
        for option in (["--column", "colour=x"], ["--unit", "ra"], ["--error-is", "r50"]):
            assert isinstance(run("add", file, "--name", "a", *option).exception, InvalidInput)

    def test_damage_ends_with_status_1(self, tmp_path, run):
        run("add", write_csv(tmp_path / "a.csv", "ra,dec,r90", "10,-20,5"), "--name", "a")
        path = data_file(tmp_path / "state" / "catalogues", "a", 1)
        path.chmod(0o644)
        path.write_bytes(b"")
        assert run("list", "--check").exit_code == 1
        assert "DAMAGED" in run("list", "--check").output
        assert "NOT CHECKED" in run("search", 10, -20, 60).output
