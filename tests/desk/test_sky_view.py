from math import cos, hypot, radians

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.desk.sky_view import sky_view
from mxtvhf.localisation.model import CredibleRegion
from mxtvhf.models.angles import separation_arcsec
from mxtvhf.models.position import Origin
from support.desk import answer, position, source
from support.sources import BRIGHT, BURST, FAINT


@given(
    ra=st.floats(0.0, 359.9),
    dec=st.floats(-85.0, 85.0),
    east=st.floats(-10.0, 10.0),
    north=st.floats(-10.0, 10.0),
)
def test_separations_in_the_sky_view_are_those_on_the_sky(ra, dec, east, north):
    other = position(
        (ra + east / 60.0 / cos(radians(dec))) % 360.0 % 360.0, dec + north / 60.0, label="other"
    )
    best = position(ra, dec)
    _, circle = sky_view(best, [best, other]).circles
    away = separation_arcsec(ra, dec, other.ra_deg, other.dec_deg) / 60.0
    assert hypot(circle.x, circle.y) == pytest.approx(away, rel=1e-4, abs=2e-5)


def test_east_is_positive_and_far_positions_are_not_drawn():
    best, opposite = position(), position(ra=190.0, dec=-20.0, label="grm")
    view = sky_view(best, [best, position(ra=10.01, label="east"), opposite])
    assert [circle.x > 0.5 for circle in view.circles] == [False, True]
    assert not view.draws(opposite)
    assert [layer.name for layer in view.layers] == ["position photons", "position east"]


def test_a_source_within_two_cones_is_drawn_once():
    answers = [answer(sources=(source("A"), source("B"))), answer(sources=(source("A"),))]
    region = CredibleRegion(
        part=0.9, area_arcmin2=1.0, outlines=(((10.0, 20.0), (10.01, 20.0), (10.0, 20.01)),)
    )
    view = sky_view(position(), [position()], [region], answers)
    assert [circle.label for circle in view.circles] == ["MXT (VHF photons)", "A", "B"]
    assert [layer.words for layer in view.layers][1:] == ["bright", "MXT (VHF photons), 90 % region"]
    assert view.regions[0].outlines[0][0] == (0.0, 0.0)


def test_other_sources_are_drawn_with_their_names_in_a_layer_of_their_own():
    best = BURST.position
    view = sky_view(best, [best], others=[BRIGHT, FAINT])
    assert [(circle.label, circle.style, circle.layer) for circle in view.circles][1:] == [
        ("S1", "source", "sources"),
        ("S3", "source", "sources"),
    ]
    assert [layer.words for layer in view.layers] == ["MXT (VHF photons)", "MXT (VHF photons), other sources"]
    s1 = view.circles[1]
    away = separation_arcsec(best.ra_deg, best.dec_deg, s1.ra_deg, s1.dec_deg) / 60.0
    assert hypot(s1.x, s1.y) == pytest.approx(away, rel=1e-3)
    assert s1.r90_arcmin == pytest.approx(33.0 / 60.0)
    assert shows(view.everything, s1)


def shows(frame, circle):
    """Whether a circle lies inside a frame."""
    reach = circle.r90_arcmin or 0.0
    return max(abs(circle.x - frame.x), abs(circle.y - frame.y)) + reach < frame.half


def test_the_initial_view_cuts_nothing_and_is_centred_on_its_content():
    """The view began around the best position, and cut the ECLAIRs circle; "All" left half of it empty."""
    best = position(r90=60.0)
    eclairs = position(dec=20.05, r90=420.0, label="eclairs-wakeup", origin=Origin.ECLAIRS)
    far = position(dec=20.6, r90=2400.0, label="grm-trigger", origin=Origin.GRM)
    view = sky_view(best, [best, eclairs, far], catalogues=[answer(sources=(source("A", dec=20.3),))])
    drawn = {circle.label: circle for circle in view.circles}
    assert shows(view.start, drawn["MXT (VHF photons)"])
    assert shows(view.start, drawn["ECLAIRs"])
    assert not shows(view.start, drawn["GRM"])
    assert (view.start.x, view.start.y) == (pytest.approx(0.0, abs=0.1), pytest.approx(3.0, rel=0.01))
    assert all(shows(view.everything, circle) for circle in view.circles)


def test_a_superseded_position_is_marked():
    first = position(label="eclairs-wakeup", origin=Origin.ECLAIRS)
    later = position(label="eclairs-update", origin=Origin.ECLAIRS)
    view = sky_view(later, [first, later])
    assert [(one.label, one.is_superseded) for one in view.circles] == [
        ("ECLAIRs (superseded)", True),
        ("ECLAIRs", False),
    ]
