import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mxtvhf.analysis.constants import analysis_constants
from mxtvhf.analysis.other_sources import OtherSource, exposure_without, others_fraction
from mxtvhf.analysis.regions import choose_regions, distances
from mxtvhf.instrument.pixels import ExposureMap
from mxtvhf.instrument.psf import LobsterEyePsf
from mxtvhf.simulator.photons import simulate_photons

PSF = LobsterEyePsf()
WHOLE = ExposureMap(np.ones((256, 256)))
RULES = analysis_constants().others


def without(*others, x=60.0, y=60.0, n_background=300.0):
    return exposure_without(WHOLE, x, y, others, n_background=n_background, psf=PSF)


def test_without_others_nothing_changes():
    assert np.array_equal(without(), WHOLE)


@pytest.mark.parametrize("counts", [50.0, 200.0, 1000.0])
def test_a_circle_around_the_other_source_is_left_out(counts):
    kept = without(OtherSource(180.0, 170.0, counts))
    distance = distances(180.0, 170.0)
    radius = distance[kept == 0.0].max()
    assert (kept[distance <= radius] == 0.0).all()
    assert 5.0 < radius <= RULES.largest_pixel


def test_a_brighter_source_has_a_larger_circle_and_more_background_a_smaller_one():
    def left_out(counts, n_background):
        return np.count_nonzero(without(OtherSource(180.0, 170.0, counts), n_background=n_background) == 0.0)

    assert left_out(50.0, 300.0) < left_out(300.0, 300.0)
    assert left_out(300.0, 300.0) > left_out(300.0, 1000.0)


def test_a_circle_reaches_half_the_way_to_the_source():
    kept = without(OtherSource(80.0, 60.0, 1e4))
    assert (kept[distances(60.0, 60.0) < 9.0] == 1.0).all()


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.builds(OtherSource, st.floats(0.0, 255.0), st.floats(0.0, 255.0), st.floats(0.0, 1e4)), max_size=20
    )
)
def test_the_detector_is_never_used_up(others):
    kept = without(*others)
    assert kept.sum() >= RULES.least_left * WHOLE.sum()
    assert set(np.unique(kept)) <= {0.0, 1.0}


def test_the_estimated_part_of_others_is_that_of_simulated_photons():
    """Without the burst, what is left in the net counts is of the other source."""
    other, place = OtherSource(150.0, 120.0, 4000.0), (90.0, 118.0)
    photons = simulate_photons(
        x=other.x, y=other.y, counts=other.counts, background=300, start=0.0, stop=300.0, exact=True,
        rng=np.random.default_rng(5),
    )  # fmt: skip
    exposure = without(other, x=place[0], y=place[1])
    regions = choose_regions(*place, n_source=300.0, n_background=300.0, psf=PSF, exposure=exposure)
    counted = [int(region[photons.y, photons.x].sum()) for region in (regions.source, regions.background)]
    burst = 300
    part = others_fraction(regions, [other], counted[0] + burst, counted[1], exposure=WHOLE, psf=PSF)
    net = counted[0] - regions.area_ratio * counted[1]
    assert part == pytest.approx(net / (net + burst), abs=0.05)
    assert part > 0.1


def test_no_part_without_others_or_net_counts():
    regions = choose_regions(90.0, 118.0, n_source=300.0, n_background=300.0, psf=PSF, exposure=WHOLE)
    assert others_fraction(regions, [], 100, 100, exposure=WHOLE, psf=PSF) is None
    assert others_fraction(regions, [OtherSource(1.0, 1.0, 9.0)], 0, 500, exposure=WHOLE, psf=PSF) is None
