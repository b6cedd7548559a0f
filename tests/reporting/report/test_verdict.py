"""The verdict in three layers: one line, the comparisons with their numbers, the explanation."""

import pytest

from mxtvhf.crosscheck.model import BurstVerdict, GpOutcome
from mxtvhf.localisation.model import FluxLimit, Localisation
from mxtvhf.models.position import Origin
from mxtvhf.reporting.report.model import Report
from mxtvhf.reporting.report.verdict import explanation, named_pairs, verdict_facts, verdict_line
from support.desk import answer
from support.reports import ECLAIRS, VHF, checked, localisation, page_of, position, record, report

AROUND = {"ra_deg": VHF.ra_deg, "dec_deg": VHF.dec_deg, "radius_arcsec": 128.0}
BRIGHT = answer().model_copy(update=AROUND | {"density_per_deg2": 0.003})
DEEP = answer("4xmm").model_copy(update=AROUND | {"density_per_deg2": 400.0})
FAR = position(Origin.MXT_VHF, "photons", -12.2, 48.0)


def uncatalogued(*answers) -> Report:
    return report().model_copy(update={"catalogues": answers, "verdict": BurstVerdict.UNCATALOGUED})


def without_detection(**limit) -> Report:
    found: Localisation = localisation(None).model_copy(update=limit)
    return report(record(None, localisation=found), checked(ECLAIRS))


def test_one_line_holds_verdict_comparison_and_catalogues():
    assert verdict_line(report(), VHF) == "consistent with ECLAIRs (1.80' away), no catalogue checked"
    assert verdict_line(uncatalogued(DEEP, BRIGHT), VHF) == (
        "uncatalogued, consistent with ECLAIRs (1.80' away), no known X-ray source within 2.1'"
    )


def test_the_line_says_so_if_no_catalogue_is_as_deep_as_mxt():
    assert verdict_facts(uncatalogued(BRIGHT), VHF).endswith(
        "no bright catalogued X-ray source within 2.1' (only bright checked)"
    )


def test_without_a_detection_the_line_gives_the_upper_limit_and_claims_no_source():
    usual = FluxLimit(photon_index=2.0, nh_1e22_cm2=0.1, flux=1.1e-12)
    fields = {"upper_limit_photons": 19.4, "upper_limit_flux": 4.2e-12}
    with_spectra = verdict_line(without_detection(**fields, upper_limit_fluxes=(usual,)), ECLAIRS)
    assert "in 0.3-10 keV for nine in ten expected spectra (1.1e-12 for a typical one)," in with_spectra
    made = without_detection(**fields)
    line = verdict_line(made, made.best_position)
    assert line == (
        "no MXT source, 90 % upper limit 19 counts, 4.2e-12 erg/cm2/s in 0.3-10 keV, ECLAIRs position only"
    )
    page = page_of(made)
    assert line.removeprefix("no MXT source, ") in page
    assert "new source" not in page
    assert made.headline.endswith(line)


def test_without_a_limit_the_line_says_that_there_is_none():
    made = without_detection()
    assert verdict_line(made, ECLAIRS) == "no MXT source, no upper limit, ECLAIRs position only"


def test_positions_that_disagree_are_named_with_their_separation():
    made = report(record(FAR), checked(ECLAIRS, FAR))
    assert verdict_line(made, made.best_position) == (
        "inconsistent, ECLAIRs and MXT (VHF photons) 30.0' apart (p < 1e-12), no catalogue checked"
    )


def test_a_missing_position_leaves_only_the_word():
    assert verdict_line(report(record(None), checked()), None) == "unclear"


@pytest.mark.parametrize("where", [(ECLAIRS, VHF), (ECLAIRS, FAR), (ECLAIRS,)])
def test_each_comparison_is_explained_once(where):
    """In a burst with an inconsistent pair, the same sentences stood in headline, verdict and caveats."""
    made = report(record(where[-1]), checked(*where))
    statements = [*explanation(made, made.best_position), *(pair.explanation for pair in made.crosscheck)]
    assert len(statements) == len(set(statements))
    assert all(any(pair.explanation in one for one in statements) for pair in made.crosscheck)
    assert made.best_reason.split(".")[0] in " ".join(statements)


def test_comparisons_name_the_notice_of_a_superseded_position():
    first, last = (
        position(Origin.MXT_ONBOARD, label, -12.73, r90)
        for label, r90 in (("mxt-initial_qf1", 90.0), ("mxt-update_qf2", 60.0))
    )
    made = report(check=checked(ECLAIRS, first, last, gp=GpOutcome(available=False, reason="HTTP 503")))
    names = {name for one in named_pairs(made) for name in (one.first, one.second)}
    assert names == {"ECLAIRs", "MXT on board (mxt-initial_qf1)", "MXT on board"}
