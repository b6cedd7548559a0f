"""The distribution of latencies, from reports."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.archive.products import ReportSummary
from mxtvhf.models.times import TimelineEntry
from mxtvhf.workflow.latency import latency, latency_text

T0 = datetime(2026, 3, 7, 13, 45, tzinfo=UTC)


def report(run_id, status, written, *, is_test=False, is_replay=False, **moments):
    """A report whose moments are seconds after T0."""
    timeline = [TimelineEntry(name=name, time=T0 + timedelta(seconds=s)) for name, s in moments.items()]
    return ReportSummary(
        burst_id="sb26030704",
        run_id=run_id,
        status=status,
        is_test=is_test,
        is_replay=is_replay,
        is_retracted=False,
        headline="",
        written=T0 + timedelta(seconds=written),
        trigger_time=T0,
        best_position=None,
        products={},
        timeline=tuple(timeline),
    )


def run(number, total, **marks):
    moments = {
        "trigger": 0.0,
        "last_photon": 50.0,
        "alert_received": 90.0,
        "packets_received": 100.0,
        "run_created": 101.0,
        "fits_feed_started": 102.0,
        "fits_feed_ended": 102.5,
        "update_BA_started": 103.0,
    }
    return [
        report(f"r{number}", "preliminary", 103.0, **moments, **marks),
        report(f"r{number}", "final", 100.0 + total, **moments, **marks),
    ]


def row(found, stage, group="live"):
    return next(entry for entry in found if (entry.group, entry.stage) == (group, stage))


def test_stages_and_steps_of_one_run():
    found = latency(run(1, 5.0))
    assert {entry.stage: entry.median_s for entry in found} == {
        "T0 to report": 105.0,
        "last photon to report": 55.0,
        "received to run created": 1.0,
        "run created to preliminary report": 2.0,
        "preliminary report to report": 2.0,
        "run created to report": 4.0,
        "received to preliminary report": 3.0,
        "received to report": 5.0,
        "step fits_feed": 0.5,
    }
    assert {entry.n for entry in found} == {1}
    assert found[-1].stage == "step fits_feed"


def test_live_test_and_replayed_runs_are_apart():
    found = latency([*run(1, 5.0), *run(2, 6.0, is_test=True), *run(3, 7.0, is_test=True, is_replay=True)])
    medians = [row(found, "received to report", group).median_s for group in ("live", "test", "replay")]
    assert medians == [5.0, 6.0, 7.0]


def test_median_90_percent_and_maximum():
    reports = [entry for number in range(10) for entry in run(number, 5.0 + number)]
    found = row(latency(reversed(reports)), "received to report")
    assert (found.n, found.median_s, found.p90_s, found.max_s) == (10, 9.5, 13.0, 14.0)


def test_a_run_that_has_no_final_report_yet_counts_for_what_it_has():
    found = latency(run(1, 5.0)[:1])
    assert row(found, "received to preliminary report").n == 1
    assert not [entry for entry in found if entry.stage == "received to report"]


def test_nothing_gives_an_empty_table():
    assert latency([]) == []
    assert len(latency_text([])) == 1


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=40))
def test_of_any_runs_the_figures_are_in_order(totals):
    found = row(latency([e for n, total in enumerate(totals) for e in run(n, total)]), "received to report")
    assert found.median_s <= found.max_s
    assert found.p90_s <= found.max_s
    within = sum(total <= found.p90_s + 1e-5 for total in totals)
    assert within >= 0.9 * len(totals)
    assert found.max_s == pytest.approx(max(totals), abs=1e-5)


def test_the_table_names_group_stage_and_figures():
    (line,) = [line for line in latency_text(latency(run(1, 5.0))) if "received to report" in line]
    assert line.split() == ["live", "received", "to", "report", "1", "5.00", "s", "5.00", "s", "5.00", "s"]


def test_a_long_duration_is_not_in_seconds():
    (line,) = [line for line in latency_text(latency(run(1, 23_025_925.06))) if "received to report" in line]
    assert line.split()[5:7] == ["266.5", "d"]
