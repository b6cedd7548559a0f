import pytest
from astropy import units as u

from mxtvhf.catalogues.units import FLUX_UNIT, angle_unit, flux_unit, stated, unit_in_name


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("DEGREE", u.deg), ("degrees", u.deg), ("Angle[deg]", u.deg), ('"d:m:s"', u.deg),
        ("DD MM SS.S", u.deg),
        ("hour", u.hourangle), ("HRS", u.hourangle), ('"h:m:s"', u.hourangle), ("hms", u.hourangle),
        ("ARCSEC", u.arcsec), ("arcseconds", u.arcsec), ('"', u.arcsec), ("arcminutes", u.arcmin),
        ("mas", u.mas),
        ("radians", u.rad), ("d", None), ("s", None), ("kg", None), ("count/s", None),
    ],
)  # fmt: skip
def test_angles(text, unit):
    assert angle_unit(text) == unit


def test_scaled_angle():
    assert angle_unit("0.1arcsec").to(u.arcsec) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        ("erg/cm2/s", 1.0), ("ERG/CM**2/S", 1.0), ("ergs cm^-2 s^-1", 1.0), ("erg/cm2/sec", 1.0),
        ("mW/m2", 1.0),
        ("10-12 erg/cm2/s", 1e-12), ("1e-15 W/m2", 1e-12), ("count/s", None), ("mJy", None), ("x", None),
    ],
)  # fmt: skip
def test_fluxes(text, factor):
    unit = flux_unit(text)
    assert (unit and unit.to(FLUX_UNIT)) == (factor and pytest.approx(factor))


@pytest.mark.parametrize("text", [None, "", "  ", "---", "None", "unitless"])
def test_no_unit(text):
    assert stated(text) is None


@pytest.mark.parametrize(
    ("name", "unit"),
    [("r90_arcsec", u.arcsec), ("RA (deg)", u.deg), ("DEdeg", u.deg), ("ra", None), ("grad", None)],
)
def test_units_in_names(name, unit):
    assert unit_in_name(name) == unit
