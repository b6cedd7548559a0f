"""A burst beside two steady sources, through the whole chain."""

import json

import pytest

from mxtvhf.models.angles import separation_arcsec
from mxtvhf.simulator.field_sources import FieldSource
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from mxtvhf.workflow.local import process_burst

SOURCES = (
    FieldSource(ra_deg=155.25, dec_deg=-20.85, counts=400.0),
    FieldSource(ra_deg=155.75, dec_deg=-20.75, counts=150.0),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The truth, the report and its page."""
    folder = tmp_path_factory.mktemp("several")
    write_scenario(scenario_of("sb26030704", seed=4, counts=150.0, sources=SOURCES), folder)
    report = process_burst(folder / "alert.xml", folder / "packets.bin", folder / "out")
    truth = json.loads((folder / "truth.json").read_text())
    return truth, json.loads(report.read_text()), (folder / "out" / "report.html").read_text()


def apart(one, other):
    return separation_arcsec(one["ra_deg"], one["dec_deg"], other["ra_deg"], other["dec_deg"])


def test_the_fading_source_in_the_circle_is_the_burst_though_the_others_are_brighter(made):
    truth, report, _ = made
    found = report["localisation"]
    assert len(found["sources"]) == 3
    burst = next(one for one in found["sources"] if one["name"] == found["chosen"])
    assert burst is found["sources"][-1]
    assert apart(burst["position"], truth) < 2.0 * burst["position"]["r90_arcsec"]
    for one, true in zip(found["sources"], truth["sources"], strict=False):
        assert apart(one["position"], true) < 2.0 * one["position"]["r90_arcsec"]
        assert one["n_source"] == pytest.approx(true["counts"], rel=0.35)


def test_all_of_them_are_told(made):
    _, report, page = made
    assert [one["name"] for one in report["identities"]] == ["S1", "S2", "S3"]
    assert report["warnings"][0].startswith("2 other sources lie in the field: ")
    assert {"sources", "sources_ds9"} <= report["products"].keys()
    assert "S3 is identified as the burst: " in page
    assert page.count('<tr class="best">') == 1
