import numpy as np
import pytest
from astropy.wcs import WCS
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.instrument.constants import instrument, pixel_scale_arcsec
from mxtvhf.instrument.pointing import (
    Pointing,
    drift_corrected_pixels,
    exposure_map,
    quaternion_of,
    seen_pixels,
)
from mxtvhf.simulator.pointing import moving_attitude

right_ascensions = st.floats(0.0, 360.0, exclude_max=True) | st.sampled_from([0.0, 1e-12, 180.0, 359.9999999])
declinations = st.floats(-90.0, 90.0) | st.sampled_from([-90.0, -89.9999, 0.0, 89.9, 90.0])
rolls = st.floats(0.0, 360.0, exclude_max=True)
pixels = st.floats(-0.5, 255.5)


def unit(ra, dec):
    ra, dec = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def separation_arcsec(ra1, dec1, ra2, dec2):
    chord = np.linalg.norm(unit(ra1, dec1) - unit(ra2, dec2), axis=-1)
    return np.degrees(2 * np.arcsin(chord / 2)) * 3600


def small_separation_arcsec(ra1, dec1, ra2, dec2):
    """Return the separation without using unit vectors, whose rounding alone is 1e-11 arcsec."""
    dra = (np.asarray(ra1) - ra2 + 180.0) % 360.0 - 180.0
    return 3600 * np.hypot(dra * np.cos(np.radians(dec1)), np.asarray(dec1) - dec2)


def detector_wcs(pointing):
    """Return the world coordinates of the detector image; columns increase to the right of up."""
    scale = np.degrees(instrument().detector.pixel_size_mm / instrument().optics.focal_length_mm)
    roll = np.radians(pointing.roll_deg)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crpix = 128.5, 128.5
    wcs.wcs.crval = pointing.ra_deg, pointing.dec_deg
    wcs.wcs.cd = scale * np.array([[-np.cos(roll), np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    # The default is 0 for a boresight exactly at the North pole and 180 everywhere else.
    wcs.wcs.lonpole = 180.0
    return wcs


@pytest.mark.parametrize(
    "pointing",
    [
        Pointing(150.0, -30.0, 40.0),
        Pointing(0.1, 0.0, 0.0),
        Pointing(359.99, 45.0, 270.0),
        Pointing(12.0, 89.9, 123.0),
        Pointing(12.0, 90.0, 200.0),
        Pointing(200.0, -90.0, 10.0),
    ],
)
def test_sky_positions_agree_with_wcslib(pointing):
    wcs = detector_wcs(pointing)
    x, y = (values.ravel() for values in np.meshgrid(np.arange(0, 256, 5), np.arange(0, 256, 5)))
    ra, dec = pointing.pixel_to_sky(x, y)
    expected = wcs.wcs_pix2world(x, y, 0)
    assert small_separation_arcsec(ra, dec, *expected).max() <= 1e-9
    np.testing.assert_allclose(pointing.sky_to_pixel(*expected), (x, y), rtol=0, atol=1e-9)


@given(ra=right_ascensions, dec=declinations, roll=rolls, x=pixels, y=pixels)
def test_pixel_to_sky_and_back(ra, dec, roll, x, y):
    pointing = Pointing(ra, dec, roll)
    sky = pointing.pixel_to_sky(x, y)
    assert 0.0 <= sky[0] < 360.0
    assert -90.0 <= sky[1] <= 90.0
    np.testing.assert_allclose(pointing.sky_to_pixel(*sky), (x, y), rtol=0, atol=1e-8)


@given(ra=right_ascensions, dec=declinations, roll=rolls, x=pixels, y=pixels)
def test_attitude_and_pointing_give_the_same_sky_position(ra, dec, roll, x, y):
    """The quaternion and the gnomonic formulae give the same position."""
    this = instrument()
    scale = this.detector.pixel_size_mm / this.optics.focal_length_mm
    # Body frame: +X boresight, +Y left of up, +Z up; columns increase to the right.
    body = np.array([1.0, -(x - 127.5) * scale, (y - 127.5) * scale])
    towards = Rotation.from_quat(quaternion_of(ra, dec, roll)).apply(body / np.linalg.norm(body))
    sky = Pointing(ra, dec, roll).pixel_to_sky(x, y)
    assert np.linalg.norm(unit(*sky) - towards) < 1e-14


@given(ra=right_ascensions, dec=declinations, roll=rolls)
def test_a_quaternion_holds_the_pointing(ra, dec, roll):
    found = Pointing.from_quaternion(quaternion_of(ra, dec, roll))
    assert separation_arcsec(found.ra_deg, found.dec_deg, ra, dec) < 1e-9
    corner = Pointing(ra, dec, roll).pixel_to_sky(0, 0)
    assert separation_arcsec(*found.pixel_to_sky(0, 0), *corner) < 1e-9


def test_north_is_up_and_east_is_left_without_roll():
    pointing = Pointing(80.0, 20.0, 0.0)
    ra, dec = pointing.pixel_to_sky([127.5, 127.5, 100.0], [127.5, 155.0, 127.5])
    assert (ra[0], dec[0]) == pytest.approx((80.0, 20.0), abs=1e-12)
    assert dec[1] > 20.0
    assert ra[1] == pytest.approx(80.0, abs=1e-12)
    assert ra[2] > 80.0


def test_roll_turns_up_towards_east():
    ra, dec = Pointing(80.0, 20.0, 90.0).pixel_to_sky(127.5, 200.0)
    assert ra > 80.0
    assert dec == pytest.approx(20.0, abs=0.01)


def test_a_pixel_is_smaller_at_the_edge():
    pointing = Pointing(0.0, 0.0, 0.0)
    dec = pointing.pixel_to_sky([127.5, 127.5], [128.5, 227.5])[1]
    focal = instrument().optics.focal_length_mm / instrument().detector.pixel_size_mm
    assert dec * 3600 == pytest.approx(3600 * np.degrees(np.arctan([1 / focal, 100 / focal])), rel=1e-13)
    assert dec[0] * 3600 == pytest.approx(pixel_scale_arcsec(), rel=1e-8)


def test_the_far_half_of_the_sky_has_no_pixel():
    x, y = Pointing(10.0, 20.0, 0.0).sky_to_pixel([190.0, 10.0], [-20.0, 20.0])
    assert np.isnan([x[0], y[0]]).all()
    assert np.isfinite([x[1], y[1]]).all()


@st.composite
def drifts(draw):
    """Return an attitude that rotates about one axis at a constant rate, and the rotation at any time."""
    start = Rotation.from_quat(quaternion_of(draw(right_ascensions), draw(declinations), draw(rolls)))
    axis = unit(draw(st.floats(0.0, 360.0)), draw(st.floats(-90.0, 90.0)))
    rate = np.radians(draw(st.floats(0.0, 2.0)) / 3600.0)
    time = np.arange(0.0, 301.0, 10.0)
    quaternion = (start * Rotation.from_rotvec(np.outer(time * rate, axis))).as_quat()
    return (
        AttitudeHistory(time, quaternion, np.ones(len(time), bool)),
        lambda moment: start * Rotation.from_rotvec(np.outer(moment * rate, axis)),
    )


@given(drift=drifts(), moments=st.lists(st.floats(0.0, 300.0), max_size=20), seed=st.integers(0, 99))
def test_a_photon_is_placed_with_the_attitude_at_its_own_time(drift, moments, seed):
    attitude, truth = drift
    time = np.sort(np.asarray(moments, float))
    x, y = np.random.default_rng(seed).uniform(-0.5, 255.5, (2, len(time)))
    mean = Pointing.from_quaternion(attitude.quaternion[15])
    ra, dec = mean.pixel_to_sky(*drift_corrected_pixels(mean, attitude, time, x, y))
    if not len(time):
        return
    for moment, *photon in zip(time, x, y, ra, dec, strict=True):
        then = Pointing.from_quaternion(truth(np.array([moment])).as_quat()[0])
        assert separation_arcsec(*then.pixel_to_sky(*photon[:2]), *photon[2:]) < 1e-7
    back = seen_pixels(mean, attitude, time, *drift_corrected_pixels(mean, attitude, time, x, y))
    np.testing.assert_allclose(back, (x, y), rtol=0, atol=1e-8)


def test_without_motion_the_pixels_stay():
    quaternion = np.tile(quaternion_of(10.0, 80.0, 20.0), (3, 1))
    attitude = AttitudeHistory(np.arange(3.0), quaternion, np.ones(3, bool))
    pixels = np.array([0.0, 255.0]), np.array([17.0, 3.0])
    found = drift_corrected_pixels(Pointing(10.0, 80.0, 20.0), attitude, np.array([0.5, 9.0]), *pixels)
    np.testing.assert_allclose(found, pixels, rtol=0, atol=1e-9)


def test_a_photon_from_the_opposite_hemisphere_has_no_pixel():
    attitude = AttitudeHistory(np.zeros(1), quaternion_of(190.0, -80.0, 20.0)[None], np.ones(1, bool))
    found = drift_corrected_pixels(
        Pointing(10.0, 80.0, 20.0), attitude, np.zeros(1), np.zeros(1), np.zeros(1)
    )
    assert np.isnan(found).all()


def test_the_alignment_is_not_motion():
    changes = {"column": 100.5, "rotation_deg": 90.0}
    pointing = Pointing(80.0, 20.0, 0.0, default_calibration().alignment.model_copy(update=changes))
    attitude = AttitudeHistory(np.zeros(1), pointing.quaternion()[None], np.ones(1, bool))
    pixel = drift_corrected_pixels(pointing, attitude, np.zeros(1), np.array([3.0]), np.array([7.0]))
    np.testing.assert_allclose(pixel, [[3.0], [7.0]], rtol=0, atol=1e-9)


@given(ra=right_ascensions, dec=declinations, roll=rolls, x=pixels, y=pixels)
def test_the_alignment_gives_the_orientation_of_the_detector(ra, dec, roll, x, y):
    """A shifted, rotated and mirrored detector sees the same sky with the corresponding pixels."""
    plain = Pointing(ra, dec, roll)
    changes = {"column": 120.0, "row": 130.0, "rotation_deg": 3.0, "column_parity": 1}
    other = Pointing(ra, dec, roll, plain.alignment.model_copy(update=changes))
    turn = np.radians(3.0)
    across, up = -(x - 120.0), y - 130.0
    same = (
        127.5 + across * np.cos(turn) - up * np.sin(turn),
        127.5 + across * np.sin(turn) + up * np.cos(turn),
    )
    np.testing.assert_allclose(
        unit(*other.pixel_to_sky(x, y)), unit(*plain.pixel_to_sky(*same)), rtol=0, atol=1e-14
    )
    np.testing.assert_allclose(other.sky_to_pixel(*other.pixel_to_sky(x, y)), (x, y), rtol=0, atol=1e-8)


def mask(*columns):
    good = np.ones((256, 256), bool)
    good[:, list(columns)] = False
    return good


@given(ra=right_ascensions, dec=declinations, roll=rolls)
def test_without_drift_the_exposure_map_is_the_good_pixel_mask(ra, dec, roll):
    pointing, good = Pointing(ra, dec, roll), mask(7, 255)
    attitude = AttitudeHistory(np.zeros(1), pointing.quaternion()[None], np.ones(1, bool))
    np.testing.assert_array_equal(exposure_map(pointing, attitude, np.array([0.0, 5.0]), good), good)


def test_a_telescope_pointing_elsewhere_does_not_expose_the_field():
    for away in (3.0, 89.9, 90.0, 180.0):
        attitude = AttitudeHistory(np.zeros(1), quaternion_of(away, 0.0, 0.0)[None], np.ones(1, bool))
        assert not exposure_map(Pointing(0.0, 0.0, 0.0), attitude, np.zeros(1), mask()).any()


@given(
    roll=rolls, drift=st.floats(0.0, 600.0), columns=st.sets(st.integers(0, 255), max_size=60),
    x=st.integers(0, 255), y=st.integers(0, 255),
)  # fmt: skip
def test_a_drift_smears_bad_pixels_and_edges(roll, drift, columns, x, y):
    """The map gives the fraction of moments at which ``seen_pixels`` maps a pixel to a good one."""
    pointing, good = Pointing(80.0, 20.0, roll), mask(*columns)
    attitude = moving_attitude(pointing, 0.0, 300.0, drift_arcsec=drift)
    moments = np.linspace(0.0, 300.0, 7)
    part = exposure_map(pointing, attitude, moments, good)
    seen = np.array(seen_pixels(pointing, attitude, moments, np.full(7, x), np.full(7, y)))
    assume((abs(seen - np.floor(seen) - 0.5) > 1e-3).all())
    column, row = np.rint(seen).astype(int)
    inside = (column >= 0) & (column < 256) & (row >= 0) & (row < 256)
    expected = [there and good[j, i] for there, i, j in zip(inside, column, row, strict=True)]
    assert part[y, x] == pytest.approx(np.mean(expected))
