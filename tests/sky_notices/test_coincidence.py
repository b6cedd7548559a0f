"""Coincidences of other missions' events with a burst: probabilities, words, retractions, bad input."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from astropy.coordinates import Angle, SkyCoord

from mxtvhf.models.position import Origin
from mxtvhf.simulator.sky_notices import write_gcn_json, write_lvk_alert, write_sky_map, write_sky_voevent
from mxtvhf.sky_notices import coincidence
from mxtvhf.sky_notices.coincidence import chance_probability, other_missions
from mxtvhf.sky_notices.missions import detector_of, mission_facts
from mxtvhf.sky_notices.model import ErrorEllipse, SkyNotice
from mxtvhf.sky_notices.store import SkyStore
from support.positions import place

BURST = "sb26040203"
T0 = datetime(2026, 4, 2, 10, 30, 17, tzinfo=UTC)
OURS = place(170.982, 63.622, 274.0, Origin.ECLAIRS)


@pytest.fixture
def store(tmp_path):
    return SkyStore(tmp_path)


def file(store, raw, minutes=5.0):
    received = T0 + timedelta(minutes=minutes)
    store.read(store.keep(raw, received=received, source="test"), received)


def gbm(event_id="796863442", after_s=2.0, dec_deg=65.0, minutes=1.0, **fields):
    given = {"mission": "Fermi", "instrument": "GBM", "ra": 172.0, "dec": dec_deg, "ra_dec_error": 3.0}
    moment, published = (T0 + timedelta(seconds=seconds) for seconds in (after_s, after_s + 60.0 * minutes))
    return write_gcn_json("fermi/gbm/trigger", event_id, moment, published=published, **(given | fields))


def found(store, position=OURS, burst_id=BURST, is_test=False):
    return other_missions(store, burst_id, T0, position, is_test=is_test)


def test_without_any_notice_nothing_was_checked(store):
    assert not found(store).checked
    assert "no notice of another mission" in found(store).reason
    file(store, gbm())
    unknown = other_missions(store, BURST, None, OURS, is_test=False)
    assert (unknown.checked, unknown.reason) == (False, "T0 of the burst is unknown")


def test_a_defect_in_the_comparison_costs_only_the_comparison(store, monkeypatch, caplog):
    def fail(*arguments):
        raise ZeroDivisionError("no area")

    file(store, gbm())
    monkeypatch.setattr(coincidence, "compare", fail)
    assert found(store).reason == "internal error ZeroDivisionError: no area"
    assert f"burst {BURST}: comparison with other missions failed" in caplog.text


@pytest.mark.parametrize("containment", [1e-20, 0.001, 0.01, 0.999999])
def test_a_region_of_any_probability_is_compared(store, containment):
    file(store, gbm(containment_probability=containment))
    assert found(store).checked
    assert len(found(store).coincidences) == 1


def test_an_event_at_our_time_and_place_is_named_with_its_probability(store):
    file(store, gbm())
    result = found(store)
    (one,) = result.coincidences
    assert result.seen_by == ("Fermi GBM",)
    assert one.association == "probable"
    assert one.chance_probability < 1e-5
    assert one.separation_arcsec == pytest.approx(1.446 * 3600, rel=0.01)
    assert "2.0 s after T0" in one.explanation
    assert "probably the same event" in one.explanation
    assert result.summary.startswith("also seen by Fermi GBM (chance probability ")


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (gbm(dec_deg=20.0), "elsewhere on the sky"),
        (gbm(after_s=5_000.0), "too late"),
        (gbm(alert_tense="test"), "a test"),
        (gbm(alert_tense="planned"), "planned"),
    ],
)
def test_other_events_are_not_named(store, event, why):
    file(store, event, minutes=120.0)
    assert found(store).coincidences == (), why


def test_our_own_notices_are_no_other_mission(store):
    own = {
        "mission": "SVOM",
        "instrument": "ECLAIRs",
        "ra": OURS.ra_deg,
        "dec": OURS.dec_deg,
        "ra_dec_error": 0.1,
    }
    file(store, write_gcn_json("svom/trigger", BURST, T0, **own))
    assert found(store).coincidences == ()
    assert found(store, burst_id="sb26040299").seen_by == ("SVOM ECLAIRs",)


def test_an_event_without_a_position_is_compared_in_time_alone(store):
    file(store, gbm(ra=None, dec=None, ra_dec_error=None, healpix_url="https://x/map.fit"))
    (one,) = found(store).coincidences
    assert one.separation_arcsec is None
    assert "not downloaded" in one.position_not_checked
    assert "its position was not checked" in one.explanation
    assert one.association == "probable", "2 s apart at 240 events per year"


def test_a_burst_without_a_position_is_compared_in_time_alone(store):
    file(store, gbm(after_s=400.0))
    (one,) = found(store, position=None).coincidences
    assert "the burst has no position" in one.position_not_checked
    assert one.association == "possible"


def test_a_retraction_takes_the_event_back(store):
    file(store, gbm())
    file(store, gbm(alert_type="retraction", minutes=30.0), minutes=31.0)
    result = found(store)
    assert result.coincidences == ()
    assert [one.words for one in result.withdrawn] == ["Fermi GBM 796863442, retracted by its mission"]
    assert "no probable detection" in result.summary


def test_the_newest_position_of_an_event_counts(store):
    file(store, gbm(ra_dec_error=8.0))
    file(store, gbm(ra_dec_error=0.5, minutes=10.0))
    (one,) = found(store).coincidences
    assert one.r90_arcsec < 8.0 * 3600


def test_an_event_that_its_mission_calls_no_burst_is_left_out(store):
    ivorn = "ivo://nasa.gsfc.gcn/Fermi#GBM_Flt_Pos_1"
    file(store, write_sky_voevent(ivorn, T0, event_id="1", params={"Def_NOT_a_GRB": "true"}))
    assert (found(store).coincidences, found(store).withdrawn) == ((), ())


@pytest.mark.parametrize(
    ("classes", "reason"),
    [
        ([{"GRB": 0.6}, {"SOLAR_FLARE": 0.95}], "classified as SOLAR_FLARE by its mission"),
        ([{"GRB": 0.6}, {"SOLAR_FLARE": 0.95}, {}], "classified as SOLAR_FLARE by its mission"),
        ([{}, {"DISTANT_PARTICLES": 0.95}, {"GRB": 0.9}], None),
        ([{"UNRELIABLE_LOCATION": 1.0}], None),
        ([{}, {"DISTANT_PARTICLES": 0.6, "GRB": 0.4}], None),
    ],
)
def test_the_last_classification_of_an_event_counts(store, classes, reason):
    for minutes, classification in enumerate(classes, start=1):
        file(store, gbm(minutes=float(minutes), classification=classification), minutes=minutes + 1.0)
    result = found(store)
    assert [one.reason for one in result.withdrawn] == ([reason] if reason else [])
    assert bool(result.coincidences) == (reason is None)


def test_a_retraction_without_an_instrument_is_about_each_instrument_of_the_event(store):
    own = {"ra": OURS.ra_deg, "dec": OURS.dec_deg, "ra_dec_error": 0.1, "event_name": "x"}
    for minutes, fields in ((1, {"instrument": "GRM"} | own), (2, {"instrument": "ECLAIRs"} | own), (3, {})):
        fields |= {} if own.items() <= fields.items() else {"alert_type": "retraction"}
        file(store, write_gcn_json("svom/trigger", "1", T0, mission="SVOM", **fields), minutes=minutes)
    result = found(store, burst_id="sb26040299")
    assert result.coincidences == ()
    assert {one.detector for one in result.withdrawn} == {"SVOM GRM", "SVOM ECLAIRs"}


@pytest.mark.parametrize(("after_s", "named"), [(-300.0, True), (30.0, True), (300.0, False)])
def test_a_gravitational_wave_comes_before_the_burst(store, after_s, named):
    moment = T0 + timedelta(seconds=after_s)
    file(store, write_lvk_alert("S260402ab", moment, created=moment))
    assert bool(found(store, position=None).coincidences) == named


def test_an_event_of_an_unknown_mission_has_no_probability(store):
    file(
        store,
        write_sky_voevent("ivo://example.org/HERMES#T_1", T0, event_id="1", position=(171.0, 63.6, 2.0)),
    )
    (one,) = found(store).coincidences
    assert (one.chance_probability, one.association, one.chance) == (None, "possible", "unknown")


def test_a_sky_map_is_compared_by_its_density(store):
    def alert(name, ra_deg):
        skymap = write_sky_map(ra_deg, 60.0, 6.0, order=5)
        return write_lvk_alert(name, T0 + timedelta(seconds=-1), created=T0, skymap=skymap)

    file(store, alert("S260402ab", 171.0))
    file(store, alert("S260402ac", 20.0))
    (one,) = found(store).coincidences
    assert (one.event_id, one.association) == ("S260402ab", "probable")
    assert one.p_value == pytest.approx(np.exp(-0.5 * (3.62 / 6.0) ** 2), abs=0.05)
    assert "% region" in one.explanation


def test_a_broken_map_leaves_the_position_unchecked(store):
    skymap = write_sky_map(20.0, 60.0, 6.0, order=3, total=0.5)
    file(store, write_lvk_alert("S260402ab", T0, created=T0, skymap=skymap))
    (one,) = found(store).coincidences
    assert "not normalised" in one.position_not_checked


def test_of_a_storm_only_the_nearest_events_are_compared(store, monkeypatch):
    monkeypatch.setattr(coincidence, "MOST_COMPARED", 5)
    for number in range(8):
        file(store, gbm(str(number), after_s=1.0 + number))
    result = found(store)
    assert len(result.coincidences) == 5
    assert result.not_compared == 3
    assert "farther from T0, not compared: 3" in result.counted


def test_a_storm_of_one_instrument_does_not_hide_the_event_of_another(store, monkeypatch):
    monkeypatch.setattr(coincidence, "MOST_COMPARED", 5)
    for number in range(20):
        file(store, gbm(str(number), after_s=1.0 + number))
    wxt = {"ra": OURS.ra_deg, "dec": OURS.dec_deg, "ra_dec_error": 0.05}
    wxt |= {"mission": "Einstein Probe", "instrument": "WXT"}
    file(store, write_gcn_json("einstein_probe/wxt/alert", "9", T0 + timedelta(hours=1), **wxt), minutes=70.0)
    assert "Einstein Probe WXT" in {one.detector for one in found(store).coincidences}


def test_while_notices_wait_the_result_claims_nothing_about_them(store):
    store.note_unread()
    assert found(store).reason == "none was read yet, because many arrived at once"
    file(store, gbm(after_s=5_000.0), minutes=120.0)
    result = found(store)
    assert result.has_unread
    assert (
        result.nothing
        == "No event of another mission fits in time and position among the notices read so far."
    )
    assert result.counted.endswith("Not checked yet: the newest notices, because many arrived at once.")
    assert result.summary == "no probable detection by another mission; newest notices not checked yet"
    store.note_all_read()
    result = found(store)
    assert result.summary == "no probable detection by another mission"
    assert "Not checked" not in result.counted + result.nothing


def test_the_probability_of_chance_is_true():
    """Of unrelated events at random times and directions, a fraction alpha reaches a p-value below alpha."""
    facts, random = detector_of("Fermi", "GBM"), np.random.default_rng(1)
    rate = 5.0  # expected events in the window, so that most trials have one
    window = facts.before_s + facts.after_s
    many = facts.model_copy(update={"rate_per_day": rate * 86_400.0 / window})
    largest, best = 0.2, []
    for _ in range(4000):
        number = random.poisson(rate)
        seconds = random.uniform(-facts.before_s, facts.after_s, number)
        fraction = random.uniform(0.0, 1.0, number)
        near = fraction <= largest
        best.append(
            min(
                (
                    chance_probability(many, t, (f, largest))
                    for t, f in zip(seconds[near], fraction[near], strict=True)
                ),
                default=1.0,
            )
        )
    for alpha in (0.02, 0.1, 0.3):
        assert np.mean(np.array(best) <= alpha) == pytest.approx(
            alpha, abs=3.5 * np.sqrt(alpha / 4000) + 0.005
        )


RADII_DEG = {
    "GBM": 4.0, "GBM sub-threshold": 20.0, "LAT": 0.3, "BAT": 0.05, "BAT-GUANO": 0.05, "XRT": 1e-3,
    "UVOT": 2e-4, "WXT": 0.05, "GSC": 0.3, "track alerts": 0.7, "ZTF": 6e-4, "IBIS": 0.05,
}  # fmt: skip
"""Typical error radii of the instruments that send one; GECAM sends 3 degrees."""


def random_events(facts, radius_deg, cap, number, random):
    """Yield unrelated events in the time window, and in a cap of the sky about our position."""
    away, angle = np.arccos(1.0 - 2.0 * cap * random.random(number)), random.uniform(0.0, 360.0, number)
    places = SkyCoord(OURS.ra_deg, OURS.dec_deg, unit="deg").directional_offset_by(
        Angle(angle, "deg"), Angle(away, "rad")
    )
    seconds = random.uniform(-facts.before_s, facts.after_s, number)
    about = {"mission": facts.mission, "instrument": facts.instrument, "event_id": "1", "kind": "initial"}
    for ra_deg, dec_deg, after_s in zip(places.ra.deg, places.dec.deg, seconds, strict=True):
        area = radius_deg and ErrorEllipse(
            ra_deg=ra_deg, dec_deg=dec_deg, semi_major_deg=radius_deg, semi_minor_deg=radius_deg,
            containment=facts.containment,
        )  # fmt: skip
        time = T0 + timedelta(seconds=after_s)
        yield SkyNotice(**about, time=time, received=T0, area=area, systematic_included=False, digest="0")


@pytest.mark.parametrize(
    "facts", mission_facts().detector, ids=lambda facts: f"{facts.mission} {facts.instrument}"
)
def test_random_events_at_the_rate_of_each_mission_are_as_frequent_as_their_probability_of_chance(
    facts, store
):
    """The share of bursts with a coincidence below a probability of chance is that probability.

    Only events near our position are drawn, and weighted with the expected number of such events per burst:
    one in thousands to millions of bursts has one.
    """
    random, number = np.random.default_rng(4), 500
    radius_deg = RADII_DEG.get(facts.instrument, 3.0 if facts.mission == "GECAM" else None)
    cap = 1.0
    if radius_deg:
        widest = 4.0 * np.hypot(1.5 * radius_deg, facts.systematic_r90_deg + OURS.r90_arcsec / 3600.0)
        cap = 0.5 * (1.0 - np.cos(np.radians(min(widest, 180.0))))
    expected = facts.rate_per_day / 86_400.0 * (facts.before_s + facts.after_s) * cap
    events = random_events(facts, radius_deg, cap, number, random)
    found = [coincidence.compare([one], store, T0, OURS) for one in events]
    chances = np.array([1.0 if one is None else one.chance_probability for one in found])
    largest = chances[chances < 1.0].max()
    for limit, tolerance in ((0.5 * largest, 0.0), (0.1 * largest, 0.35)):
        below = np.mean(chances <= limit)
        share, error = expected * below, expected * np.sqrt(max(below, 1.0 / number) / number)
        assert share <= limit + 4.0 * error, "claims to be rarer than it is"
        assert share >= limit * (1.0 - tolerance) - 4.0 * error, "claims to be more frequent than it is"


def test_the_fraction_of_the_sky_is_that_of_random_directions(store):
    """Random positions fit an ellipse as well as ours does with the probability that is used."""
    file(store, gbm(ra_dec_error=[8.0, 3.0, 30.0]))
    (notice,) = store.of_event("Fermi", "796863442")
    facts, random = detector_of("Fermi", "GBM"), np.random.default_rng(2)
    dec = np.degrees(np.arcsin(random.uniform(-1.0, 1.0, 30_000)))
    places = zip(random.uniform(0.0, 360.0, dec.size), dec, strict=True)
    limit = mission_facts().search.consistent_from
    near = [
        coincidence._match_ellipse(notice.area, facts.systematic_r90_deg, place(float(ra), float(one), 274.0))
        for ra, one in places
        if abs(one - notice.area.dec_deg) < 40.0
    ]
    inside = sum(one.p_value >= limit for one in near)
    assert inside / dec.size == pytest.approx(near[0].largest, rel=0.12)
