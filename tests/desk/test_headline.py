"""The candidates of the headline: what speaks for each stands with it."""

from mxtvhf.desk.headline import candidates
from mxtvhf.models.position import Origin
from support.reports import ECLAIRS, VHF, checked, localisation, position, record, report


def test_positions_that_agree_are_one_candidate():
    made = report()
    (only,) = candidates(made, made.best_position)
    assert only.position == VHF
    assert only.evidence[:2] == ("9 sigma (TS 80)", "30 source photons on 10 background")


def test_positions_that_disagree_stand_side_by_side_each_with_its_own_evidence():
    """The MXT source was not in the headline, and its photons stood under the ECLAIRs position."""
    far = position(Origin.MXT_VHF, "photons", -12.2, 48.0)
    made = report(record(far), checked(ECLAIRS, far))
    first, second = candidates(made, ECLAIRS)
    assert (first.position, first.pair) == (ECLAIRS, None)
    assert first.evidence == ("SNR 9",)
    assert second.position == far
    assert second.evidence[0] == "9 sigma (TS 80)"
    assert second.pair.separation_arcsec > 1700.0


def test_a_field_without_a_source_has_no_photon_evidence():
    made = report(record(None, localisation=localisation(None)), checked(ECLAIRS))
    (only,) = candidates(made, made.best_position)
    assert only.evidence == ("SNR 9",)
    assert only.galactic == "l 331.01, b +45.84 deg"


def test_a_position_without_a_significance_shows_that_of_the_photons_which_agree():
    """The headline had no significance when GP's position was the best one."""
    gp = position(Origin.GP, "gp-1", -12.731, 20.0)
    made = report(record(VHF), checked(ECLAIRS, VHF, gp))
    (only,) = candidates(made, gp)
    (words,) = only.evidence
    assert words.startswith("VHF photons there: 9 sigma (TS 80); ")
    far = position(Origin.GP, "gp-1", -12.2, 20.0)
    assert candidates(report(record(VHF), checked(ECLAIRS, VHF, far)), far)[0].evidence == ()
