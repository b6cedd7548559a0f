import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mxtvhf.instrument.pixels import RawLine, line_mask, lines_text
from mxtvhf.instrument.psf import LobsterEyePsf
from mxtvhf.localisation import localise
from mxtvhf.localisation.noisy_lines import noisy_lines
from mxtvhf.localisation.position import detector_image
from mxtvhf.simulator.photons import simulate_photons

GOOD = np.ones((256, 256), dtype=bool)


def photons(seed, counts=0.0, background=135.0, **more):
    rng = np.random.default_rng(seed)
    seen = simulate_photons(
        x=100.3, y=60.2, counts=counts, background=background, start=0.0, stop=300.0, rng=rng, **more
    )
    return seen.x, seen.y


def with_line(x, y, axis, number, count, seed=0):
    """Return the image with noise added evenly along a line."""
    along = np.random.default_rng(seed).integers(0, 256, count)
    across = np.full(count, number)
    more = (along, across) if axis == "row" else (across, along)
    return np.r_[x, more[0]], np.r_[y, more[1]]


@given(
    axis=st.sampled_from(("row", "column")),
    number=st.integers(0, 255),
    count=st.integers(20, 3000),
    seed=st.integers(0, 9),
)
@settings(max_examples=40, deadline=None)
def test_a_noisy_line_is_found_and_no_parallel_line_with_it(axis, number, count, seed):
    noisy = with_line(*photons(seed), axis, number, count, seed)
    found = noisy_lines(detector_image(*noisy), GOOD)
    # The photons of a bright line may by chance make a crossing line noisy, in one of a thousand images.
    assert [line for line in found if line.axis == axis] == [(axis, number)]


@pytest.mark.parametrize(("counts", "background"), [(0, 20), (0, 135), (0, 1000), (15, 20), (300, 1000)])
def test_no_line_is_noisy_without_noise(counts, background):
    for seed in range(40):
        assert noisy_lines(detector_image(*photons(seed, counts, background)), GOOD) == ()


@pytest.mark.parametrize("counts", [120, 5000, 300_000])
def test_the_core_of_a_source_is_not_a_noisy_line(counts):
    for width in (3.0, 6.0, 13.0):
        psf = LobsterEyePsf(core_fwhm_arcmin=width)
        assert noisy_lines(detector_image(*photons(13, counts, psf=psf)), GOOD) == ()


def test_adjacent_and_crossing_noisy_lines_are_found():
    noisy = photons(1)
    lines = [("row", 12), ("row", 13), ("column", 200), ("row", 30)]
    for number, (axis, place) in enumerate(lines):
        noisy = with_line(*noisy, axis, place, 60, number)
    assert set(noisy_lines(detector_image(*noisy), GOOD)) == set(lines)


def test_a_line_of_bad_pixels_is_not_noisy_and_does_not_make_others_noisy():
    good = GOOD & ~line_mask([RawLine("column", k) for k in range(100, 116)])
    x, y = with_line(*photons(2), "column", 108, 500)
    assert noisy_lines(detector_image(x, y), good) == ()


@pytest.mark.parametrize("count", [20, 60, 300])
def test_a_noisy_line_is_not_a_source(count):
    for seed in range(10):
        found = localise(*with_line(*photons(seed), "row", 17 * seed, count, seed))
        assert not found.detected
        assert found.noisy_lines == (("row", 17 * seed),)


def test_a_noisy_line_does_not_move_a_source():
    for seed in range(5):
        x, y = photons(seed, counts=60.0, background=50.0)
        clean, found = localise(x, y), localise(*with_line(x, y, "row", 75, 60, seed))
        assert found.noisy_lines == (("row", 75),)
        assert np.hypot(found.x - clean.x, found.y - clean.y) < 0.5 * clean.r90 / 14.0
        assert found.n_source == pytest.approx(clean.n_source, rel=0.15)


def test_lines_have_readable_names():
    assert lines_text([RawLine("row", 12), RawLine("column", 200)]) == "row 12, column 200"
