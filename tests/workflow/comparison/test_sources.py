import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.workflow.comparison import Outcome, Tolerances, compare_reports
from mxtvhf.workflow.comparison.products import compare_products
from mxtvhf.workflow.comparison.sources import source_changes
from support.reports import record, report
from support.sources import BRIGHT, BURST, FAINT, FIELD, field, source


def changes(archived, new):
    dumped = ([one.model_dump(mode="json") for one in sources] for sources in (archived, new))
    return [(one.outcome, one.archived, one.new) for one in source_changes(*dumped, Tolerances())]


def shifted(one, arcsec, **more):
    position = one.position.model_copy(update={"dec_deg": one.position.dec_deg + arcsec / 3600.0})
    return one.model_copy(update={"position": position, **more})


def documents(archived, new):
    """Two reports that differ in their sources only."""
    first = json.loads(report(record(localisation=field(archived, BURST))).to_json())
    second = copy.deepcopy(first)
    second["localisation"]["sources"] = [one.model_dump(mode="json") for one in new]
    return first, second


def test_sources_are_paired_by_their_places_whatever_their_names():
    swapped = (BURST.model_copy(update={"name": "S1"}), BRIGHT.model_copy(update={"name": "S2"}))
    assert changes((BRIGHT, BURST), swapped) == [("same", "S1", "S2"), ("same", "S2", "S1")]


def test_found_lost_and_moved():
    new = (shifted(BURST, 20.0, name="S1"), source("S2", 212.3, -12.9))
    assert changes((BRIGHT, BURST), new) == [
        ("lost", "S1", None),
        ("moved", "S2", "S1"),
        ("found", None, "S2"),
    ]


def test_the_closest_of_two_is_the_same_one():
    near = shifted(BURST, 15.0, name="S4")
    assert changes((BURST,), (near, BURST)) == [("same", "S2", "S2"), ("found", None, "S4")]


@given(
    arcsec=st.lists(st.floats(-150.0, 150.0), min_size=3, max_size=3), order=st.permutations(range(3)),
    kept=st.sets(st.integers(0, 2)),
)  # fmt: skip
def test_the_way_back_is_the_mirror_image(arcsec, order, kept):
    moved = [shifted(FIELD[i], arcsec[i]) for i in order if i in kept]
    there, back = changes(FIELD, moved), changes(moved, FIELD)
    outcomes, mirrored = ([outcome for outcome, *_ in one] for one in (there, back))
    assert outcomes.count("lost") == mirrored.count("found")
    assert outcomes.count("moved") == mirrored.count("moved")
    assert {old for _, old, _ in there if old} == {one.name for one in FIELD}
    assert {new for _, _, new in there if new} == {one.name for one in moved}


@pytest.mark.parametrize(
    ("new", "what"),
    [
        ((BRIGHT, BURST), "source S3 lost"),
        ((*FIELD, source("S4", 212.3, -12.9)), "source S4 found"),
        ((shifted(BRIGHT, 20.0), BURST, FAINT), "localisation.sources.S1.position.dec_deg"),
        ((BRIGHT, BURST, FAINT.model_copy(update={"n_source": 60.0})), "localisation.sources.S3.n_source"),
    ],
)
def test_what_differs_is_told(new, what):
    found = compare_reports(*documents(FIELD, new))
    assert found.outcome is Outcome.CHANGED
    assert what in {one.what for one in found.differences if one.matters}
    assert what in found.reason


def test_other_names_and_the_last_bits_are_no_change():
    new = (
        BURST.model_copy(update={"name": "S1"}),
        shifted(BRIGHT, 0.01, name="S2"),
        FAINT.model_copy(update={"ts": 30.001, "confused_with": ("S2",)}),
    )
    found = compare_reports(*documents(FIELD, new))
    assert found.outcome is Outcome.EQUAL, found.reason
    assert [one.outcome for one in found.sources] == ["same"] * 3


def test_a_report_older_than_the_list_is_not_changed_by_it():
    first, second = documents(FIELD, FIELD)
    del first["localisation"]["sources"]
    found = compare_reports(first, second)
    assert found.outcome is Outcome.EQUAL, found.reason
    assert found.sources == ()


def test_the_files_with_the_list_are_no_change_where_the_archive_has_none(tmp_path):
    new = {name: {"path": name, "sha256": "1"} for name in ("sources", "sources_ds9")}
    assert [one.matters for one in compare_products({}, new, (tmp_path, tmp_path))] == [False, False]
    assert [one.matters for one in compare_products(new, {}, (tmp_path, tmp_path))] == [True, True]
