"""Recommended position, and positions that count as evidence for it."""

from math import cos, radians

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mxtvhf.crosscheck.best_position import CHAIN, recommend
from mxtvhf.crosscheck.crosscheck import crosscheck
from mxtvhf.crosscheck.model import BurstVerdict, CrossCheck, GpOutcome, PhotonEvidence, PositionPair, Verdict
from mxtvhf.crosscheck.pairs import compare
from mxtvhf.crosscheck.shared_data import data_group, share_data
from mxtvhf.models.position import Origin, Position
from support.positions import place

NO_GP = GpOutcome(available=False, reason="not asked")
RA, DEC = 150.0, 20.0


def east(origin: Origin, arcsec: float, r90: float, label: str | None = None, **more: object) -> Position:
    """Return a position some arcsec east of the burst."""
    ra = RA + arcsec / 3600.0 / cos(radians(DEC))
    return place(ra, DEC, r90, origin, label or origin.name.lower(), **more)


def checked(*positions: Position, **more: object) -> CrossCheck:
    return crosscheck(positions, [], NO_GP, **more)  # type: ignore[arg-type]


def pair_of(result: CrossCheck, first: Position, second: Position) -> PositionPair:
    labels = {first.label, second.label}
    return next(pair for pair in result.pairs if {pair.first, pair.second} == labels)


ECLAIRS = east(Origin.ECLAIRS, 0.0, 300.0)
PHOTONS = east(Origin.MXT_VHF, 60.0, 60.0)


def test_a_vt_candidate_that_contradicts_mxt_is_not_recommended() -> None:
    vt = east(Origin.VT, 410.0, 0.5)
    result = checked(ECLAIRS, PHOTONS, vt)
    assert pair_of(result, PHOTONS, vt).p_value < 1e-12  # type: ignore[operator]
    assert pair_of(result, ECLAIRS, vt).verdict is Verdict.CONSISTENT
    assert result.best == PHOTONS
    assert "VT (vt) is not recommended: it is contradicted." in result.best_reason
    assert "5.83' apart" in result.best_reason
    assert result.verdict is BurstVerdict.INCONSISTENT


def test_vt_inside_the_mxt_error_circle_is_recommended() -> None:
    vt = east(Origin.VT, 80.0, 0.5)
    result = checked(ECLAIRS, PHOTONS, vt)
    assert result.best == vt
    assert "the most precise of 3 independent positions that agree" in result.best_reason


def test_a_wrong_on_board_position_with_smaller_radius_is_not_recommended() -> None:
    photons = east(Origin.MXT_VHF, 30.0, 177.0)
    for away in (616.0, 350.0):  # inconsistent, and 2 R90 away
        onboard = east(Origin.MXT_ONBOARD, 30.0 - away, 176.8)
        result = checked(east(Origin.ECLAIRS, 0.0, 600.0), onboard, photons)
        assert result.best == photons
        assert (
            "MXT on board (mxt_onboard) is not" in result.best_reason or "not counted" in result.best_reason
        )


def test_an_on_board_position_of_more_photons_is_recommended_if_ours_supports_it() -> None:
    onboard = east(Origin.MXT_ONBOARD, 90.0, 32.0)
    assert checked(ECLAIRS, onboard, PHOTONS).best == onboard
    beside = east(Origin.MXT_ONBOARD, 130.0, 32.0)
    assert checked(ECLAIRS, beside, PHOTONS).best == PHOTONS
    said = PhotonEvidence(label=beside.label, supported=True, p_value=0.3)
    assert checked(ECLAIRS, beside, PHOTONS, evidence=[said]).best == beside


def test_an_unclear_position_is_in_doubt_and_not_recommended() -> None:
    photons = east(Origin.MXT_VHF, 596.0, 60.0)
    result = checked(ECLAIRS, photons)
    pair = result.pairs[0]
    assert pair.p_value == pytest.approx(1.6e-4, rel=0.05)
    assert pair.verdict is Verdict.UNCLEAR
    assert pair.probability == pytest.approx(0.1, abs=0.05)
    assert result.best == ECLAIRS
    doubt = "MXT (VHF photons) is not recommended: it is in doubt until another measurement"
    assert doubt in result.best_reason
    assert "p = 0.00016" in result.best_reason
    assert result.verdict is BurstVerdict.UNCLEAR


def test_an_unclear_position_that_is_most_probably_of_the_source_is_recommended() -> None:
    """An unrelated source this near is much rarer than a true one in the wing of the distribution."""
    photons = east(Origin.MXT_VHF, 0.0, 30.0)
    vt = east(Origin.VT, 45.0, 0.5)
    result = checked(ECLAIRS, photons, vt)
    pair = pair_of(result, photons, vt)
    assert pair.verdict is Verdict.UNCLEAR
    assert (pair.probability or 0.0) > 0.9
    assert result.best == vt


def test_a_position_that_contradicts_one_in_doubt_is_in_doubt() -> None:
    photons = east(Origin.MXT_VHF, 596.0, 60.0)
    vt = east(Origin.VT, 0.0, 0.5)
    result = checked(ECLAIRS, photons, vt)
    assert result.best == ECLAIRS
    assert result.best_reason.count("in doubt until") == 2


def test_an_on_board_position_is_in_doubt_if_ours_of_the_same_photons_is() -> None:
    """Its larger radius makes it consistent with ECLAIRs, while ours of the same source is in doubt."""
    photons = east(Origin.MXT_VHF, 596.0, 60.0)
    onboard = east(Origin.MXT_ONBOARD, 590.0, 290.0)
    result = checked(ECLAIRS, onboard, photons)
    assert pair_of(result, ECLAIRS, onboard).verdict is Verdict.CONSISTENT
    assert result.best == ECLAIRS


def test_an_on_board_position_of_another_source_than_ours_may_be_of_the_burst() -> None:
    """Our position is that of a bright source outside the ECLAIRs error circle."""
    photons = east(Origin.MXT_VHF, 1200.0, 40.0)
    onboard = east(Origin.MXT_ONBOARD, 100.0, 150.0)
    assert checked(ECLAIRS, onboard, photons).best == onboard


def test_gp_is_classified_by_its_data() -> None:
    xband = east(Origin.GP, 80.0, 40.0, data_stream="XBand")
    vhf = east(Origin.GP, 80.0, 40.0, data_stream="VHF")
    unnamed = east(Origin.GP, 80.0, 40.0)
    assert [share_data(PHOTONS, gp) for gp in (xband, vhf, unnamed)] == [False, True, True]
    assert compare(PHOTONS, xband).verdict is Verdict.CONSISTENT
    assert compare(PHOTONS, vhf).verdict is Verdict.NOT_INDEPENDENT
    for gp in (xband, vhf):
        outcome = GpOutcome(available=True, position=gp, is_reference=True)
        result = crosscheck([ECLAIRS, PHOTONS, gp], [], outcome)
        assert result.best == PHOTONS
        assert "GP is not recommended: it is from the reference GP" in result.best_reason
        assert "of 2 independent positions" in result.best_reason
        assert pair_of(result, PHOTONS, gp).verdict is Verdict.NOT_INDEPENDENT
    assert "of 3 independent positions" in checked(ECLAIRS, PHOTONS, xband).best_reason
    assert "of 2 independent positions" in checked(ECLAIRS, PHOTONS, vhf).best_reason


def test_the_reference_gp_confirms_no_other_position_of_mxt() -> None:
    onboard = east(Origin.MXT_ONBOARD, 62.0, 75.0)
    xband = east(Origin.GP, 80.0, 40.0, data_stream="XBand")
    outcome = GpOutcome(available=True, position=xband, is_reference=True)
    result = crosscheck([ECLAIRS, onboard, PHOTONS, xband], [], outcome)
    for other in (onboard, PHOTONS):
        assert pair_of(result, other, xband).verdict is Verdict.NOT_INDEPENDENT
    assert "of 2 independent positions" in result.best_reason
    assert result.verdict_reason.startswith("ECLAIRs (eclairs) and MXT (VHF photons) are")


def test_positions_that_share_photons_are_not_tested_by_their_distance() -> None:
    onboard = east(Origin.MXT_ONBOARD, 180.0, 75.0)  # 2 R90 from ours
    pair = compare(onboard, PHOTONS)
    assert (pair.verdict, pair.independent, pair.p_value) == (Verdict.NOT_INDEPENDENT, False, None)
    assert (pair.probability, pair.log10_bayes_factor) == (None, None)
    assert "both are from the same data (MXT VHF photons)" in pair.explanation
    far = compare(east(Origin.MXT_ONBOARD, 300.0, 75.0), PHOTONS)
    assert (far.verdict, far.independent) == (Verdict.INCONSISTENT, False)
    assert "inconsistent even if they were independent" in far.explanation


@pytest.mark.parametrize(
    ("supported", "verdict", "text"),
    [
        (True, Verdict.CONSISTENT, "the photons support mxt_onboard (p = 0.0010)"),
        (False, Verdict.INCONSISTENT, "the photons contradict mxt_onboard (p = 0.0010)"),
        (None, Verdict.NOT_INDEPENDENT, "their distance is not a test"),
    ],
)
def test_the_photons_judge_a_position_that_shares_them(
    supported: bool | None, verdict: Verdict, text: str
) -> None:
    onboard = east(Origin.MXT_ONBOARD, 180.0, 55.0)
    said = PhotonEvidence(label=onboard.label, supported=supported, p_value=0.001)
    result = checked(ECLAIRS, onboard, PHOTONS, evidence=[said])
    pair = pair_of(result, onboard, PHOTONS)
    assert pair.verdict is verdict
    assert text in pair.explanation
    assert pair_of(result, ECLAIRS, onboard).independent
    assert (result.best == onboard) is (supported is True)


def test_an_onboard_position_of_another_source_is_not_consistent_with_ours() -> None:
    """It was "consistent" 12.7' away (combined R90 3.0'), because the photons show a source there, too."""
    onboard = east(Origin.MXT_ONBOARD, 360.0, 55.0)
    said = PhotonEvidence(label=onboard.label, supported=False, other_source="S2")
    result = checked(ECLAIRS, onboard, PHOTONS, evidence=[said])
    pair = pair_of(result, onboard, PHOTONS)
    assert (pair.verdict, pair.p_value) == (Verdict.INCONSISTENT, None)
    assert "mxt_onboard is a position of another source, S2" in pair.explanation
    assert result.best == PHOTONS
    assert result.verdict is BurstVerdict.INCONSISTENT


def test_agreement_from_shared_photons_does_not_count() -> None:
    onboard = east(Origin.MXT_ONBOARD, 61.0, 70.0)
    result = checked(onboard, PHOTONS)
    assert result.verdict_reason == "No catalogue was checked, so it may be a known source."
    assert "the only credible position" in result.best_reason
    with_eclairs = checked(ECLAIRS, onboard, PHOTONS)
    assert "pairs" not in with_eclairs.verdict_reason


def test_a_position_found_in_eclairs_circle_does_not_confirm_it() -> None:
    result = checked(ECLAIRS, PHOTONS, uses_eclairs=True)
    assert "the most precise position; no independent one confirms it" in result.best_reason
    assert result.verdict_reason == "No catalogue was checked, so it may be a known source."
    assert result.pairs[0].verdict is Verdict.NOT_INDEPENDENT
    assert "found with the help of the ECLAIRs error circle" in result.pairs[0].explanation
    assert result.best == PHOTONS


def test_a_separation_of_nine_arcmin_with_large_radii_is_uncertain() -> None:
    """ECLAIRs R90 of 8' and a faint MXT excess with 6.4': a position of no source is sometimes as near."""
    pair = compare(east(Origin.ECLAIRS, 0.0, 480.0), east(Origin.MXT_VHF, 540.0, 384.0))
    assert pair.verdict is Verdict.CONSISTENT
    assert pair.probability == pytest.approx(0.964, abs=0.003)
    assert pair.probability_no_source == pytest.approx(0.031, abs=0.003)
    assert pair.probability_unrelated == pytest.approx(0.005, abs=0.001)
    assert "Probability of a common source: 96 %" in pair.explanation
    assert "no source 3 %" in pair.explanation


ORIGINS = [Origin.ECLAIRS, Origin.GP, Origin.MXT_VHF, Origin.MXT_ONBOARD, Origin.VT, Origin.OTHER]
ARCSEC = st.floats(-1500.0, 1500.0)
RADIUS = st.floats(0.3, 600.0)


@st.composite
def bursts(draw: st.DrawFn, *needed: Origin, without: Origin | None = None) -> list[Position]:
    """Return positions of a burst, at most one per origin, in any order."""
    drawn = draw(st.sets(st.sampled_from(ORIGINS), min_size=0 if needed else 1)) | set(needed)
    origins = draw(st.permutations(sorted(one for one in drawn if one is not without)))
    streams = st.sampled_from([None, "VHF", "XBand"])
    return [
        east(origin, draw(ARCSEC), draw(RADIUS), data_stream=draw(streams) if origin is Origin.GP else None)
        for origin in origins
    ]


@given(bursts())
def test_the_best_position_is_not_contradicted_by_one_earlier_in_the_chain(
    positions: list[Position],
) -> None:
    best, reason = recommend(positions)
    assert best in positions
    for other in positions:
        if CHAIN.index(other.origin) >= CHAIN.index(best.origin):
            continue
        pair = compare(other, best)
        if pair.verdict is Verdict.INCONSISTENT:
            # It is then contradicted itself, or adds nothing to an agreeing position earlier in the chain.
            assert any(
                f"{other.name} {words}" in reason
                for words in ("is not recommended: it is contradicted", "is from the same data as")
            )


def of(positions: list[Position], origin: Origin) -> Position:
    return next(one for one in positions if one.origin is origin)


@given(bursts(Origin.ECLAIRS))
def test_the_best_position_agrees_with_eclairs(positions: list[Position]) -> None:
    eclairs = of(positions, Origin.ECLAIRS)
    best, _ = recommend(positions)
    assert best is not None
    pair = compare(eclairs, best) if best != eclairs else None
    if pair:
        assert pair.verdict is Verdict.CONSISTENT or (pair.probability or 0.0) >= 0.9


@given(bursts(), st.data())
def test_repeated_data_change_nothing(positions: list[Position], data: st.DataObject) -> None:
    one = data.draw(st.sampled_from(positions))
    assume(one.origin is not Origin.OTHER)
    again = one.model_copy(update={"label": "again"})
    first, second = checked(*positions), checked(*positions, again)
    assert first.best is not None
    assert second.best is not None
    assert (first.best.ra_deg, first.best.r90_arcsec) == (second.best.ra_deg, second.best.r90_arcsec)
    assert first.verdict is second.verdict


@given(bursts(Origin.MXT_VHF, without=Origin.MXT_ONBOARD))
def test_an_on_board_copy_of_our_position_adds_no_evidence(positions: list[Position]) -> None:
    copy = of(positions, Origin.MXT_VHF).model_copy(update={"origin": Origin.MXT_ONBOARD, "label": "copy"})
    first, second = checked(*positions), checked(copy, *positions)
    assert first.best == second.best
    assert first.verdict is second.verdict


@given(bursts())
def test_data_groups_are_an_equivalence(positions: list[Position]) -> None:
    for one in positions:
        for other in positions:
            assert share_data(one, other) == (data_group(one) == data_group(other))
