"""Visibility against published almanac values and astropy's own coordinates."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_body
from astropy.time import Time
from astropy.utils import iers

from mxtvhf.errors import InvalidInput, SeveralFaults
from mxtvhf.followup import observatories as observatories_room
from mxtvhf.followup.model import Limits
from mxtvhf.followup.observatories import Observatories, Telescope, observatories
from mxtvhf.followup.sun_and_moon import julian_date
from mxtvhf.followup.visibility import _Sky, airmass, altitude_deg, visibility

START = datetime(2026, 3, 20, 0, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def telescope(latitude=40.8939, longitude=-83.8917, height=0.0, **more):
    """A telescope in Bluffton, Ohio, the place of Skyfield's examples."""
    fields = {"name": "Bluffton", "site": "Bluffton", "filters": "R", "source": "Skyfield's documentation"}
    return Telescope(longitude_deg=longitude, latitude_deg=latitude, height_m=height, **{**fields, **more})


def limits(sun=-12.0, altitude=(30.0, 90.0), moon=30.0):
    return Limits(source="test", assumed=True, sun_altitude_deg=sun, altitude_deg=altitude, moon_deg=moon)


def one(*arguments, place=None, **options):
    of = Observatories(limits=limits(**options.pop("limits", {})), telescopes=(place or telescope(),))
    (found,) = visibility(*arguments, of=of, **options).telescopes
    return found


def crossing(body, height, start, rising):
    """The time when a body crosses an altitude in the 24 h after a start."""
    moments = [start + timedelta(seconds=20 * step) for step in range(24 * 180)]
    sky = _Sky(0.0, 0.0, np.array([julian_date(moment) for moment in moments]))
    above = altitude_deg(getattr(sky, body), telescope()) - height
    (at,) = np.flatnonzero(
        (above[:-1] < 0) & (above[1:] >= 0) if rising else (above[:-1] >= 0) & (above[1:] < 0)
    )
    return moments[at] + timedelta(seconds=20 * float(above[at] / (above[at] - above[at + 1])))


@pytest.mark.parametrize(
    ("body", "height", "start", "rising", "published"),
    [
        # Skyfield, documentation "Almanac Computation", computed from JPL's DE421.
        ("sun", -50 / 60, datetime(2018, 9, 12, 4), True, datetime(2018, 9, 12, 11, 13, 12)),
        ("sun", -50 / 60, datetime(2018, 9, 12, 4), False, datetime(2018, 9, 12, 23, 49, 38)),
    ],
)
def test_the_sun_rises_and_sets_when_the_almanac_says(body, height, start, rising, published):
    found = crossing(body, height, start.replace(tzinfo=UTC), rising)
    assert abs(found - published.replace(tzinfo=UTC)) < 4 * SECOND


def test_the_galactic_centre_rises_when_the_almanac_says():
    """Skyfield: RA 17h45m40.04s, Dec -29d00m28.1s rises (altitude -34') at 2020-02-01 10:29:00."""
    start = datetime(2020, 2, 1, tzinfo=UTC)
    found = one(266.41683, -29.00781, start, limits={"sun": 0.0, "altitude": (0.0, 90.0)})
    # The altitude of 34' is reached on the way up after the published time of -34'; compare at the same one.
    sky = _Sky(266.41683, -29.00781, np.array([julian_date(datetime(2020, 2, 1, 10, 29, tzinfo=UTC))]))
    assert altitude_deg(sky.target, telescope(), is_distant=True)[0] == pytest.approx(-34 / 60, abs=0.012)
    assert found.windows[0].start > datetime(2020, 2, 1, 10, 29, tzinfo=UTC)


@pytest.mark.parametrize("start", [START, datetime(2026, 7, 2, 13, 30, 12, 250000, tzinfo=UTC)])
def test_altitudes_are_those_of_astropy(start):
    every = observatories().telescopes
    found = {one.telescope: one for one in visibility(150.1, 2.2, start).telescopes}
    moments = Time(start) + np.arange(0, 289, 24) * 5 * u.min
    with iers.conf.set_temp("auto_download", False):
        for there in every[:6]:
            place = EarthLocation.from_geodetic(there.longitude_deg, there.latitude_deg, there.height_m)
            frame = AltAz(obstime=moments, location=place)
            known = SkyCoord(150.1, 2.2, unit="deg").transform_to(frame).alt.deg
            assert np.abs(np.array(found[there.name].altitudes_deg[::24]) - known).max() < 0.02
            moon = get_body("moon", moments, place).transform_to(frame).alt.deg
            sky = _Sky(150.1, 2.2, np.array([julian_date(one) for one in moments.to_datetime(timezone=UTC)]))
            assert np.abs(altitude_deg(sky.moon, there) - moon).max() < 0.02


@pytest.mark.parametrize(("altitude", "tolerance"), [(90.0, 1e-3), (60.0, 1e-3), (30.0, 4e-3), (20.0, 1e-2)])
def test_the_airmass_is_that_of_a_plane_parallel_atmosphere_within_its_error(altitude, tolerance):
    assert airmass(altitude) == pytest.approx(1.0 / np.sin(np.radians(altitude)), rel=tolerance)


def test_the_airmass_at_the_horizon_is_the_published_one():
    assert airmass(0.0) == pytest.approx(37.92, abs=0.01), "Kasten & Young 1989, table II"


def test_windows_end_at_the_limits():
    found = one(150.1, 2.2, START)
    (window,) = found.windows
    for moment in (window.start, window.end):
        sky = _Sky(150.1, 2.2, np.array([julian_date(moment)]))
        height = altitude_deg(sky.target, telescope(), is_distant=True)[0]
        sun = altitude_deg(sky.sun, telescope())[0]
        assert min(abs(height - 30.0), abs(sun + 12.0)) < 0.01
    assert window.start <= window.best_time <= window.end
    assert window.best_airmass == pytest.approx(1.0 / np.cos(np.radians(40.8939 - 2.2)), rel=0.01), (
        "culmination"
    )


def test_visible_now_means_at_the_start():
    (window,) = one(150.1, 2.2, START).windows
    inside = one(150.1, 2.2, window.start + timedelta(minutes=1))
    assert inside.is_visible_now
    assert inside.windows[0].start == window.start + timedelta(minutes=1)
    assert not one(150.1, 2.2, window.start - timedelta(minutes=1)).is_visible_now


@pytest.mark.parametrize("dec", [90.0, -90.0])
def test_a_position_at_a_pole_stays_at_one_altitude(dec):
    found = one(0.0, dec, START)
    # The celestial pole of date is 0.15 deg from that of J2000.
    assert np.allclose(found.altitudes_deg, np.copysign(40.7, dec), atol=0.4)
    if dec > 0:
        assert found.windows
    else:
        assert found.reason == "altitude never above 30 deg"


def test_a_telescope_where_the_sun_never_sets_is_never_dark():
    midsummer, arctic = datetime(2023, 6, 21, tzinfo=UTC), telescope(71.2906, -156.7886)
    found = one(0.0, 90.0, midsummer, place=arctic)
    assert (found.windows, found.reason) == ((), "Sun never below -12 deg")
    # Skyfield: the lowest altitude of the Sun at this place is 4.7265 deg, at 10:28:55.
    sky = _Sky(0.0, 0.0, np.array([julian_date(datetime(2023, 6, 21, 10, 28, 55, tzinfo=UTC))]))
    assert altitude_deg(sky.sun, arctic)[0] == pytest.approx(4.7265, abs=0.01)


def test_the_moon_closes_a_position_only_while_it_is_up():
    """The full Moon of 2026-03-03 was at RA 163 deg, Dec +5 deg."""
    night = datetime(2026, 3, 3, 0, tzinfo=UTC)
    assert one(163.0, 5.0, night).reason.startswith("closer than 30 deg to the Moon")
    assert one(163.0, 5.0, night, limits={"moon": 0.0}).windows


def test_a_telescope_with_a_highest_altitude_has_two_windows():
    found = one(150.1, -10.0, START, place=telescope(-32.4, 20.8, altitude_deg=(47.0, 59.0)))
    assert len(found.windows) == 2


def test_no_file_of_earth_orientation_is_needed_in_the_far_future(monkeypatch):
    monkeypatch.setattr(iers.conf, "auto_download", False)
    found = visibility(150.1, 2.2, datetime(2098, 6, 1, tzinfo=UTC))
    assert any(one.windows for one in found.telescopes)
    with pytest.raises(InvalidInput, match="no ephemeris"):
        visibility(150.1, 2.2, datetime(2200, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("place", [(360.0, 0.0), (0.0, 90.1), (float("nan"), 0.0)])
def test_invalid_positions_are_refused(place):
    with pytest.raises(InvalidInput, match="visibility: invalid position"):
        visibility(*place, START)


@pytest.mark.parametrize("hours", [0.0, -1.0, 169.0, float("nan")])
def test_invalid_durations_are_refused(hours):
    with pytest.raises(InvalidInput, match="expected above 0 and at most 168"):
        visibility(0.0, 0.0, START, hours=hours)


def test_the_mission_s_telescopes_come_first_and_those_without_a_window_last():
    found = visibility(150.1, 2.2, START).telescopes
    assert [one.of_mission for one in found][:3] == [True] * 3
    others = [bool(one.windows) for one in found[3:]]
    assert others == sorted(others, reverse=True)


def test_every_telescope_of_the_package_has_a_source_and_stands_where_it_is():
    every = {one.name: one for one in observatories().telescopes}
    assert {"COLIBRI (F-GFT)", "C-GFT", "GWAC, GWAC-F60"} == {n for n, one in every.items() if one.of_mission}
    assert len(every) >= 20
    # https://www.gemini.edu/observing/telescopes-and-sites/sites: WGS84
    assert every["Gemini South"].longitude_deg == pytest.approx(-(70 + 44 / 60 + 12.096 / 3600), abs=1e-3)
    assert every["Gemini North"].latitude_deg == pytest.approx(19 + 49 / 60 + 25.7 / 3600, abs=1e-3)


def test_an_own_file_is_read_again_after_a_change(tmp_path):
    path = tmp_path / "observatories.toml"
    text = (Path(observatories_room.__file__).with_name("observatories.toml")).read_text()
    path.write_text(text)
    assert observatories(path).limits.moon_deg == 30.0
    path.write_text(text.replace("moon_deg = 30.0", "moon_deg = 20.0"))
    os.utime(path, (1e9, 1e9))
    assert observatories(path).limits.moon_deg == 20.0


def test_an_own_file_with_a_fault_is_refused_with_file_and_key(tmp_path):
    path = tmp_path / "observatories.toml"
    path.write_text(
        '[limits]\nsource = "x"\nassumed = true\nsun_altitude_deg = -12.0\naltitude_deg = [30.0, 20.0]\n'
    )
    with pytest.raises(SeveralFaults) as caught:
        observatories(path)
    assert f"{path}: limits.altitude_deg: expected ascending numbers" in str(caught.value)
