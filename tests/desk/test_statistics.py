import pytest

from mxtvhf.desk.files import DeskFiles
from mxtvhf.desk.render import render_statistics
from mxtvhf.desk.statistics import Month, months, statistics_charts
from mxtvhf.models.ids import RunKind
from support.desk import BURST, release_of, run


def test_runs_are_counted_by_month_with_latency_packets_and_decisions(settings, put):
    packets = {"received": 30, "good": 18, "repeated": 10, "missing": 2, "corrupt": 0}
    put(f"{BURST}__1", packets={**packets, "foreign": 0, "out_of_order": 0})
    put(f"{BURST}__2")
    release_of(settings)
    march = run(f"{BURST}__2", minutes=60 * 24 * 5)
    replay = run(f"{BURST}__1__replay_20260301T000000.000000Z")
    february, later = months([march, replay, run()], DeskFiles(settings), RunKind.LIVE)
    assert (february.name, later.name) == ("2026-02", "2026-03")
    assert (february.runs, february.missing, february.packets) == (1, 2, 20)
    assert february.lost_percent == pytest.approx(10.0)
    assert (february.approved, february.rejected, february.released) == (1, 0, 1)
    assert (later.approved, later.released) == (0, 0)
    assert 0.0 < february.median_s == february.p90_s < 600.0
    assert [one.name for one in months([replay], DeskFiles(settings), RunKind.REPLAY)] == ["2026-02"]


def test_a_run_without_a_report_counts_as_a_run_only(settings):
    (month,) = months([run(state="failed")], DeskFiles(settings), RunKind.LIVE)
    assert (month.runs, month.median_s, month.lost_percent) == (1, None, None)
    assert len(statistics_charts([month])) == 3


def test_the_page_has_a_chart_of_each_and_all_numbers(settings):
    every = [
        Month(f"2026-{number:02d}", runs=number, latencies_s=[float(number)] * 9) for number in range(1, 13)
    ]
    html = render_statistics(every, RunKind.LIVE, base="/mxtvhf")
    assert html.count('<svg class="chart"') == 3
    assert html.count("<tr><th") == 13
    assert "No test runs yet." in render_statistics([], RunKind.TEST, base="/mxtvhf")


def test_the_90_percent_latency_is_a_percentile_of_the_runs():
    month = Month("2026-01", latencies_s=[float(number) for number in range(1, 101)])
    assert month.median_s == 50.5
    assert sum(one <= month.p90_s for one in month.latencies_s) == 90
