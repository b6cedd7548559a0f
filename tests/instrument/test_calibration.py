"""Calibration files: reading, validation, and selection of the valid one."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.errors import InvalidInput
from mxtvhf.instrument.calibration import (
    CalibrationStore,
    Gain,
    default_calibration,
    packaged_folder,
    packaged_store,
)
from support.project import PROJECT

LISTS = "pixels = {}\ncolumns = {}\nrows = {}\n"
NOW = datetime(2026, 5, 11, tzinfo=UTC)
HEAD = 'valid_from = {start}\nassumed = false\nsource = "a test"\n'
VALUES = {
    "psf": "core_fwhm_arcmin = 8.0\ncore_fwhm_sigma = 0.1\narm_half_length_pixel = 511.0\neta = 0.4\n",
    "effective_area": "energy_kev = [0.2, 1.0]\narea_cm2 = [10.0, 20.0]\n",
    "gain": "kev_per_channel = 0.01\noffset_kev = 0.1\nreference_temperature_k = 200\n"
    "kev_per_channel_per_k = 1e-5\n",
    "redistribution": "pair_energy_ev = 3.65\nnoise_electrons_rms = 4.9\nfano_factor = 0.131\n",
    "bad_pixels": "pixels = [[7, 9]]\ncolumns = [250]\nrows = [0, 1]\n",
    "alignment": "column = 100.5\nrow = 90.0\nrotation_deg = 1.0\ncolumn_parity = 1\n"
    "systematic_r90_arcsec = 10.0\n",
    "background": "rate_per_s = 0.3\n",
}


def write(
    folder: Path,
    item: str,
    version: str = "001",
    *,
    values: str | None = None,
    start: str = "2020-01-01T00:00:00Z",
    until: str | None = None,
) -> Path:
    folder.mkdir(exist_ok=True)
    text = f'item = "{item}"\nversion = "{version}"\n' + HEAD.format(start=start)
    text += f"valid_until = {until}\n" if until else ""
    path = folder / f"{item}_{version}.toml"
    path.write_text(text + (VALUES[item] if values is None else values))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one file of each item."""
    for item in VALUES:
        write(tmp_path / "mine", item)
    return tmp_path / "mine"


def test_the_packaged_files_cover_the_mission_and_each_names_its_source():
    for moment in (datetime(2017, 1, 1, tzinfo=UTC), datetime(2024, 6, 22, 7, tzinfo=UTC), NOW):
        found = packaged_store().at(moment)
        assert all(file.valid_at(moment) and len(file.source) > 20 for file in found.files().values())
    assert set(found.versions()) == set(VALUES)
    assert default_calibration() == found


def test_the_systematic_error_of_the_position_changes_in_august_2025():
    change = datetime(2025, 8, 1, tzinfo=UTC)
    before = packaged_store().at(change - timedelta(milliseconds=1)).alignment
    after = packaged_store().at(change).alignment
    assert (before.systematic_r90_arcsec, after.systematic_r90_arcsec) == (35.0, 25.0)
    assert (before.version, after.version) == ("001", "002")


def test_values_arrive_as_written(folder):
    found = CalibrationStore(folder).at(NOW)
    assert found.psf.core_fwhm_arcmin == 8.0
    assert found.alignment.column_parity == 1
    assert not found.background.assumed
    store = CalibrationStore(folder)
    assert store.path_of(store.at(NOW).gain) == folder / "gain_001.toml"


def test_the_highest_version_valid_at_the_moment_is_taken(folder):
    write(folder, "psf", "002", until="2026-01-01T00:00:00Z")
    write(folder, "psf", "002-wide", start="2024-01-01T00:00:00Z", until="2025-01-01T00:00:00Z")
    write(folder, "psf", "010", start="2030-01-01T00:00:00Z")
    store = CalibrationStore(folder)
    taken = {
        year: store.at(datetime(year, 6, 1, tzinfo=UTC)).psf.version for year in (2023, 2024, 2025, 2026)
    }
    assert taken == {2023: "002", 2024: "002-wide", 2025: "002", 2026: "001"}
    assert store.at(datetime(2031, 1, 1, tzinfo=UTC)).psf.version == "010"


def test_a_file_is_valid_from_its_first_moment_to_before_its_last(folder):
    write(folder, "gain", "002", start="2026-01-01T00:00:00Z", until="2026-01-02T00:00:00Z")
    store = CalibrationStore(folder)
    first, last = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    tick = timedelta(microseconds=1)
    versions = [store.at(moment).gain.version for moment in (first - tick, first, last - tick, last)]
    assert versions == ["001", "002", "002", "001"]


def test_a_later_folder_has_priority_if_it_has_a_valid_file(tmp_path):
    own = write(tmp_path / "own", "psf", "000-own", until="2026-06-01T00:00:00Z")
    store = CalibrationStore(packaged_folder(), own.parent)
    assert store.at(NOW).psf.core_fwhm_arcmin == 8.0
    assert store.at(NOW).gain == packaged_store().at(NOW).gain
    later = datetime(2026, 7, 1, tzinfo=UTC)
    assert store.at(later).psf == packaged_store().at(later).psf


def test_two_different_files_of_one_version_are_refused(tmp_path):
    write(tmp_path / "own", "psf", "001")
    with pytest.raises(InvalidInput, match=r"own/psf_001.toml: .*caldb/psf_001.toml is a different psf 001"):
        CalibrationStore(packaged_folder(), tmp_path / "own")


def test_a_copy_of_a_file_is_not_a_conflict(tmp_path):
    for path in packaged_folder().glob("psf_*.toml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert CalibrationStore(packaged_folder(), tmp_path).at(NOW) == packaged_store().at(NOW)


def test_an_item_without_a_valid_file_is_named(folder):
    write(folder, "psf", until="2026-01-01T00:00:00Z")
    with pytest.raises(InvalidInput, match=r"no psf file is valid at 2026-05-11T00:00:00.000Z"):
        CalibrationStore(folder).at(NOW)


@pytest.mark.parametrize("content", ["", None])
def test_a_folder_without_files_is_refused(tmp_path, content):
    missing = tmp_path / "nothing"
    if content is not None:
        missing.mkdir()
        (missing / "notes.txt").write_text(content)
    with pytest.raises(
        InvalidInput, match="nothing: no calibration file found; MXTVHF_CALIBRATION must name"
    ):
        CalibrationStore(missing)


@pytest.mark.parametrize(
    ("item", "values", "cause"),
    [
        ("psf", VALUES["psf"].replace("8.0", "-8.0"), "fwhm_arcmin: found -8.0, expected a value"),
        ("psf", VALUES["psf"].replace("8.0", "nan"), "core_fwhm_arcmin: found nan, expected"),
        ("psf", VALUES["psf"].replace("eta = 0.4", ""), "eta: missing"),
        ("psf", VALUES["psf"] + "etta = 1\n", "etta: unknown key"),
        ("effective_area", "energy_kev = [1.0, 0.2]\narea_cm2 = [1, 2]\n", "found 1.0 before 0.2"),
        ("effective_area", "energy_kev = [1.0, 1.0]\narea_cm2 = [1, 2]\n", "found 1.0 before 1.0"),
        ("effective_area", "energy_kev = [0.2, 1.0]\narea_cm2 = [1]\n", "of 2 energies, found 1"),
        ("effective_area", "energy_kev = [0.2, 1.0]\narea_cm2 = [1, -2]\n", "area_cm2.1: found -2, expected"),
        ("gain", VALUES["gain"].replace("0.01", "0.0"), "kev_per_channel: found 0.0, expected a value"),
        ("gain", VALUES["gain"].replace("0.1", "inf"), "offset_kev: found inf, expected a finite number"),
        ("redistribution", VALUES["redistribution"].replace("4.9", "-1"), "rms: found -1, expected"),
        ("bad_pixels", LISTS.format([[256, 0]], [], []), r"column 256 is outside the detector"),
        ("bad_pixels", LISTS.format([], [], [-1]), r"row -1 is outside the detector; expected 0 to 255"),
        ("bad_pixels", LISTS.format([[1, 2, 3]], [], []), r"pixels.0: found \(1, 2, 3\), expected at most 2"),
        ("alignment", VALUES["alignment"].replace("100.5", "300.5"), "column 300.5, row 90.0: the boresight"),
        ("alignment", VALUES["alignment"].replace("parity = 1", "parity = 2"), "parity: found 2, expected"),
        (
            "background",
            'rate_per_s = 0.3\nknown_as_photons = 9.0\n[[lines]]\nname = "Al K"\nenergy_kev = 1.487\n'
            "through_optics = false\npart = 0.4\n",
            "the sum of part over all components is 0.4; expected 1",
        ),
        ("background", "rate_per_s = -1\n", "rate_per_s: found -1, expected a value greater than"),
        ("background", "rate_per_s = [1\n", "not TOML"),
        ("background", "valid_from = 2020-01-01T00:00:00Z\n", "not TOML"),
    ],
)  # fmt: skip
def test_an_invalid_file_is_refused_in_one_line_with_name_and_cause(tmp_path, item, values, cause):
    path = write(tmp_path, item, values=values)
    with pytest.raises(InvalidInput, match=cause) as error:
        CalibrationStore(tmp_path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ('item = "psf"', 'item = "pfs"', "item: found 'pfs', expected 'psf'"),
        ('version = "001"', 'version = "1"', "version: found '1', expected pattern"),
        ('version = "001"', 'version = "002"', "contains psf 002; rename it to psf_002.toml"),
        ("00:00Z\n", "00:00\n", "valid_from: found .*, expected timezone info"),
        (
            "assumed = false\n",
            "valid_until = 2019-01-01T00:00:00Z\nassumed = false\n",
            "valid_until .* is not after valid_from",
        ),
        ('source = "a test"\n', "", "source: missing"),
        ("assumed = false\n", "", "assumed: missing"),
    ],
)
def test_a_wrong_head_is_refused(tmp_path, old, new, cause):
    path = write(tmp_path, "psf")
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InvalidInput, match=cause) as error:
        CalibrationStore(tmp_path)
    assert str(error.value).startswith(f"{path}: ")


def test_a_file_is_named_after_its_item(tmp_path):
    path = write(tmp_path, "psf").rename(tmp_path / "pfs_001.toml")
    with pytest.raises(
        InvalidInput,
        match=r"unknown item 'pfs'; rename it .* with one of the items psf,",
    ):
        CalibrationStore(path.parent)


def test_every_fault_of_a_file_is_named(tmp_path):
    path = write(tmp_path, "gain", values=VALUES["gain"].replace("kev_per_channel =", "ev_per_channel ="))
    with pytest.raises(InvalidInput) as error:
        CalibrationStore(tmp_path)
    assert str(error.value).splitlines() == [
        f"{path}: kev_per_channel: missing",
        f"{path}: ev_per_channel: unknown key",
    ]


def test_bytes_that_are_not_text_are_refused(tmp_path):
    (tmp_path / "psf_001.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match=r"psf_001.toml: not TOML"):
        CalibrationStore(tmp_path)


def test_the_effective_area_is_interpolated_and_constant_beyond_its_ends():
    area = default_calibration().effective_area
    assert area.at(1.0) == pytest.approx(47.9832)
    assert area.at([0.1, 0.24, 12.0]) == pytest.approx([54.9508, (54.9508 + 52.6134) / 2, 3.5449])


def test_the_resolution_is_that_measured_on_ground():
    """75 eV at 1.5 keV, within the 80 eV of Schneider et al. 2022."""
    fwhm = default_calibration().redistribution.fwhm
    assert fwhm(1.49) == pytest.approx(0.075, abs=0.001)
    assert fwhm(6.4) > fwhm(1.49) > fwhm(0.28)


@given(st.floats(-1.0, 12.0), st.floats(-30.0, 30.0))
def test_energy_and_channel_are_inverse_at_any_temperature(energy, warmer):
    gain = _gain(1e-5)
    temperature = 200.0 + warmer
    assert gain.energy(gain.channel(energy, temperature), temperature) == pytest.approx(energy, abs=1e-12)


def test_the_gain_is_linear_in_pulse_height_and_temperature():
    gain = _gain(1e-5)
    assert gain.energy([0, 100]) == pytest.approx([0.1, 1.1])
    assert gain.energy(100, 210.0) == pytest.approx(0.1 + 100 * 0.0101)
    assert gain.energy([100, 100], [200.0, 210.0]) == pytest.approx([1.1, 1.11])


def test_a_gain_that_is_not_positive_is_refused():
    with pytest.raises(InvalidInput, match=r"the gain is not positive at 100.0 K"):
        _gain(1e-3).energy(1.0, 100.0)


def test_the_mask_has_single_pixels_columns_and_rows(folder):
    mask = CalibrationStore(folder).at(NOW).bad_pixels.mask()
    assert mask.shape == (256, 256)
    assert mask[9, 7]
    assert mask[:, 250].all()
    assert mask[:2].all()
    assert mask.sum() == 2 * 256 + 254 + 1
    assert not default_calibration().bad_pixels.mask().any()
    assert mask.dtype == np.bool_


def _gain(coefficient: float) -> Gain:
    head = {"item": "gain", "version": "001", "valid_from": NOW, "assumed": True, "source": "a test"}
    values = {"kev_per_channel": 0.01, "offset_kev": 0.1, "reference_temperature_k": 200.0}
    return Gain.model_validate({**head, **values, "kev_per_channel_per_k": coefficient})


def _assumed_facts() -> set[str]:
    """Where the data files mark something as assumed, as the table of the docs names it."""
    data = packaged_folder().parents[1]
    found = set()
    for path in data.rglob("*.toml"):
        content, name = tomllib.loads(path.read_text()), f"`{path.relative_to(data)}`"
        found |= {name} if content.get("assumed") else set()
        parts = {part: value for part, value in content.items() if isinstance(value, dict)}
        found |= {f"{name} `[{part}]`" for part, value in parts.items() if value.get("assumed")}
    return found


def test_the_table_of_the_docs_lists_all_that_is_assumed_and_nothing_else():
    table = (PROJECT / "docs" / "reference" / "calibration.md").read_text().split("## What is assumed")[1]
    places = [line.strip("| ").split(" | ")[-1] for line in table.splitlines() if line.startswith("| ")][1:]
    assert {place for place in places if ".toml" in place} == _assumed_facts()
    assert len(places) == len(set(places))
    for place in places:
        assert ".toml" in place or (PROJECT / place.strip("`")).is_file(), place
