import numpy as np
import pytest
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mxtvhf.errors import InvalidInput
from mxtvhf.instrument import instrument, pixel_scale_arcsec
from mxtvhf.pointing import AttitudeHistory, Pointing, fixed_pointing, quaternion_of, stable_intervals

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
    """Separation without going through unit vectors, whose rounding alone is 1e-11 arcsec."""
    dra = (np.asarray(ra1) - ra2 + 180.0) % 360.0 - 180.0
    return 3600 * np.hypot(dra * np.cos(np.radians(dec1)), np.asarray(dec1) - dec2)


def detector_wcs(pointing):
    """World coordinates of the detector's image: columns grow to the right of up."""
    scale = np.degrees(instrument()["detector"]["pixel_size_mm"] / instrument()["optics"]["focal_length_mm"])
    roll = np.radians(pointing.roll_deg)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crpix = 128.5, 128.5
    wcs.wcs.crval = pointing.ra_deg, pointing.dec_deg
    wcs.wcs.cd = scale * np.array([[-np.cos(roll), np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    # The default is 0 for a boresight exactly at the North pole, 180 everywhere else.
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
def test_the_sky_is_where_wcslib_puts_it(pointing):
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
def test_the_attitude_puts_a_pixel_where_the_pointing_does(ra, dec, roll, x, y):
    """The quaternion and the gnomonic formulae are two ways to the same place."""
    this = instrument()
    scale = this["detector"]["pixel_size_mm"] / this["optics"]["focal_length_mm"]
    # Body: +X boresight, +Y left of up, +Z up; columns grow to the right.
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
    focal = instrument()["optics"]["focal_length_mm"] / instrument()["detector"]["pixel_size_mm"]
    assert dec * 3600 == pytest.approx(3600 * np.degrees(np.arctan([1 / focal, 100 / focal])), rel=1e-13)
    assert dec[0] * 3600 == pytest.approx(pixel_scale_arcsec(), rel=1e-8)


def test_the_far_half_of_the_sky_has_no_pixel():
    x, y = Pointing(10.0, 20.0, 0.0).sky_to_pixel([190.0, 10.0], [-20.0, 20.0])
    assert np.isnan([x[0], y[0]]).all()
    assert np.isfinite([x[1], y[1]]).all()


def history(flags, *, step=10.0, quaternions=None):
    if quaternions is None:
        quaternions = np.tile(quaternion_of(10.0, 20.0, 30.0), (len(flags), 1))
    return AttitudeHistory(np.arange(len(flags)) * step, np.asarray(quaternions), np.asarray(flags, bool))


def test_the_fixed_pointing_is_the_mean_of_the_stable_samples():
    decs = (20.0, 20.001, 20.002, 60.0)
    attitude = history([1, 1, 1, 0], quaternions=[quaternion_of(10.0, dec, 30.0) for dec in decs])
    fixed = fixed_pointing(attitude)
    assert (fixed.pointing.ra_deg, fixed.pointing.dec_deg) == pytest.approx((10.0, 20.001), abs=1e-7)
    assert fixed.spread_arcsec == pytest.approx(3.6, abs=1e-3)
    assert fixed.steady


def test_a_sign_of_a_quaternion_means_nothing():
    quaternion = quaternion_of(10.0, 20.0, 30.0)
    fixed = fixed_pointing(history([1, 1], quaternions=[quaternion, -quaternion]))
    assert fixed.spread_arcsec < 1e-6
    assert fixed.pointing.dec_deg == pytest.approx(20.0, abs=1e-9)


def test_a_drift_is_not_steady():
    quaternions = [quaternion_of(10.0, dec, 30.0) for dec in (20.0, 20.01)]
    assert not fixed_pointing(history([1, 1], quaternions=quaternions)).steady


def test_without_stable_pointing_there_is_none():
    with pytest.raises(InvalidInput, match="none of the 2 samples is of stable pointing"):
        fixed_pointing(history([0, 0]))


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([1, 1, 1], [[-5.0, 99.0]]),
        ([0, 0], []),
        ([0, 1, 1, 0], [[10.0, 30.0]]),
        ([1, 0, 1, 0, 1], [[-5.0, 10.0], [20.0, 30.0], [40.0, 99.0]]),
        ([1], [[-5.0, 99.0]]),
    ],
)
def test_stable_intervals(flags, expected):
    found = stable_intervals(history(flags), -5.0, 99.0)
    assert found.shape[1] == 2
    assert found.tolist() == expected


def test_stable_intervals_stay_inside_the_span():
    assert stable_intervals(history([1, 0, 1, 1]), 12.0, 25.0).tolist() == [[20.0, 25.0]]
    assert stable_intervals(history([0, 1]), 0.0, 5.0).tolist() == []


def test_an_attitude_history_survives_its_file():
    attitude = history([1, 0, 1])
    again = AttitudeHistory.from_bytes(attitude.to_bytes())
    np.testing.assert_array_equal(again.quaternion, attitude.quaternion)
    assert again.stable.tolist() == [True, False, True]


@given(ra=right_ascensions, dec=declinations, roll=rolls, x=pixels, y=pixels)
def test_the_alignment_tells_how_the_detector_lies(ra, dec, roll, x, y):
    """A detector that is moved, turned and mirrored sees what the pixel at that place saw before."""
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
