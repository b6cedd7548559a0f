from math import cos, hypot, radians

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.desk.sky_view import sky_view
from mxtvhf.localisation.model import CredibleRegion
from mxtvhf.models.angles import separation_arcsec
from support.desk import answer, position, source


@given(
    ra=st.floats(0.0, 359.9),
    dec=st.floats(-85.0, 85.0),
    east=st.floats(-10.0, 10.0),
    north=st.floats(-10.0, 10.0),
)
def test_places_in_the_sky_view_are_as_far_apart_as_on_the_sky(ra, dec, east, north):
    other = position(
        (ra + east / 60.0 / cos(radians(dec))) % 360.0 % 360.0, dec + north / 60.0, label="other"
    )
    best = position(ra, dec)
    _, circle = sky_view(best, [best, other]).circles
    away = separation_arcsec(ra, dec, other.ra_deg, other.dec_deg) / 60.0
    assert hypot(circle.x, circle.y) == pytest.approx(away, rel=1e-4, abs=2e-5)


def test_east_is_positive_and_what_is_far_away_is_left_to_the_words():
    best, opposite = position(), position(ra=190.0, dec=-20.0, label="grm")
    view = sky_view(best, [best, position(ra=10.01, label="east"), opposite])
    assert [(circle.label, circle.x > 0.5) for circle in view.circles] == [("photons", False), ("east", True)]
    assert [layer.name for layer in view.layers] == ["position photons", "position east"]


def test_a_source_within_two_cones_is_drawn_once():
    answers = [answer(sources=(source("A"), source("B"))), answer(sources=(source("A"),))]
    region = CredibleRegion(
        part=0.9, area_arcmin2=1.0, outlines=(((10.0, 20.0), (10.01, 20.0), (10.0, 20.01)),)
    )
    view = sky_view(position(), [position()], [region], answers)
    assert [circle.label for circle in view.circles] == ["photons", "A", "B"]
    assert [layer.words for layer in view.layers][1:] == ["bright", "MXT-VHF 90 % region"]
    assert view.regions[0].outlines[0][0] == (0.0, 0.0)
