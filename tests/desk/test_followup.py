from datetime import timedelta

import pytest

from mxtvhf.desk.followup import CALCULATED_EVERY, MOST_CURVES, UNFOLDED, follow_up
from mxtvhf.desk.render import render_burst
from support.desk import NOW, page_of, position, run


def test_refreshes_of_the_page_use_the_same_calculation():
    first = follow_up(position(), NOW + timedelta(seconds=1), None).visibility
    assert follow_up(position(), NOW + CALCULATED_EVERY - timedelta(seconds=1), None).visibility is first
    assert follow_up(position(), NOW + CALCULATED_EVERY, None).visibility is not first
    assert first.start == NOW


def test_every_telescope_is_either_visible_or_hidden_with_a_reason():
    found = follow_up(position(), NOW, None)
    assert len(found.visible) + len(found.hidden) == len(found.visibility.telescopes)
    assert all(one.reason for one in found.hidden)
    assert set(found.now) <= {one.telescope for one in found.visible}


def test_the_chart_draws_each_site_once_and_only_in_the_dark():
    found = follow_up(position(ra=150.1, dec=2.2), NOW, None)
    chart = found.chart
    assert 1 < len(chart.series) <= MOST_CURVES
    assert len({series.name for series in chart.series}) == len(chart.series)
    for series in chart.series:
        points = [point for line in series.lines for point in line]
        assert points
        assert all(0.0 <= hour <= 24.0 and 0.0 < height <= 90.0 for hour, height in points)
        assert (
            max(hour for hour, _ in points) - min(hour for hour, _ in points) < 24.0 or len(series.lines) > 1
        )
    assert [text for _, text in chart.across.ticks][:2] == ["12:00", "15:00"]


def test_an_invalid_file_of_telescopes_is_named_on_the_page(settings, put, tmp_path):
    put("sb26022802__1")
    file = tmp_path / "own.toml"
    file.write_text("telescopes = []")
    broken = settings.model_copy(update={"observatories": file})
    page = page_of(broken, [run()])
    assert f"Visibility not calculated: {file}: limits: missing" in render_burst(page, base="/mxtvhf")


def test_the_page_names_who_can_observe_and_the_assumed_limits(settings, put):
    put("sb26022802__1")
    html = render_burst(page_of(settings, [run()]), base="/mxtvhf")
    assert (
        "Sun below -12 deg, altitude above 30 deg (airmass 2.0), 30 deg from the Moon while it is up" in html
    )
    assert "assumed, unless a telescope has limits of its own" in html
    assert "COLIBRI (F-GFT)" in html


def test_the_page_shows_five_telescopes_and_folds_the_rest(settings, put):
    """On a phone 18 telescopes took 2800 pixels before the list of updates."""
    put("sb26022802__1")
    page = page_of(settings, [run()])
    section = render_burst(page, base="").split('id="follow-up"')[1].split("</section>")[0]
    first, rest = section.split('<details id="more-telescopes">')
    assert first.count('<th scope="row">') == UNFOLDED
    more = len(page.follow_up.visible) - UNFOLDED
    assert f"{more} more telescopes</summary>" in rest
    assert rest.count('<th scope="row">') == more


@pytest.mark.parametrize("dec", [90.0, -90.0])
def test_a_burst_at_a_pole_has_a_section(dec):
    found = follow_up(position(ra=0.0, dec=dec), NOW, None)
    assert found.visible
    assert found.chart
