import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.localisation.choice import choose_burst
from mxtvhf.localisation.model import LocalisedSource
from support.positions import place


def source(name, ts, **more):
    return LocalisedSource(
        name=name, position=place(10.0, -5.0, 60.0), r50_arcsec=30.0, detector_x=100.0, detector_y=60.0,
        ts=ts, places_ts=ts, n_source=100.0, photon_index=2.0, nh_cm2=1e21, **more,
    )  # fmt: skip


def chosen(*sources):
    best, reason = choose_burst(sources)
    return best.name, reason


SOURCES = st.lists(
    st.builds(
        dict,
        known_as=st.sampled_from([None, "Sco X-1"]),
        in_eclairs=st.sampled_from([None, False, True]),
        fading=st.one_of(st.none(), st.floats(0.0, 1.0)),
    ),
    min_size=1,
    max_size=5,
).map(lambda given: [source(f"S{k + 1}", 300.0 - k, **fields) for k, fields in enumerate(given)])


def test_a_single_source_is_the_burst_without_a_reason():
    assert chosen(source("S1", 40.0, known_as="Sco X-1", in_eclairs=False, fading=0.0)) == ("S1", None)


@pytest.mark.parametrize(
    ("brighter", "burst", "sentence"),
    [
        (
            {"in_eclairs": False, "fading": 1.0},
            {"in_eclairs": True, "fading": 0.0},
            "S2 lies within the ECLAIRs error radius, unlike S1",
        ),
        ({"extent_arcmin": 6.0, "fading": 1.0}, {"fading": 0.0}, "S2 looks like a point source, unlike S1"),
        ({"fading": 0.5}, {"fading": 0.95}, "S2 fades, unlike S1"),
        ({"fading": 0.01}, {"fading": 0.7}, "S2 may fade, unlike S1"),
        ({}, {"in_eclairs": True}, "S2 lies within the ECLAIRs error radius, unlike S1"),
        (
            {"in_eclairs": True, "eclairs_sigmas": 2.6},
            {"in_eclairs": True, "eclairs_sigmas": 1.4},
            "S2 lies much nearer to the ECLAIRs position than S1",
        ),
        (
            {"in_eclairs": True, "eclairs_sigmas": 0.1, "fading": 0.01},
            {"in_eclairs": True, "eclairs_sigmas": 2.6, "fading": 0.95},
            "S2 fades, unlike S1",
        ),
    ],
    ids=[
        "ECLAIRs before fading",
        "point source before fading",
        "fading before significance",
        "perhaps fading before a steady one",
        "ECLAIRs known for one source only",
        "nearer to ECLAIRs before significance",
        "fading before nearer to ECLAIRs",
    ],
)
def test_the_criteria_have_an_order(brighter, burst, sentence):
    assert chosen(source("S1", 200.0, **brighter), source("S2", 30.0, **burst)) == ("S2", sentence)


def test_an_uncatalogued_source_is_preferred_to_a_catalogued_one():
    known = source("S1", 200.0, known_as="Sco X-1", in_eclairs=True, fading=1.0)
    name, reason = chosen(known, source("S2", 30.0, in_eclairs=False, fading=0.0))
    assert name == "S2"
    assert reason == "S2 matches no bright catalogued source, unlike S1"


def test_the_most_significant_source_is_taken_if_no_criterion_separates_them():
    name, reason = chosen(source("S2", 30.0), source("S1", 200.0))
    assert (name, reason) == (
        "S1",
        "S1 is the most significant source; no other criterion separates the sources",
    )


def test_a_distance_from_eclairs_within_its_error_does_not_decide():
    bright = source("S1", 200.0, in_eclairs=True, eclairs_sigmas=2.1)
    assert chosen(bright, source("S2", 30.0, in_eclairs=True, eclairs_sigmas=0.3))[0] == "S1"


def test_the_reason_names_every_source_that_the_criterion_excludes():
    rest = [source(f"S{k}", 200.0 - k, in_eclairs=False) for k in (1, 2, 3)]
    assert chosen(*rest, source("S4", 30.0, in_eclairs=True)) == (
        "S4",
        "S4 lies within the ECLAIRs error radius, unlike S1, S2 and S3",
    )


def test_the_reason_is_the_first_criterion_that_separates_the_sources():
    one, two = source("S1", 90.0, in_eclairs=True), source("S2", 80.0, in_eclairs=True, fading=1.0)
    assert chosen(one, two, source("S3", 70.0)) == (
        "S2",
        "S2 lies within the ECLAIRs error radius, unlike S3",
    )


@given(SOURCES, st.randoms())
def test_the_order_of_the_list_does_not_matter(sources, random):
    shuffled = sources.copy()
    random.shuffle(shuffled)
    assert choose_burst(shuffled)[0] is choose_burst(sources)[0]


@given(SOURCES)
def test_no_other_source_is_better_by_the_first_criterion_that_differs(sources):
    best, reason = choose_burst(sources)
    assert (reason is None) == (len(sources) == 1)

    def rank(one):
        fading = 0.5 if one.fading is None else one.fading
        return one.known_as is None, bool(one.in_eclairs), fading >= 0.9, fading > 0.1, one.ts

    assert rank(best) == max(map(rank, sources))
