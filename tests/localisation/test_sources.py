import zlib
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.realsky.known_background import KNOWN, known_cases, located
from benchmarks.realsky.optics import Optics
from benchmarks.realsky.scene import draw
from mxtvhf.instrument.constants import pixel_scale_arcsec
from mxtvhf.localisation.constants import detection_constants
from mxtvhf.localisation.likelihood import maximise
from mxtvhf.localisation.position import default_psf
from mxtvhf.localisation.prior import PositionPrior
from mxtvhf.localisation.scene import Scene
from mxtvhf.localisation.sources import _distinct, _known_sources, find_sources, needed_ts
from support.fields import draw_field

PSF = default_psf()
BURST = (120.0, 125.0)


def beside(angle, arcmin, place=BURST):
    apart = 60.0 * arcmin / pixel_scale_arcsec()
    return place[0] + apart * np.cos(angle), place[1] + apart * np.sin(angle)


def in_circle(sources, place):
    """Return whether the R90 circle of the nearest source contains a position."""
    nearest = min(sources, key=lambda one: np.hypot(one.x - place[0], one.y - place[1]))
    offset = np.hypot(nearest.x - place[0], nearest.y - place[1])
    return bool(offset * pixel_scale_arcsec() <= nearest.r90)


def all_sources(found):
    return [one for one in (found, *found.others) if one.detected]


def test_two_separate_sources_are_both_located():
    inside = []
    for seed in range(4):
        other = beside(2.4 * seed, 20.0)
        found = draw_field(seed, [(*BURST, 150), (*other, 150)]).localised()
        sources = all_sources(found)
        assert len(sources) == 2
        assert [source.ts for source in sources] == sorted((source.ts for source in sources), reverse=True)
        inside += [in_circle(sources, place) for place in (BURST, other)]
    assert np.mean(inside) > 0.6


def test_two_overlapping_sources_are_rarely_merged():
    """A single source fitted to both lies between them and is too wide."""
    both, inside = 0, []
    for seed in range(8):
        other = beside(2.4 * seed, 12.0)
        sources = all_sources(draw_field(1000 + seed, [(*BURST, 150), (*other, 150)]).localised())
        both += len(sources) == 2
        inside += [in_circle(sources, place) for place in (BURST, other)]
    assert both >= 6
    assert np.mean(inside) > 0.6


def test_a_burst_beside_a_brighter_known_source_is_found():
    for seed in range(4):
        bright = beside(2.4 * seed, 18.0)
        found = draw_field(seed, [(*BURST, 100), (*bright, 300)]).localised(known=[bright])
        sources = all_sources(found)
        assert len(sources) == 2
        assert sources[0].n_source > sources[1].n_source
        assert np.hypot(sources[1].x - BURST[0], sources[1].y - BURST[1]) < 20.0


def test_an_invisible_known_source_is_not_reported():
    counts = draw_field(1, [(*BURST, 150)]).counts()
    sources, _ = find_sources(counts, PSF, None, [(40.0, 40.0), (200.0, 60.0)])
    assert len(sources) == 1
    assert np.hypot(sources[0].fit.x - BURST[0], sources[0].fit.y - BURST[1]) < 10.0


def test_a_source_beside_a_known_one_is_not_confused_with_it():
    counts = draw_field(1, [(*BURST, 150)]).counts()
    scene = Scene.of_background(counts)
    (near,), with_it = _known_sources(scene, PSF, [(BURST[0] + 3.0, BURST[1])])
    assert near.detected
    assert len(with_it.sources) == 1
    assert _known_sources(scene, PSF, [(BURST[0] + 25.0, BURST[1])]) == ([], scene)


def test_a_known_source_in_an_empty_field_is_not_reported():
    (found,), _ = find_sources(draw_field(2).counts(), PSF, None, [(40.0, 40.0)])
    assert not found.detected


@pytest.mark.parametrize("background", [1, 2, 30, 1000])
def test_background_alone_gives_one_maximum_without_detection(background):
    for seed in range(5):
        (found,), empty = find_sources(draw_field(seed, background=background).counts(), PSF, None)
        assert not found.detected
        assert found.ts < detection_constants().source.ts_threshold
        assert empty.sources == ()


def test_the_scene_that_is_returned_is_the_background_alone():
    sources, empty = find_sources(draw_field(3, [(*BURST, 300)]).counts(), PSF, None)
    assert sources[0].detected
    assert empty.sources == ()
    assert empty.background_fraction == pytest.approx(1.0)


def test_the_photons_of_a_source_and_its_ts_are_those_of_its_fit():
    counts = draw_field(4, [(*BURST, 300)]).counts()
    ((found,), _) = find_sources(counts, PSF, None)
    assert found.photons == pytest.approx(found.fit.source_fraction * counts.total)
    assert found.photons == pytest.approx(300, abs=60)
    assert found.ts > found.places_ts > 100.0


def test_a_crowded_field_raises_no_exception():
    rng = np.random.default_rng(5)
    places = [(*rng.uniform(15.0, 240.0, 2), 60) for _ in range(20)]
    sources, _ = find_sources(draw_field(5, places).counts(), PSF, None)
    assert 1 <= len(sources) <= detection_constants().further.most
    assert all(source.detected for source in sources)
    assert all(
        np.isfinite([source.fit.x, source.fit.y, source.ts, source.photons]).all() for source in sources
    )


def test_bright_sources_far_apart_are_all_found():
    places = [(40.0, 40.0), (200.0, 60.0), (70.0, 210.0), (210.0, 200.0)]
    sources, _ = find_sources(draw_field(6, [(*place, 200) for place in places]).counts(), PSF, None)
    assert len(sources) == 4
    for place in places:
        assert min(np.hypot(one.fit.x - place[0], one.fit.y - place[1]) for one in sources) < 12.0


@pytest.mark.parametrize(
    "optics",
    [Optics(rotation_deg=5.0), Optics(core_fwhm_arcmin=6.0), Optics(elongation=0.1)],
    ids=["rotated", "narrow", "elongated"],
)
def test_an_error_of_the_psf_shape_does_not_make_a_source(optics):
    for seed in range(2):
        sources, _ = find_sources(draw_field(seed, [(*BURST, 3000)], optics=optics).counts(), PSF, None)
        assert len(sources) == 1


@pytest.mark.slow
def test_a_faint_source_in_the_circle_is_found_beside_a_bright_one():
    """The ECLAIRs circle is used if no source lies in it, and for one more source only."""
    bright, faint = (190.0, 80.0), (60.0, 200.0)
    circle = PositionPrior(*faint, 10.0, 0.85)
    alone = helped = 0
    for seed in range(12):
        counts = draw_field(seed, [(*bright, 300), (*faint, 25)], background=100).counts()
        without, _ = find_sources(counts, PSF, None, [bright])
        found, _ = find_sources(counts, PSF, None, [bright], circle)
        alone += len(without) == 2
        helped += len(found) == 2
        assert found[0].prior is None
        assert all(np.hypot(one.fit.x - 60.0, one.fit.y - 200.0) < 25.0 for one in found[1:])
        assert all(one.prior is circle for one in found[1:]) or len(without) == 2
    assert helped >= alone + 3


def test_a_prior_makes_a_faint_source_beside_a_bright_one_significant():
    counts = draw_field(0, [(*BURST, 12)], sky=0.0).counts()
    alone, told = (
        find_sources(counts, PSF, prior)[0][0] for prior in (None, PositionPrior(*BURST, 10.0, 0.85))
    )
    assert told.fit.log_prior > 3.0
    assert told.ts + 2.0 * told.fit.log_prior > alone.ts
    assert (alone.detected, told.detected) == (False, True)


def known_flat(counts, photons):
    """Return the counts with a background known to be flat, with a number of prior photons."""
    known = np.zeros(len(counts.spectra))
    known[0] = photons
    return replace(counts, known=known)


def test_a_faint_source_on_a_known_background_is_found_by_its_energies():
    counts = [draw_field(seed, [(100.0, 60.0, 18)], background=60, sky=0.0).counts() for seed in range(6)]
    free = [find_sources(one, default_psf(), None)[0][0] for one in counts]
    known = [find_sources(known_flat(one, 1000.0), default_psf(), None)[0][0] for one in counts]
    assert sum(one.ts for one in known) > sum(one.ts for one in free) + 30.0
    assert sum(one.detected for one in known) > sum(one.detected for one in free)


def test_a_field_unlike_the_known_background_is_fitted_without_it():
    for seed in range(3):
        counts = known_flat(draw_field(seed, background=100, sky=0.6).counts(), 1000.0)
        (found,), empty = find_sources(counts, default_psf(), None)
        assert not found.detected
        assert found.counts.known is None
        assert empty.counts.known is None


@pytest.mark.parametrize(
    ("name", "background", "trial", "with_record"),
    [
        ("sky 10 %", 50, 249, True),
        ("sky 25 %", 50, 172, True),
        ("sky 10 %", 300, 249, False),
        ("sky 25 %", 50, 326, False),
    ],
)
def test_an_outdated_record_of_the_background_makes_no_source(name, background, trial, with_record):
    """Fields with a TS of 15 to 27: in two the positions show no source, the others are unlike the record."""
    case = next(
        case
        for case in known_cases()
        if case.name == f"empty: {name}, {KNOWN}" and case.background.counts == background
    )
    own = zlib.crc32(f"empty: {name} {background}".encode())
    found = located(case, draw(case, np.random.default_rng((41, own, trial))))
    assert found.with_known_background == with_record
    assert not found.detected


def test_a_poorly_known_background_keeps_the_usual_thresholds():
    counts = draw_field(1, background=100, sky=0.0).counts()
    usual, lower = needed_ts(counts), needed_ts(known_flat(counts, 101.0))
    assert lower == detection_constants().known_background.ts_threshold < usual
    assert needed_ts(known_flat(counts, 99.0)) == usual


def test_climbs_to_the_same_maximum_count_once():
    counts = Scene.of_background(
        draw_field(1, [(*BURST, 150), (60.0, 200.0, 150)]).counts()
    ).photons_to_explain
    starts = [(120.0, 125.0, 10.0), (126.0, 118.0, 9.0), (60.0, 200.0, 10.0), (55.0, 206.0, 11.0)]
    climbs = [maximise(counts, PSF, start) for start in starts]
    distinct = _distinct(climbs)
    assert distinct == [climbs[0], climbs[2]]
    assert np.hypot(distinct[1].x - 60.0, distinct[1].y - 200.0) < 15.0
