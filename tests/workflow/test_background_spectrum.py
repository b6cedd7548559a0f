import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from mxtvhf.errors import InvalidInput, NothingToDo
from mxtvhf.events.event_file import write_event_file
from mxtvhf.events.header import EventHeader
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.calibration import (
    CalibrationStore,
    calibration_store,
    default_calibration,
    packaged_folder,
)
from mxtvhf.instrument.pointing import Pointing
from mxtvhf.simulator.photons import simulate_photons
from mxtvhf.workflow.background_spectrum import MadeBackground, make_background
from mxtvhf.workflow.steps.vhf_localisation import vhf_localisation

START = 295_000_000.0
CALIBRATION = default_calibration()

Change = Callable[[PhotonList, np.random.Generator], PhotonList]


def as_drawn(photons: PhotonList, rng: np.random.Generator) -> PhotonList:
    return photons


def run(
    folder: Path, number: int, counts: float = 100.0, background: float = 200.0, change: Change = as_drawn
) -> Path:
    """Write the event file of a burst on a flat background of 300 s."""
    rng = np.random.default_rng(number)
    start = START + 1e4 * number
    seen = simulate_photons(
        x=rng.uniform(60, 190), y=rng.uniform(60, 190), counts=counts, background=background,
        start=start, stop=start + 300.0, rng=rng,
    )  # fmt: skip
    samples = np.arange(start - 5.0, start + 310.0, 5.0)
    pointing = Pointing(ra_deg=83.6, dec_deg=22.0, roll_deg=30.0).quaternion()
    attitude = AttitudeHistory(samples, np.tile(pointing, (samples.size, 1)), np.ones(samples.size, bool))
    header = EventHeader(
        burst_id=f"sb2605{number + 1:02d}02", ivorn="ivo://org.svom/fsc#x", obs_id="1",
        date=datetime(2026, 5, 11, tzinfo=UTC),
    )  # fmt: skip
    path = folder / f"{number}.fits"
    write_event_file(path, change(seen, rng), attitude, header=header)
    return path


def of_sky(photons: PhotonList, rng: np.random.Generator) -> PhotonList:
    """Take only photons of low energies, as where the sky outshines the particles."""
    return photons.selected(CALIBRATION.gain.energy(photons.pha) < 2.0)


def of_one_line(photons: PhotonList, rng: np.random.Generator) -> PhotonList:
    """Give all photons an energy at which no line is known."""
    pha = np.rint(CALIBRATION.gain.channel(rng.normal(3.0, 0.03, len(photons))))
    return replace(photons, pha=pha.astype(np.int32))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    return [run(folder, number) for number in range(5)]


@pytest.fixture(scope="module")
def made(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> MadeBackground:
    return make_background([*runs, *runs], tmp_path_factory.mktemp("calibration"))


def test_a_flat_background_is_measured_beside_sources(made: MadeBackground) -> None:
    file, record = made.file, made.file.past_runs
    assert made.path.name == "background_003-runs.toml"
    assert sum(one.part for one in file.components) == pytest.approx(1.0, abs=1e-3)
    assert sum(one.part for one in file.components if one.through_optics) < 0.15
    assert file.known_as_photons >= 50.0
    assert file.rate_per_s == pytest.approx(200.0 / 300.0, rel=0.15)
    assert record is not None
    assert record.n_photons == pytest.approx(5 * 200.0, rel=0.15)
    # The event files of one burst share their photons: they count once.
    assert record.runs == tuple(f"sb2605{number:02d}02 VHF" for number in range(1, 6))


def test_the_next_run_uses_the_file_that_was_written(made: MadeBackground, tmp_path: Path) -> None:
    store = calibration_store(made.path.parent)
    used = store.at(datetime(2026, 12, 1, tzinfo=UTC)).background
    # Moments are written with milliseconds.
    moments = {"valid_from": made.file.valid_from, "past_runs": made.file.past_runs}
    assert used.model_copy(update=moments) == made.file
    path = run(tmp_path, 20, 30.0, 60.0)
    found, free = vhf_localisation(path, store=store), vhf_localisation(path)
    assert found.detected
    assert found.calibration["background"] == "003-runs"
    assert found.ts > free.ts
    assert "background" in found.uses
    assert "background" not in free.uses
    assert found.not_used == ()


def test_a_field_unlike_the_known_background_is_fitted_alone_and_makes_no_source(
    made: MadeBackground, tmp_path: Path
) -> None:
    found = vhf_localisation(run(tmp_path, 21, 0.0, 400.0, of_sky), store=calibration_store(made.path.parent))
    assert not found.detected
    assert "background" in found.not_used
    assert "background" not in found.uses
    assert found.reason is not None
    assert "the background differs from that of past runs" in found.reason


def test_spectra_that_differ_from_run_to_run_tell_nothing(runs: list[Path], tmp_path: Path) -> None:
    soft = [run(tmp_path, number, 0.0, 800.0, of_sky) for number in (22, 23)]
    with pytest.raises(NothingToDo, match="varies too much between the 4 runs"):
        make_background([*runs[:2], *soft], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_runs_with_energies_unlike_all_known_ones_are_left_out(runs: list[Path], tmp_path: Path) -> None:
    strange = run(tmp_path, 24, 0.0, 200.0, of_one_line)
    with pytest.raises(InvalidInput, match="1 of 2 runs are usable"):
        make_background([runs[0], strange], tmp_path)


def test_faults_of_the_input_are_told(made: MadeBackground, runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no event file has good time"):
        make_background([], tmp_path)
    with pytest.raises(InvalidInput, match="1 of 1 runs are usable"):
        make_background(runs[:1], tmp_path)
    with pytest.raises(InvalidInput, match="exists"):
        make_background(runs[:3], made.path.parent)


def test_a_background_without_components_is_refused(runs: list[Path], tmp_path: Path) -> None:
    for name in ("psf_001", "effective_area_001", "gain_001", "redistribution_001", "bad_pixels_001"):
        shutil.copy(packaged_folder() / f"{name}.toml", tmp_path)
    for name in ("alignment_002", "background_001"):
        shutil.copy(packaged_folder() / f"{name}.toml", tmp_path)
    with pytest.raises(InvalidInput, match="has no spectral components"):
        make_background(runs[:2], tmp_path, store=CalibrationStore(tmp_path))
