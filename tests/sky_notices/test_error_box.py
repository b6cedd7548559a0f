"""Error boxes: the ellipse has the centre, the area and the direction of the rectangle."""

from math import cos, pi, radians

import pytest

from mxtvhf.errors import InvalidInput
from mxtvhf.sky_notices.error_box import ellipse_of_box

GRB230220A = [(345.72, 19.547), (345.464, 19.29), (347.309, 17.634), (347.566, 17.889)]
"""MAXI's box of GRB 230220A, from the example of GCN's schema: 2.4 by 0.35 deg, from North-West to
South-East."""


def box(width_deg, height_deg, ra=10.0, dec=0.0):
    east, north = width_deg / 2.0 / cos(radians(dec)), height_deg / 2.0
    return [(ra + e, dec + n) for e, n in ((east, north), (-east, north), (-east, -north), (east, -north))]


def test_a_real_box_of_maxi_becomes_a_long_ellipse():
    area = ellipse_of_box(GRB230220A, 0.9)
    assert (area.ra_deg, area.dec_deg) == pytest.approx((346.515, 18.59), abs=0.01)
    assert 2.0 * area.semi_major_deg == pytest.approx(2.41 * 1.128, rel=0.02)
    assert 2.0 * area.semi_minor_deg == pytest.approx(0.352 * 1.128, rel=0.02)
    assert area.angle_deg == pytest.approx(133.3, abs=1.0)
    assert area.containment == 0.9


@pytest.mark.parametrize(("width", "height", "angle"), [(2.0, 1.0, 90.0), (0.5, 3.0, 0.0)])
def test_the_ellipse_has_the_area_of_the_box(width, height, angle):
    area = ellipse_of_box(box(width, height), 0.9)
    assert pi * area.semi_major_deg * area.semi_minor_deg == pytest.approx(width * height, rel=3e-3)
    assert (area.angle_deg - angle + 90.0) % 180.0 == pytest.approx(90.0, abs=0.1)
    assert (area.ra_deg, area.dec_deg) == pytest.approx((10.0, 0.0), abs=3e-3)


def test_the_corners_may_go_round_either_way_and_over_the_origin():
    corners = box(2.0, 1.0, ra=359.5, dec=40.0)
    turned = [(ra % 360.0, dec) for ra, dec in corners[::-1]]
    assert ellipse_of_box(turned, 0.9).ra_deg == pytest.approx(359.5, abs=1e-3)


@pytest.mark.parametrize(
    ("corners", "message"),
    [
        ([(10.0, 0.0), (10.0, 0.0), (11.0, 0.0), (11.0, 0.0)], "on one line"),
        ([(10.0, 0.0), (60.0, 0.0), (60.0, 50.0), (10.0, 50.0)], "more than 30 deg apart"),
        ([(10.0, 0.0), (200.0, 0.0), (200.0, 1.0), (10.0, 1.0)], "more than 30 deg apart"),
    ],
)
def test_impossible_boxes_are_refused(corners, message):
    with pytest.raises(InvalidInput, match=message):
        ellipse_of_box(corners, 0.9)
