"""Shipped constants: a missing, misspelt or wrong-unit key is always detected.

All cases are generated from the files themselves.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import mxtvhf
from mxtvhf.analysis.absorption import AbsorptionTable
from mxtvhf.analysis.constants import AnalysisConstants
from mxtvhf.analysis.powerlaw import SpectrumConstants
from mxtvhf.catalogues.bright import BrightXrayOrigin
from mxtvhf.catalogues.cone_search import RemoteServices
from mxtvhf.crosscheck.settings import CrosscheckSettings
from mxtvhf.errors import InvalidInput
from mxtvhf.events.header import EventFileConstants
from mxtvhf.followup.extinction import ExtinctionCoefficients
from mxtvhf.followup.known_sources import ClassWords
from mxtvhf.followup.observatories import Observatories
from mxtvhf.instrument.attitude import PointingLimits
from mxtvhf.instrument.calibration import MODELS
from mxtvhf.instrument.constants import Instrument
from mxtvhf.localisation.constants import DetectionConstants, Population
from mxtvhf.localisation.onboard import OnboardConstants
from mxtvhf.models.toml import checked_toml, read_toml
from mxtvhf.notices.constants import NoticeFacts
from mxtvhf.reporting.announcement.content import Names
from mxtvhf.simulator.bursts import BurstList
from mxtvhf.simulator.readout import ReadoutConstants
from mxtvhf.sky_notices.missions import MissionFacts

PACKAGE = Path(mxtvhf.__file__).parent
CALIBRATION = PACKAGE / "instrument" / "caldb"
FILES: dict[str, type[BaseModel]] = {
    "analysis/absorption.toml": AbsorptionTable,
    "analysis/analysis.toml": AnalysisConstants,
    "analysis/spectrum.toml": SpectrumConstants,
    "catalogues/bright_xray.toml": BrightXrayOrigin,
    "catalogues/cone_search.toml": RemoteServices,
    "crosscheck/crosscheck.toml": CrosscheckSettings,
    "events/event_file.toml": EventFileConstants,
    "followup/extinction.toml": ExtinctionCoefficients,
    "followup/known_sources.toml": ClassWords,
    "followup/observatories.toml": Observatories,
    "instrument/constants.toml": Instrument,
    "instrument/pointing.toml": PointingLimits,
    "localisation/detection.toml": DetectionConstants,
    "localisation/onboard.toml": OnboardConstants,
    "localisation/source_templates.toml": Population,
    "notices/notices.toml": NoticeFacts,
    "reporting/announcement/announcement.toml": Names,
    "simulator/bursts.toml": BurstList,
    "simulator/readout.toml": ReadoutConstants,
    "sky_notices/missions.toml": MissionFacts,
    **{
        f"instrument/caldb/{path.name}": MODELS[path.stem.rpartition("_")[0]]
        for path in sorted(CALIBRATION.glob("*.toml"))
    },
}
OPTIONAL = {
    "alignment_001.toml": {"valid_until"},
    "background_002.toml": {"vignetting", "continua", "lines", "kt_kev", "nh_cm2"},
    "cone_search.toml": {"error_kind", "default_r90_arcsec"},
    "missions.toml": {"unstated_r90_deg"},
    "observatories.toml": {"of_mission", "altitude_deg"},
    "psf_002.toml": {"roll_deg", "roll_sigma_deg", "elongation_sigma", "skew_sigma", "skew_probability"},
    "source_templates.toml": {"share"},
    "bursts.toml": {
        *("grb_name", "mxt_start", "eclairs_snr", "mxt_snr", "note", "eclairs", "mxt", "refined"),
        *("r90_arcsec", "origin", "reference"),
    },
}
"""Optional keys."""
OPEN = {
    "bright_xray.toml": {"references"},
    "cone_search.toml": {"", "columns", "units"},
    "missions.toml": {"names"},
    "notices.toml": {"older_names", "trigger_words"},
}
"""Tables whose entries are all optional; "" is the file itself."""

Key = tuple[str | int, ...]


@cache
def _shipped(name: str) -> dict[str, Any]:
    return tomllib.loads((PACKAGE / name).read_text(encoding="utf-8"))


def content_of(name: str) -> dict[str, Any]:
    """Return the content of a file, to be changed at will."""
    return deepcopy(_shipped(name))


def tables(value: Any, key: Key = ()) -> Iterator[tuple[Key, dict[str, Any]]]:
    """Yield all tables of a file, itself included."""
    if isinstance(value, dict):
        yield key, value
        for name, item in value.items():
            yield from tables(item, (*key, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from tables(item, (*key, number))


def dotted(key: Key) -> str:
    return ".".join(map(str, key))


def at(content: Any, key: Key) -> Any:
    for part in key:
        content = content[part]
    return content


def faults(name: str, content: dict[str, Any]) -> list[str]:
    """Check the content as that of the file; return the lines of the error, or none if it is accepted."""
    try:
        checked_toml(content, FILES[name], name=name)
    except InvalidInput as error:
        lines = str(error).splitlines()
        assert all(line.startswith(f"{name}: ") for line in lines)
        return [line.removeprefix(f"{name}: ") for line in lines]
    return []


def keys(name: str) -> Iterator[Key]:
    """Yield all keys of a file, at all depths."""
    for table, items in tables(content_of(name)):
        yield from ((*table, key) for key in items)


def may_be_left_out(name: str, key: Key) -> bool:
    file, table = Path(name).name, str(key[-2]) if len(key) > 1 else ""
    return key[-1] in OPTIONAL.get(file, ()) or table in OPEN.get(file, ())


def misses(key: Key) -> set[str]:
    """Return the possible error lines for a missing key; the second is for tables whose keys are words."""
    return {f"{dotted(key)}: missing", f"{dotted(key[:-1])}: missing {key[-1]}"}


def test_every_file_of_the_package_has_its_model():
    assert set(FILES) == {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.toml")}


@pytest.mark.parametrize("name", FILES)
def test_the_file_is_accepted_as_it_is(name):
    assert read_toml(PACKAGE / name, FILES[name]) == checked_toml(content_of(name), FILES[name], name=name)


@pytest.mark.parametrize("name", FILES)
def test_each_missing_key_is_named(name):
    for key in keys(name):
        content = content_of(name)
        del at(content, key[:-1])[key[-1]]
        found = faults(name, content)
        assert may_be_left_out(name, key) or misses(key) & set(found), (key, found)


@pytest.mark.parametrize("name", FILES)
def test_each_added_key_is_named(name):
    for table, _ in tables(content_of(name)):
        content = content_of(name)
        at(content, table)["added"] = 1
        found = faults(name, content)
        assert any(line.startswith(f"{dotted((*table, 'added'))}: ") for line in found), (table, found)


@pytest.mark.parametrize("name", FILES)
def test_each_key_in_another_unit_is_named(name):
    """A unit is part of the key's name: another unit is another name."""
    units = ("_kev", "_ev", "_s", "_mm", "_cm2", "_deg", "_deg2", "_arcmin", "_arcsec", "_pixel", "_k")
    for key in keys(name):
        if not str(key[-1]).endswith(units) or may_be_left_out(name, key):
            continue
        content, other = content_of(name), f"{str(key[-1]).rpartition('_')[0]}_furlong"
        table = at(content, key[:-1])
        table[other] = table.pop(key[-1])
        found = faults(name, content)
        assert misses(key) & set(found), (key, found)
        assert f"{dotted((*key[:-1], other))}: unknown key" in found


@pytest.mark.parametrize("wrong", ["1.0", [], {}, float("nan")], ids=str)
@pytest.mark.parametrize("name", FILES)
def test_each_number_of_another_type_is_named(name, wrong):
    for key in keys(name):
        content = content_of(name)
        table = at(content, key[:-1])
        if type(table[key[-1]]) not in (int, float):
            continue
        table[key[-1]] = wrong
        found = faults(name, content)
        assert any(line.startswith(f"{dotted(key)}: found ") for line in found), (key, found)


@pytest.mark.parametrize(
    ("name", "key", "wrong"),
    [
        ("instrument/constants.toml", "detector.pixel_size_mm", 75.0),  # um
        ("instrument/constants.toml", "detector.pixel_size_mm", 75e-6),  # m
        ("instrument/constants.toml", "detector.frame_time_s", 100.0),  # ms
        ("instrument/constants.toml", "optics.focal_length_mm", 1.14),  # m
        ("instrument/constants.toml", "energy.band_kev", [200.0, 10000.0]),  # eV
        ("instrument/constants.toml", "energy.band_kev", [0.0002, 0.01]),  # MeV
        ("instrument/constants.toml", "energy.band_kev", [10.0, 0.2]),
        ("instrument/constants.toml", "pi.channel_width_kev", 10.0),  # eV
        ("instrument/constants.toml", "eclairs.systematic_r90_arcsec", 2.0),  # arcmin
        ("instrument/constants.toml", "snr_radius.amplitude_arcsec", 0.033),  # deg
        ("instrument/caldb/gain_001.toml", "kev_per_channel", 2.5),  # eV
        ("instrument/caldb/gain_001.toml", "reference_temperature_k", -65.0),  # Celsius
        ("instrument/caldb/redistribution_001.toml", "pair_energy_ev", 0.00365),  # keV
        ("instrument/caldb/psf_002.toml", "core_fwhm_arcmin", 600.0),  # arcsec
        ("instrument/caldb/psf_002.toml", "roll_deg", 300.0),  # arcmin
        ("instrument/caldb/psf_002.toml", "elongation_sigma", 10.0),  # percent
        ("simulator/readout.toml", "charge_sharing.cloud_sigma_um", 6000.0),  # nm
        ("simulator/readout.toml", "charge_sharing.threshold_kev", 40.0),  # eV
        ("analysis/analysis.toml", "band.energy_kev", [300.0, 10000.0]),  # eV
        ("analysis/analysis.toml", "spectrum.nh_cm2", 0.1),  # 1e22/cm2
        ("analysis/spectrum.toml", "source.nh_cm2", 1.0e25 * 10.0),  # 1/m2
        ("notices/notices.toml", "largest_radius_deg.ECLAIRs", 324_000.0),  # arcsec
        ("notices/notices.toml", "mxt_systematic.r90_arcsec", 0.42),  # arcmin
        ("crosscheck/crosscheck.toml", "verdict.consistent_from", 1.0),  # percent
        ("crosscheck/crosscheck.toml", "impossible.catalogue_flux_above", 1.0),  # mW/m2
        ("localisation/detection.toml", "eclairs.trust", 85.0),  # percent
    ],
)
def test_a_number_in_another_unit_is_out_of_range(name, key, wrong):
    content = content_of(name)
    parts = tuple(key.split("."))
    at(content, parts[:-1])[parts[-1]] = wrong
    (first, *_) = faults(name, content)
    assert first.startswith(key)


@pytest.mark.parametrize(
    ("name", "key", "wrong", "cause"),
    [
        ("instrument/constants.toml", "detector.rows", 128, "as many rows as columns, found 128 and 256"),
        ("instrument/constants.toml", "time.mjdrefi", 57755, "expected mjdrefi 57754 for epoch_utc"),
        ("instrument/constants.toml", "time.epoch_utc", "2017-13-01T00:00:00Z", "month must be in 1..12"),
        ("analysis/absorption.toml", "c1", [1.0], "c1: expected 14 numbers"),
        ("analysis/analysis.toml", "region.smallest_pixel", 91.0, "larger than largest_pixel 90.0"),
        ("analysis/analysis.toml", "decay.lowest", 14.0, "lowest 14.0 is not below highest 14.0"),
        ("analysis/analysis.toml", "spectrum.bin_widths_kev", [0.1], "one number for each range"),
        ("analysis/analysis.toml", "column.host_part", 0.95, "leave nothing for any other column"),
        ("crosscheck/crosscheck.toml", "verdict.inconsistent_below", 0.02, "above consistent_from 0.01"),
        ("crosscheck/crosscheck.toml", "association.uncatalogued_below", 0.95, "above known_from 0.9"),
        (
            "localisation/detection.toml",
            "hot_pixel.ring_inner",
            7,
            "ring_inner is 7; expected less than ring_outer 7",
        ),
        ("localisation/onboard.toml", "judgement.contradicted_below", 0.1, "at most supported_from 0.05"),
        ("notices/notices.toml", "quality_factor.limits_arcsec", [60.0, 120.0, 30.0], "expected descending"),
        ("catalogues/cone_search.toml", "2rxs.default_r90_arcsec", None, "expected columns.error or"),
    ],
)
def test_numbers_that_contradict_each_other_are_refused(name, key, wrong, cause):
    content = content_of(name)
    parts = tuple(key.split("."))
    table = at(content, parts[:-1])
    del table[parts[-1]]
    if wrong is not None:
        table[parts[-1]] = wrong
    (line,) = faults(name, content)
    assert line.startswith(".".join(parts[:-1]))
    assert cause in line
