"""Bayesian association of positions with each other and with catalogued sources."""

from datetime import UTC, datetime
from math import log10, pi, radians
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.catalogues.model import CatalogueAnswer, CatalogueSource
from mxtvhf.catalogues.store import CatalogueStore
from mxtvhf.crosscheck.association import CONE_R90, around, associate
from mxtvhf.crosscheck.bayes import hypotheses, log10_bayes_factor, probability, source_priors
from mxtvhf.crosscheck.crosscheck import crosscheck
from mxtvhf.crosscheck.model import BurstVerdict, GpOutcome
from mxtvhf.models.angles import WHOLE_SKY_DEG2, separation_arcsec
from mxtvhf.models.position import Origin, Position
from mxtvhf.notices.alert import Alert
from support.alerts import alert_of
from support.positions import place

NO_GP = GpOutcome(available=False, reason="not asked")


def source(name: str, ra: float, dec: float, r90: float = 5.0, flux: float | None = None) -> CatalogueSource:
    return CatalogueSource(
        catalogue="cat", name=name, ra_deg=ra, dec_deg=dec, r90_arcsec=r90, flux=flux, reference="a test"
    )


def answer(
    position: Position, *sources: CatalogueSource, density: float = 0.01, checked: bool = True
) -> CatalogueAnswer:
    return CatalogueAnswer(
        catalogue="cat",
        checked=checked,
        reason=None if checked else "HTTP 500",
        ra_deg=position.ra_deg,
        dec_deg=position.dec_deg,
        radius_arcsec=CONE_R90 * (position.r90_arcsec or 0.0),
        density_per_deg2=density if checked else None,
        sources=sources,
    )


def alert(kind: str = "eclairs-wakeup", packet_type: int = 202, **more: object) -> Alert:
    fields = {"packet_type": packet_type, "published": "2025-08-24T12:00:00Z", **more}
    return alert_of("sb25082402", kind, datetime(2025, 8, 24, 11, 59, tzinfo=UTC), **fields)


def test_bayes_factor_is_4_pi_times_the_density_of_the_separation() -> None:
    # Budavari & Szalay 2008, equation 16, for 90 % radii of 30" and 40".
    sigma2 = (radians(30.0 / 3600.0) ** 2 + radians(40.0 / 3600.0) ** 2) / (2.0 * np.log(10.0))
    psi = radians(25.0 / 3600.0)
    expected = log10(2.0 / sigma2) - psi**2 / (2.0 * sigma2) / np.log(10.0)
    assert log10_bayes_factor(25.0, 50.0) == pytest.approx(expected)


def test_probability_is_that_of_simulated_skies() -> None:
    """Among simulated pairs of a given separation, the posterior gives the fraction of true counterparts."""
    draw = np.random.default_rng(3)
    sigma, density, seen, trials = 40.0, 2000.0, 0.5, 200_000  # arcsec, per square degree
    half = 300.0  # arcsec: side of the patch in which unrelated sources are drawn, halved
    true = np.hypot(*draw.normal(0.0, sigma, (2, trials)))[: int(seen * trials)]
    per_patch = density * (2.0 * half / 3600.0) ** 2
    chance = np.hypot(*draw.uniform(-half, half, (2, int(per_patch * trials))))
    edges = np.array([0.0, 20.0, 40.0, 60.0, 80.0, 100.0])
    real, unrelated = np.histogram(true, edges)[0], np.histogram(chance, edges)[0]
    middle = np.sqrt(0.5 * (edges[1:] ** 2 + edges[:-1] ** 2))
    r90 = sigma * np.sqrt(2.0 * np.log(10.0))
    told = [probability(log10_bayes_factor(float(one), float(r90)), seen, density) for one in middle]
    assert np.allclose(told, real / (real + unrelated), atol=0.02)


def test_hypotheses_are_those_of_simulated_fields() -> None:
    """ECLAIRs radii of 6' and MXT radii of 2': counterpart, unrelated sources, and no source."""
    draw, trials = np.random.default_rng(4), 1_000_000
    mxt, eclairs = source_priors(Origin.MXT_VHF), source_priors(Origin.ECLAIRS)
    r90 = float(np.hypot(360.0, 120.0))
    half = 0.5 * 3600.0 * np.sqrt(mxt.field_deg2)
    is_seen = draw.random(trials) < (1.0 - eclairs.no_source) * mxt.counterpart_seen
    scatter = draw.normal(0.0, r90 / np.sqrt(2.0 * np.log(10.0)), (2, trials))
    numbers = mxt.per_deg2 * mxt.field_deg2, mxt.no_source
    anywhere = [draw.uniform(-half, half, (2, draw.poisson(number * trials))) for number in numbers]
    edges = np.array([0.0, 200.0, 400.0, 550.0, 650.0, 700.0, 800.0])
    counts = [np.histogram(np.hypot(*one), edges)[0] for one in (scatter[:, is_seen], *anywhere)]
    middle = np.sqrt(0.5 * (edges[1:] ** 2 + edges[:-1] ** 2))
    for index, away in enumerate(middle):
        told = hypotheses(log10_bayes_factor(float(away), r90), Origin.MXT_VHF, Origin.ECLAIRS)
        found = np.array([one[index] for one in counts]) / sum(one[index] for one in counts)
        assert (told.one_source, told.unrelated, told.no_source) == pytest.approx(tuple(found), abs=0.04)
        assert told.one_source + told.unrelated + told.no_source == pytest.approx(1.0)


@given(st.floats(0.0, 3600.0), st.floats(0.1, 3600.0), st.floats(1e-6, 1.0), st.floats(1e-6, 1e6))
def test_probability_falls_with_separation_and_density(
    away: float, r90: float, seen: float, density: float
) -> None:
    here = probability(log10_bayes_factor(away, r90), seen, density)
    assert 0.0 <= here <= 1.0
    assert probability(log10_bayes_factor(away + 1.0, r90), seen, density) <= here
    assert probability(log10_bayes_factor(away, r90), seen, 2.0 * density) <= here


def test_the_whole_sky() -> None:
    assert pytest.approx(41252.96, abs=0.01) == WHOLE_SKY_DEG2
    assert pytest.approx(4.0 * pi * (180.0 / pi) ** 2) == WHOLE_SKY_DEG2


def test_a_match_in_a_dense_catalogue_has_little_weight() -> None:
    here = place(30.0, -10.0, 60.0)
    near = source("near", 30.0, -10.0)
    sparse, dense = (associate([here], [answer(here, near, density=n)], [])[0] for n in (0.01, 1e5))
    assert sparse.probability > 0.999
    assert dense.probability < 0.01


def test_sources_of_one_catalogue_share_the_probability() -> None:
    here = place(30.0, -10.0, 60.0)
    twice = associate([here], [answer(here, source("a", 30.0, -10.0), source("b", 30.0, -10.0))], [])
    assert [match.probability for match in twice] == pytest.approx([0.5, 0.5], abs=0.001)
    result = crosscheck([here], [], NO_GP, catalogues=[answer(here, *(source(n, 30.0, -10.0) for n in "ab"))])
    assert result.verdict is BurstVerdict.KNOWN_SOURCE


def test_only_answers_around_a_position_are_compared_with_it() -> None:
    here, there = place(30.0, -10.0, 60.0), place(30.1, -10.0, 60.0, Origin.ECLAIRS)
    matches = associate([here, there], [answer(here, source("a", 30.0, -10.0))], [])
    assert [match.position for match in matches] == [here.label]


# Two real notices of a known source: position and 90 % radius (arcmin) as published.
REAL_CATALOGUE_TRIGGERS = {
    "sb25082402": (256.5632, -43.0365, 4.67),
    "sb25091702": (256.5645, -43.0392, 3.68),
}
U1702 = source("4U 1702-429", 256.5638, -43.0357, 1.0)


@pytest.mark.parametrize("burst", REAL_CATALOGUE_TRIGGERS)
def test_catalogue_trigger_is_the_known_source(burst: str) -> None:
    ra, dec, r90 = REAL_CATALOGUE_TRIGGERS[burst]
    here = place(ra, dec, 60.0 * r90, Origin.ECLAIRS)
    result = crosscheck([here], [alert("eclairs-catalog", 203)], NO_GP, catalogues=[answer(here, U1702)])
    assert result.verdict is BurstVerdict.KNOWN_SOURCE
    assert result.associations[0].source == "4U 1702-429"
    assert result.associations[0].probability > 0.999
    assert "4U 1702-429 of cat is" in result.verdict_reason


def test_an_uncatalogued_source_and_the_depth_of_the_catalogues() -> None:
    """Regression: "new source" was shown after a check against only the 121 brightest sources."""
    here = place(155.5246, -21.0037, 52.2, Origin.MXT_ONBOARD)
    eclairs = place(155.5760, -21.0620, 8.01 * 60.0, Origin.ECLAIRS)
    result = crosscheck([eclairs, here], [alert()], NO_GP, catalogues=[answer(here), answer(eclairs)])
    assert result.verdict is BurstVerdict.UNCATALOGUED
    shallow = "None of these catalogues is as deep as MXT: a fainter known source is not excluded."
    assert result.verdict_reason.endswith(
        f"No source of cat is at MXT on board (MXT on-board position) within 1.74'. {shallow}"
    )
    assert result.pairs[0].probability == pytest.approx(0.992, abs=0.001)
    deep = crosscheck([eclairs, here], [alert()], NO_GP, catalogues=[answer(here, density=0.5)])
    assert deep.verdict is BurstVerdict.UNCATALOGUED
    assert shallow not in deep.verdict_reason


def test_a_burst_not_detected_by_mxt_is_not_a_new_source() -> None:
    """Regression: the ECLAIRs position alone was called a new source although MXT detected nothing."""
    eclairs = place(155.5760, -21.0620, 8.01 * 60.0, Origin.ECLAIRS)
    for answers in ([answer(eclairs)], [answer(eclairs, checked=False)]):
        result = crosscheck([eclairs], [alert()], NO_GP, catalogues=answers)
        assert result.verdict is BurstVerdict.NO_MXT_SOURCE
        assert result.verdict_reason.startswith("MXT gives no position.")


def test_the_verdict_of_an_earlier_version_is_read() -> None:
    assert BurstVerdict("new source") is BurstVerdict.UNCATALOGUED
    with pytest.raises(ValueError, match="newer source"):
        BurstVerdict("newer source")


def test_a_source_outside_the_finer_circle_is_not_the_burst() -> None:
    """The source lies in the ECLAIRs error circle, but 8 R90 from the X-ray position."""
    here = place(155.5246, -21.0037, 52.2, Origin.MXT_ONBOARD)
    eclairs = place(155.5760, -21.0620, 8.01 * 60.0, Origin.ECLAIRS)
    known = source("an AGN", 155.5246, -21.1197)
    result = crosscheck([eclairs, here], [alert()], NO_GP, catalogues=[answer(here), answer(eclairs, known)])
    assert result.verdict is BurstVerdict.UNCATALOGUED
    assert "ECLAIRs (ECLAIRs position) belongs to a known source: an AGN" in result.verdict_reason


def test_inconsistent_positions() -> None:
    """As in sb26022501: the X-ray source is 29 arcmin from the ECLAIRs position."""
    eclairs = place(204.6748, 44.6546, 5.12 * 60.0, Origin.ECLAIRS)
    here = place(204.8665, 45.1204, 231.5, Origin.MXT_ONBOARD)
    result = crosscheck([eclairs, here], [alert()], NO_GP, catalogues=[answer(eclairs)])
    assert result.verdict is BurstVerdict.INCONSISTENT
    assert result.pairs[0].probability < 1e-6
    assert result.best == eclairs


def test_an_unsearched_catalogue_never_counts_as_no_match() -> None:
    here = place(30.0, -10.0, 60.0)
    result = crosscheck([here], [alert()], NO_GP, catalogues=[answer(here, checked=False)])
    assert result.verdict is BurstVerdict.CONSISTENT
    assert "No catalogue was checked" in result.verdict_reason
    assert "Not checked: cat (HTTP 500)." in result.verdict_reason
    one_of_two = crosscheck([here], [alert()], NO_GP, catalogues=[answer(here), answer(here, checked=False)])
    assert one_of_two.verdict is BurstVerdict.UNCATALOGUED
    assert "Not checked: cat (HTTP 500)." in one_of_two.verdict_reason


def test_a_catalogue_with_rows_without_an_error_is_incomplete() -> None:
    """A catalogue with unusable rows cannot show that the source is new."""
    here = place(30.0, -10.0, 60.0)
    incomplete = answer(here).model_copy(update={"unusable_here": 2, "catalogue": "gaps"})
    result = crosscheck([here], [], NO_GP, catalogues=[incomplete])
    assert result.verdict is BurstVerdict.CONSISTENT
    assert "Not checked: 2 rows here without a usable position error of gaps." in result.verdict_reason
    both = crosscheck([here], [], NO_GP, catalogues=[incomplete, answer(here)])
    assert both.verdict is BurstVerdict.UNCATALOGUED
    assert "No source of cat is" in both.verdict_reason
    known = incomplete.model_copy(update={"sources": (source("near", 30.0, -10.0),)})
    assert crosscheck([here], [], NO_GP, catalogues=[known]).verdict is BurstVerdict.KNOWN_SOURCE


def test_between_known_and_new_is_unclear() -> None:
    here = place(30.0, -10.0, 60.0)
    result = crosscheck(
        [here], [alert()], NO_GP, catalogues=[answer(here, source("a", 30.0, -10.0), density=200.0)]
    )
    assert result.verdict is BurstVerdict.UNCLEAR
    assert "It may be a known source" in result.verdict_reason


def test_unphysical_fluxes_are_flagged_and_ignored() -> None:
    here = place(30.0, -10.0, 60.0)
    bright = source("a", 30.0, -10.0, flux=7.3)
    notice = alert(mean_flux=0.07, flux_error=0.26, flux_credible=False)
    result = crosscheck([here], [notice], NO_GP, catalogues=[answer(here, bright)])
    assert result.flags == (
        "eclairs-wakeup: Mean_Flux 0.07 erg/cm2/s is unphysical and ignored.",
        "cat: flux 7.3 erg/cm2/s of a is unphysical and ignored.",
    )
    assert result.catalogues[0].sources[0].flux is None


def test_no_position() -> None:
    result = crosscheck([], [alert()], NO_GP)
    assert (result.verdict, result.verdict_reason) == (
        BurstVerdict.UNCLEAR,
        "There is no position to judge.",
    )


def test_a_retraction_is_mentioned_first() -> None:
    here = place(30.0, -10.0, 60.0)
    retraction = alert("retraction", 219)
    assert crosscheck([here], [retraction], NO_GP).verdict_reason.startswith("The burst was retracted.")


class Asked:
    """Catalogues that record their queries."""

    def __init__(self) -> None:
        self.cones: list[tuple[float, float, float]] = []

    def cone(self, ra_deg: float, dec_deg: float, radius_arcsec: float) -> tuple[CatalogueAnswer, ...]:
        self.cones.append((ra_deg, dec_deg, radius_arcsec))
        return ()


def test_catalogues_are_searched_once_per_origin() -> None:
    early, late = place(30.0, -10.0, 200.0), place(30.01, -10.0, 100.0)
    wide = place(30.0, -10.0, 5.0 * 3600.0, Origin.GRM)
    asked = Asked()
    assert around([early, late.model_copy(update={"label": "later"}), wide], asked) == ()
    assert asked.cones == [(30.01, -10.0, 200.0)]


def test_separation_of_the_real_trigger() -> None:
    ra, dec, _ = REAL_CATALOGUE_TRIGGERS["sb25082402"]
    assert separation_arcsec(ra, dec, U1702.ra_deg, U1702.dec_deg) < 5.0


# Real notices checked by a new installation: position and 90 % radius (arcmin) as published.
REAL = {
    "sb25082402": (256.5632, -43.0365, 4.67, "4U 1702-429"),
    "sb25091702": (256.5645, -43.0392, 3.68, "4U 1702-429"),
    "sb26030408, retracted": (47.0752, 40.9505, 9.09, "Algol"),
    "sb26030704": (155.5760, -21.0620, 8.01, None),
    "sb26030303": (92.9479, 41.1688, 9.89, None),
}


@pytest.mark.parametrize("burst", REAL)
def test_the_famous_sources_are_known_to_a_new_installation(burst: str, tmp_path: Path) -> None:
    ra, dec, r90, name = REAL[burst]
    here = place(ra, dec, 60.0 * r90, Origin.ECLAIRS)
    answers = around([here], CatalogueStore(tmp_path / "no catalogue was added"))
    result = crosscheck([here], [alert()], NO_GP, catalogues=answers)
    if name is None:
        assert result.verdict is BurstVerdict.NO_MXT_SOURCE
    else:
        assert result.verdict is BurstVerdict.KNOWN_SOURCE
        assert result.associations[0].source == name


@pytest.mark.parametrize("burst", REAL_CATALOGUE_TRIGGERS)
def test_the_label_of_the_notice_is_contradicted(burst: str, tmp_path: Path) -> None:
    ra, dec, r90 = REAL_CATALOGUE_TRIGGERS[burst]
    here = place(ra, dec, 60.0 * r90, Origin.ECLAIRS)
    notice = alert("eclairs-catalog", 203, source_name="GX 340-00", catalog_id=81, position=here)
    answers = around([here], CatalogueStore(tmp_path))
    (claim,) = crosscheck([here], [notice], NO_GP, catalogues=answers).claims
    assert (claim.claim, claim.published, claim.recomputed, claim.agrees) == (
        "Source_Name",
        "GX 340-00",
        "4U 1702-429",
        False,
    )
    assert claim.explanation.startswith("GX 340+0 is 4.5 deg from the position")


def test_a_label_that_is_true_or_unknown(tmp_path: Path) -> None:
    crab = place(83.6331, 22.0145, 200.0, Origin.ECLAIRS)
    answers = around([crab], CatalogueStore(tmp_path))
    told = {
        label: crosscheck(
            [crab], [alert(source_name=label, position=crab)], NO_GP, catalogues=answers
        ).claims[0]
        for label in ("Crab", "never heard of")
    }
    assert (told["Crab"].agrees, told["Crab"].recomputed) == (True, "Crab")
    assert told["never heard of"].agrees is None
    assert "no bright X-ray source has the name" in told["never heard of"].explanation
