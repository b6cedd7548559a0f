"""TOML loader: each error is one line with file, key, the value found and the value expected."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import AwareDatetime, Field, ValidationError

from mxtvhf.errors import InvalidInput
from mxtvhf.models.base import Model
from mxtvhf.models.quantities import BandKev, GridKev, Positive
from mxtvhf.models.toml import Constants, SourcedConstants, read_toml

GOOD = """\
valid_from = 2020-01-01T00:00:00Z
[gain]
source = "a test"
assumed = false
kev_per_channel = 0.01
channels = 4096
[spectrum]
band_kev = [0.3, 10]
grid_kev = [0.2, 1.0, 5.0]
"""


class GainTable(SourcedConstants):
    kev_per_channel: float = Field(gt=0.0, le=0.1)
    channels: int


class SpectrumTable(Constants):
    band_kev: BandKev
    grid_kev: GridKev
    gap: Positive | None = None


class File(Constants):
    valid_from: AwareDatetime
    gain: GainTable
    spectrum: SpectrumTable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "some.toml").write_text(GOOD)
    return tmp_path / "some.toml"


def faults(path: Path, **options: bool) -> list[str]:
    """Return the lines of the error without the file name at their start."""
    with pytest.raises(InvalidInput) as caught:
        read_toml(path, File, **options)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines)
    return [line.removeprefix(f"{path}: ") for line in lines]


def test_values_arrive_typed_and_frozen(path):
    found = read_toml(path, File)
    assert found.spectrum.band_kev == (0.3, 10.0)
    assert found.spectrum.gap is None
    assert isinstance(found.spectrum.band_kev[1], float)
    assert found.valid_from.utcoffset().total_seconds() == 0.0
    assert hash(found) == hash(read_toml(path, File))
    with pytest.raises(ValidationError, match="frozen"):
        found.gain.channels = 1


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("channels =", "chanels =", ["gain.channels: missing", "gain.chanels: unknown key"]),
        ("channels = 4096\n", "", ["gain.channels: missing"]),
        ("[gain]", "[gains]", ["gain: missing", "gains: unknown key"]),
        (
            "kev_per_channel",
            "ev_per_channel",
            ["gain.kev_per_channel: missing", "gain.ev_per_channel: unknown key"],
        ),
        ("0.01", "10.0", ["gain.kev_per_channel: found 10.0, expected a value less than or equal to 0.1"]),
        ("0.01", "-0.01", ["gain.kev_per_channel: found -0.01, expected a value greater than 0"]),
        ("0.01", "nan", ["gain.kev_per_channel: found nan, expected a finite number"]),
        ("0.01", '"0.01"', ["gain.kev_per_channel: found '0.01', expected a valid number"]),
        ("4096", "4096.0", ["gain.channels: found 4096.0, expected a valid integer"]),
        ("4096", "true", ["gain.channels: found True, expected a valid integer"]),
        ("false", "0", ["gain.assumed: found 0, expected a valid boolean"]),
        ('"a test"', '""', ["gain.source: found '', expected at least 1 character"]),
        ("0:00Z", "0:00", ["valid_from: found 2020-01-01 00:00:00, expected timezone info"]),
        (
            "[0.3, 10]",
            "[300.0, 10_000.0]",
            [
                "spectrum.band_kev.0: found 300.0, expected a value less than or equal to 100",
                "spectrum.band_kev.1: found 10000.0, expected a value less than or equal to 100",
            ],
        ),
        ("[0.3, 10]", "[10, 0.3]", ["spectrum.band_kev: expected ascending numbers, found 10.0 before 0.3"]),
        ("[0.3, 10]", "[0.3]", ["spectrum.band_kev.1: missing"]),
        ("1.0, 5.0", "1.0, 1.0", ["spectrum.grid_kev: expected ascending numbers, found 1.0 before 1.0"]),
        ("[0.3, 10]", "0.3", ["spectrum.band_kev: found 0.3, expected a valid tuple"]),
    ],
)  # fmt: skip
def test_each_error_names_its_key(path, old, new, expected):
    assert GOOD.count(old) == 1
    path.write_text(GOOD.replace(old, new))
    assert faults(path) == expected


def test_all_errors_are_reported_at_once(path):
    path.write_text(GOOD.replace("0.01", "2.5").replace("4096", "1e3").replace("false", '"no"'))
    assert [line.partition(":")[0] for line in faults(path)] == [
        "gain.assumed",
        "gain.kev_per_channel",
        "gain.channels",
    ]


def test_a_long_value_is_shortened(path):
    path.write_text(GOOD.replace("4096", repr("x" * 1000)))
    (line,) = faults(path)
    assert len(line) < 120


def test_values_can_be_kept_out_of_the_message(path):
    path.write_text(GOOD.replace("4096", '"canary"'))
    assert faults(path, show_values=False) == ["gain.channels: expected a valid integer"]


def test_a_model_that_is_not_strict_accepts_text(tmp_path):
    class Named(Model):
        folder: Path
        topics: tuple[str, ...]

    path = tmp_path / "named.toml"
    path.write_text('folder = "/data"\ntopics = ["a", "b"]\n')
    assert read_toml(path, Named) == Named(folder=Path("/data"), topics=("a", "b"))


@pytest.mark.parametrize("content", [b"valid_from = ", b"a = 1\na = 2\n", b"[gain\n", b"\xff\xfea = 1\n"])
def test_what_is_not_toml_is_refused(path, content):
    path.write_bytes(content)
    (line,) = faults(path)
    assert line.startswith("not TOML: ")


def test_utf_8_is_read_whatever_the_locale(path, monkeypatch):
    monkeypatch.setenv("LC_ALL", "C")
    path.write_bytes(GOOD.replace("a test", "Götz").encode())
    assert read_toml(path, File).gain.source == "Götz"
    path.write_bytes(GOOD.replace("a test", "Götz").encode("latin-1"))
    assert faults(path)[0].startswith("not TOML: 'utf-8' codec can't decode byte 0xf6")


def test_an_empty_file_lacks_every_key(path):
    path.write_text("")
    assert faults(path) == ["valid_from: missing", "gain: missing", "spectrum: missing"]


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    assert faults(tmp_path / "absent.toml") == ["cannot be read: No such file or directory"]
    assert faults(tmp_path) == ["cannot be read: Is a directory"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_named(path):
    path.chmod(0)
    assert faults(path) == ["cannot be read: Permission denied"]
