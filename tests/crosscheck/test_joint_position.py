"""Joint positions: the radius is true, and shared photons never count twice."""

from math import cos, radians

import numpy as np
import pytest

from mxtvhf.crosscheck.joint_position import Measurement, joint_position, measurement_of
from mxtvhf.models.angles import separation_arcsec
from mxtvhf.models.position import Origin
from mxtvhf.sky_notices.model import ErrorEllipse
from support.positions import place

RA, DEC = 170.982, 63.622
SHAPES = [(2.0, 2.0, 0.0), (3.0, 1.5, 40.0), (1.0, 4.0, 110.0)]
"""Semi-axes of 90 % ellipses, arcmin, and position angle, degrees."""


def drawn(random, name, major, minor, angle):
    """Return a measurement of the source at RA, DEC with a random error of its own shape."""
    along, across = random.normal(size=2) * np.array([major, minor]) / 2.146
    east = along * np.sin(np.radians(angle)) + across * np.cos(np.radians(angle))
    north = along * np.cos(np.radians(angle)) - across * np.sin(np.radians(angle))
    area = ErrorEllipse(
        ra_deg=RA + east / 60.0 / cos(radians(DEC + north / 60.0)),
        dec_deg=DEC + north / 60.0,
        semi_major_deg=major / 60.0,
        semi_minor_deg=minor / 60.0,
        angle_deg=angle,
    )
    return Measurement(name=name, group=name, area=area)


def test_the_radius_holds_the_source_in_90_percent_of_cases():
    random = np.random.default_rng(4)
    hits, shown = 0, 0
    for _ in range(1500):
        joint = joint_position(drawn(random, str(number), *shape) for number, shape in enumerate(SHAPES))
        if joint is None:
            continue
        shown += 1
        hits += separation_arcsec(RA, DEC, joint.ra_deg, joint.dec_deg) <= joint.r90_arcsec
    assert shown / 1500 == pytest.approx(0.99, abs=0.01), "one in a hundred is called inconsistent"
    assert hits / shown == pytest.approx(0.90, abs=0.025)


def test_two_equal_circles_give_their_middle_and_a_smaller_radius():
    pair = [measurement_of(place(RA, DEC, 60.0, origin)) for origin in (Origin.ECLAIRS, Origin.MXT_VHF)]
    joint = joint_position(pair)
    assert joint.r90_arcsec == pytest.approx(60.0 / np.sqrt(2.0), rel=1e-3)
    assert joint.p_value == pytest.approx(1.0)
    assert separation_arcsec(RA, DEC, joint.ra_deg, joint.dec_deg) < 0.01


def test_positions_from_the_same_photons_count_once():
    onboard, ours = place(RA, DEC, 90.0, Origin.MXT_ONBOARD), place(RA, DEC, 50.0, Origin.MXT_VHF)
    assert joint_position([measurement_of(onboard), measurement_of(ours)]) is None
    eclairs = place(RA, DEC, 300.0, Origin.ECLAIRS)
    joint = joint_position(map(measurement_of, (onboard, ours, eclairs)))
    assert joint.used == (ours.name, eclairs.name)


@pytest.mark.parametrize("dec_deg", [DEC + 0.2, DEC - 40.0])
def test_inconsistent_or_distant_positions_have_none(dec_deg):
    pair = [place(RA, DEC, 60.0, Origin.MXT_VHF), place(RA, dec_deg, 60.0, Origin.VT)]
    assert joint_position(map(measurement_of, pair)) is None


def test_a_position_without_a_radius_is_no_measurement():
    assert measurement_of(place(RA, DEC, None, Origin.GRM)) is None
