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
        for option in (
            ["--column", "colour=x"], ["--column", "ra=ra,ra=dec"], ["--column", "ra=dec"], ["--unit", "ra"],
            ["--unit", "name=deg"], ["--error-is", "r50"], ["--error", "0"], ["--error", "nan"],
            ["--error", "1e9"],
            ["--flux-band", "10", "0.2"], ["--flux-band", "0", "2"], ["--flux-band", "nan", "2"],
            ["--frame", "x"],
            ["--unit", "flux=erg", "--flux-unit", "erg/s"], ["--table", "2"],
        ):  # fmt: skip
            assert isinstance(run("add", file, "--name", "a", *option).exception, InvalidInput)

    def test_what_is_not_certain_is_confirmed(self, tmp_path, run):
        file = write_csv(tmp_path / "a.csv", "ra,dec,poserr", "100,-20,5")
        assert "--yes" in str(run("add", file, "--name", "a").exception)
        assert (
            "confirmed    poserr is assumed to be sigma (--error-is KIND)"
            in run("add", file, "--name", "a", "--yes").output
        )

    def test_a_file_name_that_is_not_utf8(self, tmp_path, run):
        file = write_csv(tmp_path / "caf\udce9.csv", "ra,dec,r90", "100,-20,5")
        assert run("add", file, "--name", "a").exit_code == 0
        assert r"caf\xe9.csv" in run("list").output
        assert json.loads(run("add", file, "--name", "a", "--json").output)["file"] == r"caf\xe9.csv"

    def test_removed_only_when_confirmed(self, tmp_path, run):
        run("add", write_csv(tmp_path / "a.csv", "ra,dec,r90", "100,-20,5"), "--name", "a")
        assert "not removed; confirm with --yes" in str(run("remove", "a").exception)
        assert run("disable", "a").exit_code == 0
        assert "a 1: 1 sources, a.csv; disabled" in run("list").output
        assert json.loads(run("list", "--json").output)[1]["disabled"]
        assert "no version is left" in run("remove", "a", "--yes").output

    def test_damage_ends_with_status_1(self, tmp_path, run):
        run("add", write_csv(tmp_path / "a.csv", "ra,dec,r90", "10,-20,5"), "--name", "a")
        path = data_file(tmp_path / "state" / "catalogues", "a", 1)
        path.chmod(0o644)
        path.write_bytes(b"")
        assert run("list", "--check").exit_code == 1
        assert "DAMAGED" in run("list", "--check").output
        assert "NOT CHECKED" in run("search", 10, -20, 60).output
