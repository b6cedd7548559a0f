import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.instrument.pixels import RawBlock, RawLine, RawPixel, blocks_mask, line_mask, pixel_mask
from mxtvhf.instrument.psf import LobsterEyePsf
from mxtvhf.localisation import localise
from mxtvhf.localisation.detector_faults import find_detector_faults
from mxtvhf.localisation.model import DetectorFaults, Localisation
from mxtvhf.simulator.photons import simulate_photons

GOOD = np.ones((256, 256), dtype=bool)


def photons(seed, counts=0.0, background=135.0, x=100.3, y=60.2, **more):
    rng = np.random.default_rng(seed)
    return simulate_photons(
        x=x, y=y, counts=counts, background=background, start=0.0, stop=300.0, rng=rng, **more
    )


def with_noise(seen, column, row, time=None):
    """Return columns, rows and times of photons and added noise."""
    time = np.full(len(column), 150.0) if time is None else time
    return np.r_[seen.x, column], np.r_[seen.y, row], np.r_[seen.time, time]


def with_cluster(seed, seen, count, side=3, column=200, row=30):
    rng = np.random.default_rng(seed)
    places = rng.integers(0, side, (2, count))
    return with_noise(seen, column + places[0], row + places[1], rng.uniform(0.0, 300.0, count))


@pytest.mark.parametrize("side", [2, 3, 5])
@pytest.mark.parametrize("background", [50, 300, 1000])
def test_a_hot_cluster_is_found_and_is_not_a_source(side, background):
    left = 0
    for seed in range(8):
        x, y, _ = with_cluster(seed, photons(seed, background=background), 40, side)
        found = localise(x, y)
        assert not found.detected
        mask = found.faults.mask()
        inside = (x >= 200) & (x < 200 + side) & (y >= 30) & (y < 30 + side)
        left += int((inside & ~mask[y, x]).sum())
        assert mask.sum() <= side**2 + 12
        assert found.faults.n_photons == mask[y, x].sum()
    assert left <= 8


def test_a_hot_cluster_does_not_move_a_source():
    for seed in range(5):
        seen = photons(seed, counts=60.0, background=50.0)
        clean = localise(seen.x, seen.y)
        x, y, _ = with_cluster(seed, seen, 40, column=118, row=75)
        found = localise(x, y)
        assert np.hypot(found.x - clean.x, found.y - clean.y) < 0.5 * clean.r90 / 14.0


@given(
    column=st.integers(0, 255), row=st.integers(0, 255), start=st.floats(0.0, 295.0), seed=st.integers(0, 9)
)
def test_a_flickering_pixel_or_line_is_found(column, row, start, seed):
    rng = np.random.default_rng(seed)
    seen = photons(seed, background=1000)
    along, flash = rng.integers(0, 256, 10), start + np.linspace(0.0, 1.0, 10)
    pixel = with_noise(seen, np.full(5, column), np.full(5, row), flash[:5])
    line = with_noise(seen, along, np.full(10, row), flash)
    steady = find_detector_faults(*line[:2], GOOD)
    assert RawLine("row", row) not in steady.noisy_lines
    assert RawLine("row", row) in find_detector_faults(*line[:2], GOOD, line[2]).noisy_lines
    assert RawPixel(column, row) in find_detector_faults(*pixel[:2], GOOD, pixel[2]).hot_pixels


def test_photons_of_one_frame_do_not_flicker():
    seen = photons(1, counts=300, background=700)
    order = np.lexsort((seen.x, seen.y))
    faults = find_detector_faults(seen.x[order], seen.y[order], GOOD, np.zeros(len(seen)))
    assert not faults.mask().any()


def test_a_short_flare_does_not_flicker():
    for seed in range(20):
        quiet = photons(seed, background=600)
        flare = photons(seed + 100, counts=60.0, background=0.0, psf=LobsterEyePsf(core_fwhm_arcmin=6.0))
        when = np.linspace(150.0, 152.0, len(flare))
        x, y, time = with_noise(quiet, flare.x, flare.y, when)
        assert not find_detector_faults(x, y, GOOD, time).mask().any()


@given(
    width=st.sampled_from((6.0, 10.0, 13.0)),
    counts=st.sampled_from((60.0, 300.0, 5000.0)),
    background=st.sampled_from((20.0, 300.0, 1000.0)),
    x=st.floats(5.0, 250.0),
    y=st.floats(5.0, 250.0),
)
def test_a_source_is_never_taken_for_a_fault(width, counts, background, x, y):
    """Even for a narrow, bright source the core is not noisy and the field beside it is not dead."""
    seen = photons(7, counts, background, x, y, psf=LobsterEyePsf(core_fwhm_arcmin=width))
    faults = find_detector_faults(seen.x, seen.y, GOOD, seen.time)
    assert not faults.hot_pixels
    assert not faults.noisy_lines
    assert not faults.dead_blocks
    # Dead lines have a false-alarm rate of one in twenty fields, which hypothesis would find.
    assert len(faults.dead_lines) <= 1


@pytest.mark.parametrize("counts", [0, 20, 135, 1000, 3000])
def test_a_working_detector_has_no_dead_areas(counts):
    found = 0
    for seed in range(40):
        seen = photons(seed, background=counts)
        faults = find_detector_faults(seen.x, seen.y, GOOD)
        found += bool(faults.dead_lines or faults.dead_blocks)
    assert found <= 3


def test_dead_lines_and_blocks_are_found_with_enough_photons():
    block = RawBlock(64, 128, 64)
    for seed in range(10):
        seen = photons(seed, background=8000)
        alive = (seen.x != 40) & (seen.x != 42) & (seen.y != 200) & ~blocks_mask([block])[seen.y, seen.x]
        faults = find_detector_faults(seen.x[alive], seen.y[alive], GOOD)
        assert {*faults.dead_lines} == {RawLine("column", 40), RawLine("column", 42), RawLine("row", 200)}
        assert blocks_mask(faults.dead_blocks)[blocks_mask([block])].mean() > 0.9
        assert not (blocks_mask(faults.dead_blocks) & ~blocks_mask([block])).any()


def test_a_dead_column_through_a_bright_source_is_found():
    seen = photons(3, counts=1500.0, background=300.0)
    alive = seen.x != 103
    found = localise(seen.x[alive], seen.y[alive])
    assert found.faults.dead_lines == (RawLine("column", 103),)


def test_bad_pixels_of_the_calibration_are_not_reported_as_faults():
    seen = photons(4, background=8000)
    known = line_mask([RawLine("column", 40)])
    alive = seen.x != 40
    faults = find_detector_faults(seen.x[alive], seen.y[alive], ~known)
    assert faults == DetectorFaults(n_photons=0)


def test_the_mask_covers_all_faults():
    faults = DetectorFaults(
        hot_pixels=(RawPixel(7, 9),),
        noisy_lines=(RawLine("row", 3),),
        dead_lines=(RawLine("column", 250),),
        dead_blocks=(RawBlock(32, 64, 16),),
        dead_pixels=(RawPixel(100, 101),),
    )
    mask = faults.mask()
    expected = line_mask([*faults.noisy_lines, *faults.dead_lines]) | blocks_mask(faults.dead_blocks)
    assert (mask == (expected | pixel_mask([RawPixel(7, 9), RawPixel(100, 101)]))).all()
    assert "dead columns 32-47 of rows 64-79" in faults.text()
    assert DetectorFaults().text() == ""


def test_localisations_of_earlier_versions_are_readable():
    old = (
        '{"detected": false, "position": null, "r50_arcsec": null, "detector_x": null, "detector_y": null,'
        ' "ts": 0.0, "n_photons": 3, "n_source": 0.0, "n_background": 3.0, "hot_pixels": [[7, 9]],'
        ' "noisy_lines": [["row", 12]]}'
    )
    faults = Localisation.model_validate_json(old).faults
    assert faults.mask().sum() == 257
    assert faults.n_photons is None
