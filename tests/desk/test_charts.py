"""The desk's own charts: scales, places of what is drawn, and what the charts of a source hold."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mxtvhf.analysis.model import LightCurve, Measurement, RateBin
from mxtvhf.desk.charts import Axis, Chart, Series, even_ticks, limits, log_ticks
from mxtvhf.desk.render import render_burst
from mxtvhf.desk.source_charts import PositionOfUpdate, light_curve_chart, trend_chart, uncovered
from support.desk import BURST, NOW, page_of, position, run


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_a_linear_axis_has_a_few_round_ticks_within_its_limits(low, span):
    ticks = even_ticks(low, low + span)
    assert 2 <= len(ticks) <= 7
    assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in ticks)


@given(st.floats(1e-6, 1e3), st.floats(1.5, 1e6))
def test_a_logarithmic_axis_has_at_least_one_tick(low, ratio):
    assume(ratio > 2.6)
    ticks = log_ticks(low, low * ratio)
    assert ticks
    assert all(low * 0.99 <= tick <= low * ratio * 1.01 for tick in ticks)


@pytest.mark.parametrize(
    ("values", "zero"), [([], False), ([5.0], False), ([0.0, 0.0], True), ([1.0, float("nan")], True)]
)
def test_limits_are_never_empty(values, zero):
    low, high = limits(values, zero=zero)
    assert low < high


def test_values_outside_the_axis_end_at_its_edge():
    chart = Chart(
        "t", "d", Axis("x", 0.0, 10.0), Axis("y", 0.1, 100.0, is_log=True), (Series("s", "c-data"),)
    )
    left, top, right, bottom = chart.frame
    assert (chart.x(0.0), chart.x(10.0)) == (left, right)
    assert (chart.y(0.1), chart.y(100.0), chart.y(1e9), chart.y(0.0)) == (bottom, top, top, bottom)
    assert chart.y(1.0) == pytest.approx(bottom - (bottom - top) / 3.0, abs=0.1)


def curve(start, stop, zero=NOW, rate=1.0):
    measured = Measurement(value=rate, error_low=0.1, error_high=0.2)
    edges = [start + 10.0 * number for number in range(int((stop - start) / 10.0) + 1)]
    bins = tuple(
        RateBin(
            start_s=low, stop_s=high, exposure_s=10.0, source_photons=9, background_photons=1, rate=measured
        )
        for low, high in pairwise(edges)
    )
    return LightCurve(
        zero=zero,
        zero_is_trigger=True,
        exposure_s=stop - start,
        mean=measured,
        bins=bins,
        blocks=bins[:1],
        decay=None,
    )


def test_the_light_curve_of_all_updates_shows_each_time_once():
    newest = curve(100.0, 150.0)
    before, first = curve(100.0, 130.0), curve(10.0, 40.0, zero=NOW - timedelta(seconds=5))
    kept = uncovered(newest, [before, first])
    assert [(one.start_s, one.stop_s) for one in kept] == [(5.0, 15.0), (15.0, 25.0), (25.0, 35.0)]
    chart = light_curve_chart(newest, [before, first])
    assert [one.name for one in chart.series] == ["bins", "other updates", "Bayesian blocks"]
    assert [one.name for one in light_curve_chart(newest, [before]).series] == ["bins", "Bayesian blocks"]


def test_the_trend_is_the_radius_and_the_offset_from_the_newest_position():
    updates = [
        PositionOfUpdate(1, position(dec=20.0 + 60.0 / 3600.0, r90=120.0)),
        PositionOfUpdate(2, position(dec=20.0, r90=None)),
        PositionOfUpdate(4, position(dec=20.0, r90=50.0)),
    ]
    radii, offsets = trend_chart(updates).series
    assert radii.dots == [(1.0, 120.0), (4.0, 50.0)]
    assert [(x, pytest.approx(y, abs=0.01)) for x, y in offsets.dots] == [(1.0, 60.0), (2.0, 0.0), (4.0, 0.0)]
    assert trend_chart(updates[:1]) is None


def test_the_page_draws_trend_light_curve_and_spectrum_without_pictures(settings, put):
    """The plots were white cards in the dark, and without a size: the page jumped when they came."""
    put(f"{BURST}__1")
    put(f"{BURST}__2")
    runs = [run(f"{BURST}__2", minutes=2, sequence=2), run()]
    html = render_burst(page_of(settings, runs), base="")
    assert html.count('<svg class="chart') == 5
    assert 'id="follow-up"' in html
    assert 'id="trend"' in html
    assert "plot_source" not in html
    assert 'id="trend"' not in render_burst(page_of(settings, runs[1:]), base="")
