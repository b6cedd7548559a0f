from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mxtvhf.instrument.constants import instrument
from mxtvhf.localisation.background import (
    BackgroundDensities,
    background_courses,
    background_shapes,
    background_spectra,
    background_vignetting,
)
from mxtvhf.localisation.constants import detection_constants
from mxtvhf.localisation.photon_weights import time_weights
from support.fields import CALIBRATION, GTI, draw_field

BACKGROUND = CALIBRATION.background
COLUMN, ROW = (axis.ravel() for axis in np.meshgrid(np.arange(256), np.arange(256)))


def with_background(**changes):
    return replace(CALIBRATION, background=BACKGROUND.model_copy(update=changes))


def band_channels():
    low, high = instrument().energy.band_kev
    return np.arange(np.ceil(CALIBRATION.gain.channel(low)), CALIBRATION.gain.channel(high))


# --- energies


def test_every_spectral_component_has_a_mean_of_one_over_the_band():
    densities = background_spectra(band_channels(), CALIBRATION)
    assert len(densities) == len(BACKGROUND.continua) + len(BACKGROUND.lines)
    assert (densities >= 0.0).all()
    assert densities.mean(axis=1) == pytest.approx(np.ones(len(densities)), abs=0.02)


def test_a_line_is_highest_at_its_energy_and_the_flat_component_is_flat():
    channels = band_channels()
    densities = background_spectra(channels, CALIBRATION)
    for line, density in zip(BACKGROUND.lines, densities[len(BACKGROUND.continua) :], strict=True):
        assert CALIBRATION.gain.energy(channels[density.argmax()]) == pytest.approx(line.energy_kev, abs=0.01)
    assert BACKGROUND.continua[0].index == 0.0
    np.testing.assert_allclose(densities[0], 1.0)


def test_a_component_through_the_optics_is_multiplied_by_the_effective_area():
    steady = BACKGROUND.continua[0]
    through = steady.model_copy(update={"through_optics": True})
    flat, seen = background_spectra(band_channels(), with_background(continua=(steady, through), lines=()))
    assert np.ptp(flat) == pytest.approx(0.0, abs=1e-9)
    assert seen[:1000].mean() > 1.5 * seen[-1000:].mean()


def test_a_calibration_without_components_still_gives_a_result():
    nothing = with_background(continua=(), lines=())
    assert background_spectra(band_channels(), nothing).shape == (0, band_channels().size)
    assert background_spectra(np.empty(0), nothing).shape == (0, 0)
    photons = draw_field(1, [(100.0, 60.0, 200)])
    found = photons.localised(background=BackgroundDensities(background_spectra(photons.pha, nothing)))
    assert found.detected
    assert np.hypot(found.x - 100.0, found.y - 60.0) < 15.0


# --- positions


@st.composite
def exposures(draw):
    """Return any exposure map: unexposed columns, rows and pixels, and partial exposures."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    exposure = np.ones((256, 256))
    exposure[:, : draw(st.integers(0, 255))] *= draw(st.sampled_from([0.0, 0.5]))
    exposure[draw(st.integers(1, 256)) :] *= draw(st.sampled_from([0.0, 0.2]))
    exposure *= rng.random((256, 256)) < draw(st.sampled_from([0.01, 0.9, 1.0]))
    exposure[rng.integers(256), rng.integers(256)] = 1.0
    return exposure


@given(exposures())
@settings(max_examples=25, deadline=None)
def test_every_shape_is_positive_and_has_a_mean_of_one_over_the_exposed_pixels(good):
    shapes = background_shapes(COLUMN, ROW, good, (0.0, 0.3))
    assert (shapes > 0.0).all()
    np.testing.assert_allclose(shapes[0, 0], 1.0)
    np.testing.assert_allclose(shapes @ good.ravel() / good.sum(), np.ones(shapes.shape[:2]), rtol=1e-9)


def test_the_shapes_rise_and_fall_along_each_axis_and_from_the_middle():
    column, row = [5, 250, 128, 128, 128, 5], [128, 128, 5, 250, 128, 5]
    left, right, bottom, top, middle, corner = background_shapes(column, row, np.ones((256, 256)))[0].T
    most = detection_constants().background.largest_slope
    assert right[1] / left[1] == pytest.approx((1.0 + most) / (1.0 - most), rel=0.1)
    assert (left[2] > right[2], top[3] > bottom[3], bottom[4] > top[4]) == (True, True, True)
    assert (middle[5] > corner[5], middle[6] < corner[6]) == (True, True)


def test_background_through_the_optics_is_vignetted():
    shapes = background_shapes([128, 0, 0], [128, 0, 128], np.ones((256, 256)), (0.0, 0.3))
    middle, corner, edge = shapes[1, 0]
    assert corner / middle == pytest.approx(0.7, abs=0.01)
    assert edge / middle == pytest.approx(0.85, abs=0.01)
    assert background_vignetting(CALIBRATION) == (0.0, BACKGROUND.vignetting)


# --- times


def test_every_light_curve_has_a_mean_of_one_over_the_good_time():
    time = np.concatenate([np.arange(start, stop, 0.5) + 0.25 for start, stop in GTI])
    courses = background_courses(time, GTI, time_weights(time, GTI, 40.0, [1.2, 2.4]))
    assert len(courses) == 1 + 8 + 2
    np.testing.assert_allclose(courses[0], 1.0)
    assert courses.mean(axis=1) == pytest.approx(np.ones(11), rel=2e-3)


def test_an_interval_continues_after_a_gap():
    # 450 s of good time in 8 intervals; the sixth begins before the gap and ends after it.
    gti = np.array([[0.0, 300.0], [1000.0, 1150.0]])
    courses = background_courses([290.0, 1010.0, 1149.0, 1150.0], gti, np.empty((0, 4)))
    assert courses.shape == (9, 4)
    np.testing.assert_allclose(courses[6], [8.0, 8.0, 0.0, 0.0])
    np.testing.assert_allclose(courses[8], [0.0, 0.0, 8.0, 8.0])
    np.testing.assert_allclose(courses[1:].sum(axis=0), 8.0)
