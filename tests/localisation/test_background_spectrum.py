from datetime import UTC, datetime

import numpy as np
import pytest

from mxtvhf.instrument.calibration import Background
from mxtvhf.localisation.background import background_spectra
from mxtvhf.localisation.background_spectrum import (
    KnownSpectrum,
    RunPhotons,
    background_of,
    background_text,
)
from mxtvhf.models.toml import read_toml
from support.fields import CALIBRATION

CHANNELS = np.arange(80, 4000)
SPECTRA = background_spectra(CHANNELS, CALIBRATION)
NAMES = [one.name for one in CALIBRATION.background.components]
MIXED = np.zeros(len(NAMES))
MIXED[[NAMES.index("particles, flat"), NAMES.index("cosmic background"), NAMES.index("Al K")]] = 0.6, 0.3, 0.1


def run_of(parts, photons: int, rng: np.random.Generator) -> RunPhotons:
    density = parts @ SPECTRA
    drawn = rng.choice(CHANNELS.size, photons, p=density / density.sum())
    return RunPhotons(SPECTRA[:, drawn], np.ones(photons))


def known_of(concentration: float, runs: int, photons: int = 300) -> KnownSpectrum:
    rng = np.random.default_rng(1)
    parts = [rng.dirichlet(np.maximum(concentration * MIXED, 1e-9)) for _ in range(runs)]
    return KnownSpectrum.of_runs([run_of(one, photons, rng) for one in parts])


def test_the_mean_fractions_are_recovered():
    parts = known_of(1e6, 20).parts
    assert parts.sum() == pytest.approx(1.0)
    optics = [one.through_optics for one in CALIBRATION.background.components]
    assert parts[optics].sum() == pytest.approx(0.3, abs=0.05)
    assert parts[NAMES.index("Al K")] == pytest.approx(0.1, abs=0.02)


def test_runs_that_differ_more_give_less_prior_knowledge():
    differing, alike = known_of(20.0, 20).photons, known_of(1e6, 20).photons
    assert 10.0 <= differing <= 40.0
    assert alike > 5.0 * differing


def test_few_runs_give_little_prior_knowledge_and_one_gives_none():
    assert known_of(1e6, 1).photons == 0.0
    assert known_of(1e6, 3, 50).photons < known_of(1e6, 20).photons


def test_source_photons_are_not_counted_as_background():
    rng = np.random.default_rng(2)
    seen = np.concatenate([run_of(MIXED, 300, rng).densities, np.tile(SPECTRA[:, 100:101], 200)], axis=1)
    source = np.append(np.full(300, 1e-3), np.full(200, 2000.0))
    run = RunPhotons.beside_sources(seen, source[np.newaxis])
    assert run.n_photons == pytest.approx(300.0, rel=0.1)
    assert run.number[300:].max() < 0.1


def test_the_calibration_file_survives_a_round_trip(tmp_path):
    file = background_of(
        known_of(100.0, 5), CALIBRATION.background, runs=("sb26050102 VHF", "sb26050202 VHF"), n_photons=1500,
        rate_per_s=0.61, made=datetime(2026, 6, 1, tzinfo=UTC), valid_from=datetime(2026, 5, 1, tzinfo=UTC),
    )  # fmt: skip
    path = tmp_path / "background_003-runs.toml"
    path.write_text(background_text(file), encoding="utf-8")
    assert read_toml(path, Background) == file
    assert file.components[0].part > 0.0
    assert not file.assumed
