import astropy.units as u
import pytest
from astropy.coordinates import Angle, SkyCoord
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.models.angles import (
    angle_text,
    declination_text,
    radius_arcsec_text,
    radius_text,
    right_ascension_text,
    separation_arcsec,
    tangent_offset_arcmin,
)

RA = st.floats(0.0, 359.999999)
DEC = st.floats(-90.0, 90.0)
SMALL = st.floats(-0.1, 0.1)


@given(RA, DEC, RA, DEC)
def test_separation_agrees_with_astropy(ra1: float, dec1: float, ra2: float, dec2: float) -> None:
    expected = SkyCoord(ra1, dec1, unit="deg").separation(SkyCoord(ra2, dec2, unit="deg")).arcsec
    assert separation_arcsec(ra1, dec1, ra2, dec2) == pytest.approx(expected, rel=1e-12, abs=1e-9)


@pytest.mark.parametrize(
    ("ra1", "dec1", "ra2", "dec2", "arcsec"),
    [
        (10.0, 20.0, 10.0, 20.0, 0.0),
        (10.0, 0.0, 10.0 + 1e-9, 0.0, 3.6e-6),
        (0.0, 0.0, 180.0, 0.0, 648_000.0),
        (0.0, 90.0, 123.0, -90.0, 648_000.0),
        (359.999, 0.0, 0.001, 0.0, 7.2),
        (0.0, 89.9, 180.0, 89.9, 720.0),
    ],
)
def test_separation_at_the_edges(ra1: float, dec1: float, ra2: float, dec2: float, arcsec: float) -> None:
    assert separation_arcsec(ra1, dec1, ra2, dec2) == pytest.approx(arcsec, rel=1e-6, abs=1e-9)


@given(RA, st.floats(-89.0, 89.0), SMALL, SMALL)
def test_tangent_offset_points_to_the_source(ra0: float, dec0: float, east: float, north: float) -> None:
    centre = SkyCoord(ra0, dec0, unit="deg")
    there = centre.spherical_offsets_by(east * u.deg, north * u.deg)
    x, y = tangent_offset_arcmin(there.ra.deg, there.dec.deg, ra0, dec0)
    assert (x, y) == pytest.approx((60 * east, 60 * north), abs=2e-4)


@pytest.mark.parametrize(
    ("arcsec", "text"),
    [
        (0.5, '0.5"'),
        (99.94, '99.9"'),
        (99.96, "1.67'"),
        (108.6, "1.81'"),
        (1746.6, "29.1'"),
        (36_000, "10.0 deg"),
    ],
)
def test_angle_text(arcsec: float, text: str) -> None:
    assert angle_text(arcsec) == text


@given(RA, DEC)
def test_sexagesimal_agrees_with_astropy(ra: float, dec: float) -> None:
    assert (
        Angle(right_ascension_text(ra), unit="hourangle").deg == pytest.approx(ra, abs=2.1e-5) or ra > 359.9
    )
    assert Angle(declination_text(dec), unit="deg").deg == pytest.approx(dec, abs=1.4e-5)


@pytest.mark.parametrize(
    ("ra", "dec", "text"),
    [
        (0.0, 0.0, "00:00:00.00 +00:00:00.0"),
        (359.99999, -0.000001, "00:00:00.00 +00:00:00.0"),
        (14.9999999, -0.5, "01:00:00.00 -00:30:00.0"),
        (351.045, -80.28361, "23:24:10.80 -80:17:01.0"),
        (15.0, 89.99999, "01:00:00.00 +90:00:00.0"),
    ],
)
def test_sexagesimal_carries(ra: float, dec: float, text: str) -> None:
    assert f"{right_ascension_text(ra)} {declination_text(dec)}" == text


@pytest.mark.parametrize(
    ("arcsec", "text", "in_arcsec"),
    [
        (0.0, '0"', "0"),
        (0.36, '0.36"', "0.36"),
        (0.0973, '0.10"', "0.10"),
        (4.04, '4.0"', "4.0"),
        (9.49, '9.5"', "9.5"),
        (9.51, '10"', "10"),
        (48.2, '48"', "48"),
        (121.0, "2.0'", "121"),
        (5940.0, "99'", "5940"),
        (6570.0, "1.8 deg", "6570"),
        (648_000.0, "180 deg", "648000"),
    ],
)
def test_an_error_radius_has_two_digits(arcsec: float, text: str, in_arcsec: str) -> None:
    assert (radius_text(arcsec), radius_arcsec_text(arcsec)) == (text, in_arcsec)
