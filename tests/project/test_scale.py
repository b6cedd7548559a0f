import numpy as np
import pytest

from benchmarks.scale import AIRFLOW, STATIONS, TASKS, Site, simulate

FREE = dict.fromkeys(TASKS, 0.0)
PER_TASK = sum(AIRFLOW[station] for station in STATIONS)


def test_a_single_alert_takes_the_sum_of_its_longest_way():
    outcome = simulate(Site(10, 10), FREE, np.array([0.0]))
    # Reception, photons, FITS, localisation, report.
    assert outcome.preliminary[0] == pytest.approx(5 * PER_TASK)
    # Reception, photons, FITS, start of GP, wait, GP itself, cross-check, report.
    assert outcome.final[0] == pytest.approx(7 * PER_TASK + AIRFLOW["gp"])
    costs = {**FREE, "fits_feed": 2.0}
    assert simulate(Site(10, 10), costs, np.array([0.0])).preliminary[0] == pytest.approx(5 * PER_TASK + 2.0)


@pytest.mark.parametrize(
    ("site", "costs"),
    [(Site(0), FREE), (Site(1), {"source_analysis": 5.0}), (Site(100), FREE), (Site(100, 100), FREE)],
)
def test_a_storm_ends_when_the_bottleneck_has_done_its_work(site, costs):
    outcome = simulate(site, costs, np.linspace(0.0, 1.0, 50))
    least = 50 / min(site.capacity(costs).values())
    assert len(outcome.final) == len(outcome.preliminary) == 50
    assert least <= max(outcome.final.values()) <= 1.1 * least + 10
    capacity = site.capacity(costs)
    for station, places in site.places.items():
        # Work is neither lost nor done twice.
        assert outcome.busy[station] == pytest.approx(50 * places / capacity[station])


def test_under_light_load_nobody_waits():
    outcome = simulate(Site(1), FREE, np.arange(20) * 100.0)
    latest = [outcome.preliminary[number] - number * 100.0 for number in range(20)]
    assert max(latest) == pytest.approx(min(latest))
