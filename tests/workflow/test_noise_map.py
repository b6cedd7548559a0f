import tomllib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from mxtvhf.errors import InvalidInput, NothingToDo
from mxtvhf.events.event_file import write_event_file
from mxtvhf.events.header import EventHeader
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.calibration import calibration_store
from mxtvhf.instrument.pointing import Pointing
from mxtvhf.localisation.noise_map import NoiseMap
from mxtvhf.simulator.photons import simulate_photons
from mxtvhf.workflow.noise_map import MadeNoiseMap, make_noise_map
from mxtvhf.workflow.steps.vhf_localisation import vhf_localisation

START = 295_000_000.0
GOOD = np.ones((256, 256), dtype=bool)


def run(folder: Path, number: int, counts: float = 200.0, background: float = 300.0) -> Path:
    """Write the event file of a burst with a warm pixel (70, 9), a warm row 12 and a dead column 200."""
    rng = np.random.default_rng(number)
    start, n = START + 1e4 * number, 7
    seen = simulate_photons(
        x=rng.uniform(60, 150), y=rng.uniform(60, 190), counts=counts, background=background,
        start=start, stop=start + 300.0, rng=rng,
    )  # fmt: skip
    time = np.sort(start + rng.uniform(0.0, 299.0, n))
    warm = PhotonList(
        time,
        np.array([70, 70, *rng.integers(0, 256, n - 2)], np.int16),
        np.array([9, 9, *np.full(n - 2, 12)], np.int16),
        np.full(n, 400, np.int32),
    )
    seen = seen.selected(seen.x != 200).merged(warm)
    samples = np.arange(start - 5.0, start + 310.0, 5.0)
    pointing = Pointing(ra_deg=83.6, dec_deg=22.0, roll_deg=30.0).quaternion()
    attitude = AttitudeHistory(samples, np.tile(pointing, (samples.size, 1)), np.ones(samples.size, bool))
    header = EventHeader(
        burst_id=f"sb2605{number + 1:02d}02", ivorn="ivo://org.svom/fsc#x", obs_id="1",
        date=datetime(2026, 5, 11, tzinfo=UTC),
    )  # fmt: skip
    path = folder / f"{number}.fits"
    write_event_file(path, seen, attitude, header=header)
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    return [run(folder, number) for number in range(20)]


@pytest.fixture(scope="module")
def made(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> MadeNoiseMap:
    """Make the map of all runs, one of which is given twice."""
    folder = tmp_path_factory.mktemp("calibration")
    return make_noise_map([*runs, runs[0]], folder, valid_from=datetime(2026, 1, 1, tzinfo=UTC))


def test_faults_too_weak_for_one_run_are_found_over_many(runs: list[Path], made: MadeNoiseMap) -> None:
    alone = vhf_localisation(runs[0])
    assert not alone.faults.mask().any()
    assert made.file.pixels == ((70, 9),)
    assert (made.file.columns, made.file.rows) == ((200,), (12,))
    assert made.path.name == "bad_pixels_002-noisemap.toml"
    record = made.file.noise_map
    assert record is not None
    assert record.n_photons > 4000


def test_the_next_run_leaves_them_out(runs: list[Path], made: MadeNoiseMap) -> None:
    store = calibration_store(made.path.parent)
    used = store.at(datetime(2026, 12, 1, tzinfo=UTC)).bad_pixels
    assert used.model_copy(update={"valid_from": made.file.valid_from, "noise_map": None}) == (
        made.file.model_copy(update={"noise_map": None})
    )
    found = vhf_localisation(runs[0], store=store)
    assert found.calibration["bad_pixels"] == "002-noisemap"
    assert found.n_source + found.n_background < vhf_localisation(runs[0]).n_photons


def test_a_map_of_few_photons_flags_nothing(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(NothingToDo, match="of 1 runs"):
        make_noise_map(runs[:1], tmp_path / "maps")
    assert not (tmp_path / "maps").exists()


def test_event_files_of_one_burst_count_once(made: MadeNoiseMap) -> None:
    record = made.file.noise_map
    assert record is not None
    assert len(record.runs) == 20


def test_what_was_listed_stays_listed_in_the_next_version(runs: list[Path], made: MadeNoiseMap) -> None:
    folder = made.path.parent
    with pytest.raises(NothingToDo):
        make_noise_map(runs, folder, store=calibration_store(folder))
    with pytest.raises(InvalidInput, match="exists"):
        make_noise_map(runs, folder)
    content = tomllib.loads((folder / "bad_pixels_002-noisemap.toml").read_text())
    assert content["valid_from"] == datetime(2026, 1, 1, tzinfo=UTC)


def test_no_event_file_is_no_map(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no event file has good time"):
        make_noise_map([], tmp_path)


def test_a_source_seen_again_and_again_makes_no_pixel_noisy() -> None:
    """Also where nothing masks it: its PSF is smooth, whatever its photons."""
    total = None
    for seed in range(10):
        seen = simulate_photons(
            x=100.3, y=60.2, counts=5000.0, background=300.0, start=0.0, stop=300.0,
            rng=np.random.default_rng(seed),
        )  # fmt: skip
        one = NoiseMap.of_run(seen.x, seen.y, 300.0, GOOD, [(100.3, 60.2)], 0.0)
        total = one if total is None else total + one
    assert total is not None
    assert not total.faults().hot_pixels
    assert not total.faults().noisy_lines


def test_pixels_around_a_source_have_no_photons_and_no_exposure() -> None:
    x, y = np.array([100, 103, 200]), np.array([60, 64, 60])
    one = NoiseMap.of_run(x, y, 300.0, GOOD, [(100.0, 60.0)], 10.0)
    assert one.n_photons == 1
    assert one.exposure[60, 105] == 0.0
    assert one.exposure[60, 111] == 300.0
    assert (one + one).exposure[0, 0] == 600.0


def test_single_dead_pixels_stand_out_of_many_photons() -> None:
    rng = np.random.default_rng(1)
    counts = rng.poisson(40.0, GOOD.shape)
    counts[17, 40] = 0
    faults = NoiseMap(counts, np.full(GOOD.shape, 1e5)).faults()
    assert faults.dead_pixels == ((40, 17),)
    assert faults.mask().sum() == 1
