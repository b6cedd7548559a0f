import numpy as np
import pytest

from mxtvhf.catalogues.frames import Frame, fits_frame, frame, frame_by_name
from mxtvhf.errors import InvalidInput

# 3C 273: B1950 of Schmidt (1963, Nature 197, 1040), ICRS of the ICRF; Sgr A*: galactic of Reid & Brunthaler
# (2004, ApJ 616, 872), ICRS of the same.
PLACES = [
    ("FK4 B1950", 186.63842, 2.32875, 187.27792, 2.05239, 2.0),
    ("galactic", 359.94423, -0.04616, 266.41684, -29.00781, 0.2),
    ("ecliptic", 0.0, 90.0, 270.0, 66.56071, 0.1),
    ("ICRS", 10.0, 20.0, 10.0, 20.0, 1e-9),
    ("FK5", 10.0, 20.0, 10.0, 20.0, 0.03),
]


@pytest.mark.parametrize(("name", "longitude", "latitude", "ra", "dec", "arcsec"), PLACES)
def test_published_places(name, longitude, latitude, ra, dec, arcsec):
    found = frame_by_name(name).to_icrs(np.array([longitude]), np.array([latitude]))
    east = (found[0][0] - ra) * np.cos(np.radians(dec))
    assert 3600.0 * np.hypot(east, found[1][0] - dec) < arcsec


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("icrs", "ICRS"),
        ("eq_FK4", "FK4 B1950"),
        ("fk4 1975", "FK4 B1975"),
        ("FK4-NO-E", "FK4-NO-E B1950"),
        ("J2000", "FK5 J2000"),
        ("B1950", "FK4 B1950"),
        ("FK5 J1975.5", "FK5 J1975.5"),
        ("SUPER_GALACTIC", "supergalactic"),
    ],
)
def test_names(name, text):
    assert str(frame_by_name(name)) == text


@pytest.mark.parametrize(
    "name", ["", "ecl_FK4", "xy", "FK4 soon", "FK4 2000.0", "FK5 1950", "ICRS 1950", "FK4 0000"]
)
def test_unknown_or_contradictory(name):
    with pytest.raises(InvalidInput, match=r"frame|equinox"):
        frame_by_name(name)


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        (({},), "None"),
        (({"RADESYS": "FK4"},), "FK4 B1950"),
        (({"RADECSYS": "FK5", "EQUINOX": 2000.0},), "FK5 J2000"),
        (({"EQUINOX": 1950.0},), "FK4 B1950"),
        (({"EQUINOX": 2000},), "FK5 J2000"),
        (({"EPOCH": 1950.0},), "FK4 B1950"),
        (({"EPOCH": 2016.0},), "None"),
        (({}, {"RADESYS": "ICRS"}), "ICRS"),
        (({"RADESYS": "ICRS"}, {"RADESYS": "FK4"}), "ICRS"),
    ],
)
def test_fits_headers(headers, text):
    assert str(fits_frame(headers)) == text


def test_nearly_the_same():
    assert Frame("ICRS").is_like(Frame("FK5"))
    assert not Frame("ICRS").is_like(Frame("FK4"))
    assert frame("FK4", None, "B1983.5").epoch == "B1983.5"
    assert frame("ICRS", "J2000", "2016-01-01").epoch == "2016-01-01"
    with pytest.raises(InvalidInput, match="epoch"):
        frame("FK4", None, "2016-01-01")
