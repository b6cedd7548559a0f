from datetime import UTC, datetime, timedelta
from itertools import permutations
from math import cos, hypot, log, radians, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.catalogues.bright import known_source
from mxtvhf.crosscheck.best_position import recommend
from mxtvhf.crosscheck.claims import RULE_UNKNOWN
from mxtvhf.crosscheck.crosscheck import crosscheck
from mxtvhf.crosscheck.model import ClaimCheck, GpOutcome, Verdict
from mxtvhf.crosscheck.pairs import NOT_INDEPENDENT, compare, p_text, verdict_of
from mxtvhf.errors import InvalidInput
from mxtvhf.models.position import Origin, Position
from mxtvhf.notices.alert import Alert
from support.alerts import alert_of
from support.positions import place

NO_GP = GpOutcome(available=False, reason="GP did not answer")
T0 = datetime(2026, 5, 11, 11, 0, 32, tzinfo=UTC)


def eclairs(label: str, ra: float, dec: float, r90_arcmin: float) -> Position:
    return place(ra, dec, 60.0 * r90_arcmin, Origin.ECLAIRS, label)


def mxt(label: str, ra: float, dec: float, r90: float) -> Position:
    return place(ra, dec, r90, Origin.MXT_ONBOARD, label)


def vt(label: str, ra: float, dec: float, r90: float) -> Position:
    return place(ra, dec, r90, Origin.VT, label)


def notice(where: Position | None, minute: int, **claims: Any) -> Alert:
    label = where.label if where else "grm-trigger"
    return alert_of(
        "sb26051102",
        label,
        T0,
        **{"published": T0 + timedelta(minutes=minute), "position": where, "snr": 10.0, **claims},
    )


# Real bursts: ECLAIRs and MXT or VT positions as published, and the expected verdicts.
REAL = {
    "sb26022501": (
        eclairs("slewing", 204.6748, 44.6546, 5.12),
        mxt("mxt-initial_qf1", 204.8665, 45.1204, 231.5),
        29.11,
        Verdict.INCONSISTENT,
    ),
    "sb26022802": (
        eclairs("eclairs-wakeup", 237.8312, 26.3060, 7.51),
        mxt("mxt-initial_qf1", 237.4411, 26.0376, 242.3),
        26.47,
        Verdict.INCONSISTENT,
    ),
    "sb26022802 update": (
        eclairs("eclairs-wakeup", 237.8312, 26.3060, 7.51),
        mxt("mxt-update_qf2", 237.4077, 26.0255, 122.4),
        28.34,
        Verdict.INCONSISTENT,
    ),
    "sb26030303": (
        eclairs("eclairs-wakeup", 92.9479, 41.1688, 9.89),
        mxt("mxt-initial_qf1", 92.9910, 41.2443, 148.0),
        4.93,
        Verdict.CONSISTENT,
    ),
    "sb26030704": (
        eclairs("eclairs-wakeup", 155.5760, -21.0620, 8.01),
        mxt("mxt-initial_qf3", 155.5246, -21.0037, 52.2),
        4.53,
        Verdict.CONSISTENT,
    ),
    "sb25070404": (
        eclairs("best alert", 17.1325, -17.2798, 6.78),
        mxt("VHF on-board", 17.1760, -17.3394, 102.0),
        4.36,
        Verdict.CONSISTENT,
    ),
    "sb25080601": (
        eclairs("best alert", 348.4237, 1.3791, 7.62),
        mxt("VHF on-board", 348.4214, 1.3820, 85.0),
        0.22,
        Verdict.CONSISTENT,
    ),
    # The source lies outside the ECLAIRs 90 % circle, like one source in ten: p = 0.1 ** (4.78 / 4.72) ** 2 =
    # 0.094.
    "sb26050905": (
        eclairs("slewing", 176.8870, 0.2095, 4.72),
        place(176.89974, 0.28822, 0.5, Origin.VT, "VT candidate"),
        4.78,
        Verdict.CONSISTENT,
    ),
}


@pytest.mark.parametrize("burst", REAL)
def test_real_bursts(burst: str) -> None:
    first, second, arcmin, verdict = REAL[burst]
    pair = compare(first, second)
    assert pair.separation_arcsec / 60.0 == pytest.approx(arcmin, abs=0.01)
    assert pair.verdict is verdict
    best, reason = recommend([first, second])
    assert best == (first if verdict is Verdict.INCONSISTENT else second)
    assert (first.label in reason) == (verdict is Verdict.INCONSISTENT)


def test_far_x_ray_source_is_explained() -> None:
    first, second, _, _ = REAL["sb26022501"]
    pair = compare(first, second)
    assert "29.1' apart" in pair.explanation
    assert "p < 1e-12" in pair.explanation
    _, reason = recommend([first, second])
    assert "MXT on board (mxt-initial_qf1) is not recommended: it is contradicted." in reason


def test_p_value_by_hand() -> None:
    # sigma = r90 / sqrt(-2 ln 0.1); r90 of 30" and 40" give a combined one of 50".
    pair = compare(mxt("a", 10.0, 0.0, 30.0), vt("b", 10.0, 100.0 / 3600.0, 40.0))
    sigmas = [r90 / sqrt(-2.0 * log(0.1)) for r90 in (30.0, 40.0)]
    assert pair.combined_r90_arcsec == pytest.approx(50.0)
    assert pair.p_value == pytest.approx(np.exp(-(100.0**2) / (2.0 * hypot(*sigmas) ** 2)))


def test_p_value_is_uniform_for_one_source() -> None:
    draw = np.random.default_rng(5)
    radii = 120.0, 40.0
    p_values = []
    for _ in range(4000):
        places = [draw.normal(0.0, r90 / 2.145966 / 3600.0, 2) for r90 in radii]
        first, second = (
            measured(label, 100.0 + place[0], place[1], r90)
            for measured, label, place, r90 in zip((mxt, vt), "ab", places, radii, strict=True)
        )
        p_values.append(compare(first, second).p_value)
    for quantile in (0.01, 0.1, 0.5, 0.9):
        share = np.mean(np.array(p_values) < quantile)
        assert share == pytest.approx(quantile, abs=4.0 * sqrt(quantile * (1 - quantile) / 4000))


@given(st.floats(0.0, 0.1), st.floats(0.1, 600.0), st.floats(0.1, 600.0))
def test_comparison_is_symmetric(offset: float, r1: float, r2: float) -> None:
    first, second = mxt("a", 30.0, -60.0, r1), vt("b", 30.0, -60.0 + offset, r2)
    forth, back = compare(first, second), compare(second, first)
    assert forth.p_value == pytest.approx(back.p_value, rel=1e-6)
    assert forth.separation_arcsec == pytest.approx(back.separation_arcsec, abs=1e-9)
    assert 0.0 <= (forth.p_value or 0.0) <= 1.0
    assert forth.probability == pytest.approx(back.probability, rel=1e-6)
    parts = forth.probability, forth.probability_unrelated, forth.probability_no_source
    assert sum(part or 0.0 for part in parts) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("p_value", "verdict"),
    [
        (1.0, Verdict.CONSISTENT),
        (0.01, Verdict.CONSISTENT),
        (0.0099, Verdict.UNCLEAR),
        (1e-4, Verdict.UNCLEAR),
        (9.9e-5, Verdict.INCONSISTENT),
        (0.0, Verdict.INCONSISTENT),
    ],
)
def test_verdict_limits(p_value: float, verdict: Verdict) -> None:
    assert verdict_of(p_value) is verdict


def test_position_without_radius_is_unclear() -> None:
    grm = place(12.0, 3.0, None, Origin.GRM, "grm-trigger")
    pair = compare(grm, mxt("a", 10.0, 3.0, 30.0))
    assert (pair.p_value, pair.combined_r90_arcsec, pair.verdict) == (None, None, Verdict.UNCLEAR)
    assert "the error radius of GRM (grm-trigger) is unknown" in pair.explanation
    assert recommend([grm]) == (None, "No position has an error radius.")


def test_the_last_position_of_an_origin_supersedes() -> None:
    # In sb26051102 the refined ECLAIRs radius is larger than the first one.
    wakeup, slewing = eclairs("eclairs-wakeup", 20.0, 0.0, 2.63), eclairs("slewing", 20.0, 0.05, 3.55)
    assert recommend([wakeup, slewing])[0] == slewing


def test_best_does_not_depend_on_the_order_of_origins() -> None:
    found = [
        eclairs("slewing", 20.0, 0.0, 4.0),
        mxt("mxt-initial_qf4", 20.01, 0.0, 32.0),
        place(20.011, 0.001, 32.0, Origin.MXT_VHF, "VHF photons"),
        place(25.0, 0.0, None, Origin.GRM, "grm-trigger"),
    ]
    assert {recommend(order)[0].label for order in permutations(found)} == {"VHF photons"}  # type: ignore[union-attr]


def test_disagreement_of_credible_positions_is_reported() -> None:
    found = [eclairs("slewing", 20.0, 0.0, 4.0), mxt("a", 20.03, 0.0, 30.0)]
    vhf = place(20.0, 0.0, 28.0, Origin.MXT_VHF, "VHF photons")
    best, reason = recommend([*found, vhf])
    assert best == vhf
    assert "MXT (VHF photons) and MXT on board (a) are 1.80' apart" in reason


def test_the_reference_gp_is_compared_but_does_not_count_in_addition_to_ours() -> None:
    there = eclairs("slewing", 20.0, 0.0, 4.0)
    vhf = place(20.0, 0.0, 28.0, Origin.MXT_VHF, "VHF photons")
    same = place(20.0, 0.0, 28.0, Origin.GP, "reference service")
    gp = GpOutcome(available=True, position=same, is_reference=True)
    result = crosscheck([there, vhf, same], [], gp)
    assert result.best == vhf
    assert "of 2 independent positions" in result.best_reason
    assert result.positions == (there, vhf, same)
    told = [pair.explanation.endswith(f"{NOT_INDEPENDENT}.") for pair in result.pairs]
    assert told == [False, False, True]
    partner = crosscheck([there, vhf, same], [], gp.model_copy(update={"is_reference": False}))
    assert partner.best == same
    assert NOT_INDEPENDENT not in partner.pairs[-1].explanation
    # What is never announced is not recommended either, even if our own analysis gave no position.
    assert crosscheck([there, same], [], gp).best == there
    alone = crosscheck([same], [], gp)
    assert alone.best is None
    assert alone.best_reason.startswith("No position can be announced. GP is not recommended")


def beside(there: Position, label: str, arcmin: float, r90: float) -> Position:
    """Return an MXT position at a distance east of another one."""
    return mxt(label, there.ra_deg + arcmin / 60.0 / cos(radians(there.dec_deg)), there.dec_deg, r90)


def claims_of(*alerts: Alert) -> dict[str, ClaimCheck]:
    return {check.claim: check for check in crosscheck([], alerts, NO_GP).claims}


def test_a_flag_whose_rule_is_unknown_is_never_contradicted() -> None:
    # sb26050402's published numbers.
    there = eclairs("eclairs-wakeup", 351.0, -0.3, 4.91)
    here = beside(there, "mxt-initial_qf1", 1.42, 176.8)
    claims = claims_of(notice(there, 1), notice(here, 9, within_eclairs_r90=False, eclairs_angle_arcmin=1.42))
    within = claims["Within_ECLAIRs_R90"]
    assert (within.published, within.recomputed, within.agrees) == ("False", "True", None)
    assert within.word == "unclear"
    assert within.explanation == f"85.2\" from eclairs-wakeup, inside its R90 of 4.91'; {RULE_UNKNOWN}"
    assert claims["ECLAIRs_Angle"].agrees


def test_claims_name_the_notice_they_refer_to() -> None:
    # sb26051102: the published angle is that from the wake-up position, not from the later one.
    wakeup = eclairs("eclairs-wakeup", 20.0, 0.0, 2.63)
    here = beside(wakeup, "mxt-initial_qf4", 3.78, 32.0)
    slewing = eclairs("slewing", here.ra_deg, 1.81 / 60.0, 3.55)
    claims = claims_of(
        notice(wakeup, 1),
        notice(slewing, 2),
        notice(here, 9, within_eclairs_r90=True, eclairs_angle_arcmin=3.78),
    )
    angle, within = claims["ECLAIRs_Angle"], claims["Within_ECLAIRs_R90"]
    assert angle.agrees
    assert angle.explanation == "3.78' from the position of eclairs-wakeup; slewing: 1.81'"
    assert within.agrees is None
    assert within.explanation == (
        "3.78' from eclairs-wakeup, outside its R90 of 2.63'; 1.81' from slewing, inside its R90 of 3.55'; "
        f"{RULE_UNKNOWN}"
    )


def test_a_flag_that_the_numbers_give_agrees() -> None:
    there = eclairs("eclairs-wakeup", 20.0, 0.0, 5.0)
    here = beside(there, "mxt-initial_qf4", 2.0, 32.0)
    within = claims_of(notice(there, 1), notice(here, 9, within_eclairs_r90=True))["Within_ECLAIRs_R90"]
    assert (within.agrees, within.word) == (True, "agrees")


def name_of(source: str, r90: float | None, away: float) -> ClaimCheck:
    """Check a notice that names a source at a distance from it in arcsec."""
    meant = known_source(source)
    assert meant is not None
    here = place(meant.ra_deg, meant.dec_deg + away / 3600.0, r90, Origin.ECLAIRS, "eclairs-catalog")
    return claims_of(notice(here, 1, source_name=source))["Source_Name"]


def test_a_true_name_is_not_contradicted() -> None:
    # A tenth of all positions are off by more than their 90 % radius; true names were contradicted that
    # often.
    distances = np.random.default_rng(1).rayleigh(280.0 / 2.146, 2000)
    found = [name_of("GX 340+0", 280.0, away).word for away in distances]
    assert found.count("contradicted") <= 1
    assert found.count("agrees") > 1950


def test_a_wrong_name_is_contradicted() -> None:
    assert name_of("GX 340+0", 280.0, 3600.0).word == "contradicted"
    assert name_of("GX 340+0", 280.0, 480.0).word == "unclear"


def test_without_an_error_radius_a_name_is_not_checked() -> None:
    claim = name_of("GX 340+0", None, 3600.0)
    assert claim.agrees is None
    assert "no error radius" in claim.explanation


@pytest.mark.parametrize(
    ("p_value", "text"),
    [(0.5, "p = 0.50"), (1.0, "p > 0.99"), (0.001234, "p = 0.0012"), (1e-13, "p < 1e-12"), (0.1, "p = 0.10")],
)
def test_a_p_value_has_two_digits(p_value: float, text: str) -> None:
    assert p_text(p_value) == text


def test_wrong_angle_is_contradicted_with_the_latest_notice() -> None:
    wakeup, slewing = eclairs("eclairs-wakeup", 20.0, 0.0, 5.0), eclairs("slewing", 20.0, 0.02, 5.0)
    here = beside(wakeup, "mxt-initial_qf4", 2.0, 32.0)
    claims = claims_of(notice(wakeup, 1), notice(slewing, 2), notice(here, 9, eclairs_angle_arcmin=9.0))
    assert claims["ECLAIRs_Angle"].agrees is False
    assert claims["ECLAIRs_Angle"].explanation.startswith("2.33' from the position of slewing;")


def test_claims_without_eclairs_are_not_checked() -> None:
    # For sb26033003 only the published angle is known.
    here = mxt("mxt-initial_qf1", 252.6053, 36.7647, 205.6)
    checks = crosscheck([here], [notice(here, 9, within_eclairs_r90=False, eclairs_angle_arcmin=6.32)], NO_GP)
    assert [check.agrees for check in checks.claims] == [None, None]
    assert {check.explanation for check in checks.claims} == {"no ECLAIRs position available"}


def test_impossible_flux_is_contradicted() -> None:
    here = mxt("mxt-initial_qf1", 252.6053, 36.7647, 205.6)
    checks = claims_of(notice(here, 9, mean_flux=0.23, flux_error=0.48, flux_credible=False))
    assert checks["Mean_Flux"].agrees is False
    assert checks["Mean_Flux"].published == "0.23 +- 0.48 erg/cm2/s"
    assert not claims_of(notice(here, 9, mean_flux=1e-10))


def test_full_result_without_gp_and_without_positions() -> None:
    result = crosscheck([], [notice(None, 1)], NO_GP)
    assert (result.positions, result.pairs, result.best) == ((), (), None)
    assert result.gp.reason == "GP did not answer"


def test_all_pairs_are_compared() -> None:
    found = [mxt(label, 20.0, 0.0, 30.0) for label in "abcd"]
    pairs = crosscheck(found, [], NO_GP).pairs
    assert [(pair.first + pair.second) for pair in pairs] == ["ab", "ac", "ad", "bc", "bd", "cd"]


def test_labels_must_differ() -> None:
    with pytest.raises(InvalidInput, match="more than one position has the label a"):
        crosscheck([mxt("a", 1.0, 1.0, 9.0), mxt("a", 1.0, 1.0, 9.0)], [], NO_GP)


def test_a_retraction_is_reported() -> None:
    there = eclairs("retraction", 20.0, 0.0, 5.0)
    result = crosscheck([], [notice(there, 5, packet_type=219)], NO_GP)
    assert result.best_reason.startswith("The burst was retracted.")
