"""Catalogue matches are weighted by flux."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.catalogues.model import CatalogueAnswer, CatalogueSource
from mxtvhf.crosscheck.crosscheck import crosscheck
from mxtvhf.crosscheck.flux import band_factor, flux_match
from mxtvhf.crosscheck.model import BurstVerdict, CrossCheck, GpOutcome, MeasuredFlux
from mxtvhf.models.position import Origin, Position
from support.positions import place

NO_GP = GpOutcome(available=False, reason="not asked")
HERE = place(30.0, -10.0, 60.0, label="photons")
BAND = (0.3, 10.0)
DENSE = 495.0
"""Sources per square degree, typical of a catalogue of pointed observations."""


def measured(flux: float, error: float = 0.1) -> MeasuredFlux:
    return MeasuredFlux(label=HERE.label, flux=flux, relative_error=error, band_kev=BAND)


def source(
    flux: float | None,
    brighter: float | None = None,
    band: tuple[float, float] | None = BAND,
    away: float = 20.0,
) -> CatalogueSource:
    return CatalogueSource(
        catalogue="cat",
        name="S",
        ra_deg=30.0,
        dec_deg=-10.0 + away / 3600.0,
        r90_arcsec=5.0,
        flux=flux,
        flux_band_kev=band if flux else None,
        brighter_per_deg2=brighter,
        reference="a test",
    )


def euclidean(flux: float) -> float:
    """Return the sources per square degree that are at least as bright: 495 above 1e-14 erg/cm2/s."""
    return float(DENSE * (flux / 1e-14) ** -1.5)


def checked(
    *sources: CatalogueSource, flux: float | None = 1e-10, density: float = DENSE, where: Position = HERE
) -> CrossCheck:
    answer = CatalogueAnswer(
        catalogue="cat",
        checked=True,
        ra_deg=where.ra_deg,
        dec_deg=where.dec_deg,
        radius_arcsec=120.0,
        density_per_deg2=density,
        sources=sources,
    )
    fluxes = [measured(flux)] if flux else []
    return crosscheck(
        [HERE] if where == HERE else [HERE, where], [], NO_GP, catalogues=[answer], fluxes=fluxes
    )


def test_a_bright_source_in_a_dense_catalogue_is_not_a_chance_coincidence() -> None:
    bright = source(1e-10, euclidean(1e-10))
    without = checked(bright, flux=None)
    assert without.verdict is BurstVerdict.UNCLEAR
    assert without.associations[0].probability == pytest.approx(0.19, abs=0.03)
    result = checked(bright)
    assert result.verdict is BurstVerdict.KNOWN_SOURCE
    assert result.associations[0].probability > 0.999
    assert result.associations[0].flux_ratio == pytest.approx(1.0)


def test_a_source_ten_thousand_times_too_faint_is_a_chance_coincidence() -> None:
    faint = source(1e-14, euclidean(1e-14))
    assert checked(faint, flux=None).verdict is BurstVerdict.UNCLEAR
    result = checked(faint)
    assert result.verdict is BurstVerdict.UNCATALOGUED
    assert result.associations[0].probability < 0.001
    assert "The measured flux is 1e+04 times the catalogued one (1e-14 erg/cm2/s, 0.3-10 keV)." in (
        result.associations[0].explanation
    )


def test_of_two_sources_the_one_that_explains_the_flux_is_more_probable() -> None:
    bright = source(1e-10, euclidean(1e-10), away=60.0)
    faint = source(1e-14, euclidean(1e-14), away=1.0).model_copy(update={"name": "faint"})
    assert checked(bright, faint, flux=None).associations[0].source == "faint"
    assert checked(bright, faint).associations[0].source == "S"


def test_a_transient_in_outburst_may_be_a_known_one() -> None:
    """A source of a small catalogue of binaries, 1e5 times brighter than catalogued, is left to a person."""
    quiet = source(1e-13, 0.01, away=5.0)
    assert checked(quiet, flux=1e-8, density=0.01).verdict is BurstVerdict.UNCLEAR


def test_without_source_counts_the_flux_can_only_count_against_a_match() -> None:
    alone = checked(source(None), flux=1e-10).associations[0].probability
    same, faint = (checked(source(flux)).associations[0].probability for flux in (1e-10, 1e-14))
    assert same == pytest.approx(alone)
    assert faint < 0.01 * alone


@pytest.mark.parametrize(
    ("one", "flux", "reason"),
    [
        (source(1e-10), None, "no flux of this position"),
        (source(None), 1e-10, "no X-ray flux in the catalogue"),
        (source(1e-10, band=None), 1e-10, "no X-ray flux in the catalogue"),
        (source(1e-10, band=(0.002, 0.003)), 1e-10, "no X-ray flux in the catalogue"),
        (source(1e-10, band=(12.0, 0.2)), 1e-10, "no X-ray flux in the catalogue"),
    ],
)
def test_fluxes_that_are_not_known_are_not_compared(
    one: CatalogueSource, flux: float | None, reason: str
) -> None:
    match = checked(one, flux=flux).associations[0]
    assert match.flux_ratio is None
    assert f"Fluxes not compared: {reason}." in match.explanation


def test_the_flux_holds_for_other_positions_of_mxt_but_not_for_those_of_others() -> None:
    onboard = place(30.002, -10.0, 70.0, Origin.MXT_ONBOARD, "onboard")
    far = place(30.5, -10.0, 70.0, Origin.MXT_ONBOARD, "far")
    eclairs = place(30.002, -10.0, 300.0, Origin.ECLAIRS, "eclairs")
    ratios = [
        checked(source(1e-10, 0.01), where=where).associations[0].flux_ratio
        for where in (onboard, far, eclairs)
    ]
    assert ratios == [pytest.approx(1.0), None, None]


def test_fluxes_are_compared_in_one_band() -> None:
    # Without absorption a photon index of 2 has the same flux in every decade of energy.
    assert band_factor((2.0, 20.0), (3.0, 30.0)) == pytest.approx(1.0, abs=0.05)
    assert band_factor((2.0, 10.0), BAND) == pytest.approx(1.0 / band_factor(BAND, (2.0, 10.0)))
    hard = flux_match(measured(1e-10), source(1e-12, 0.01, band=(14.0, 195.0)), 0.01)
    soft = flux_match(measured(1e-10), source(1e-12, 0.01), 0.01)
    assert hard is not None
    assert soft is not None
    assert hard.log10_weight > soft.log10_weight  # the conversion to our band is less certain


@given(st.floats(-15.0, -6.0), st.floats(0.0, 5.0), st.floats(0.1, 3.0))
def test_the_weight_falls_with_the_flux_difference(log_flux: float, dex: float, more: float) -> None:
    known = 10.0**log_flux
    for sign in (-1.0, 1.0):
        weights = [
            flux_match(measured(known * 10.0 ** (sign * away)), source(known, 0.01), 1.0)
            for away in (0.0, dex, dex + more)
        ]
        assert all(
            near is not None and far is not None and near.log10_weight >= far.log10_weight
            for near, far in pairwise(weights)
        )


def test_probability_is_that_of_simulated_skies() -> None:
    """Among simulated pairs of a given flux and separation, the posterior gives the fraction of true ones."""
    draw = np.random.default_rng(11)
    trials, prior, r90 = 2_000_000, 0.05, float(np.hypot(60.0, 5.0))
    sigma = r90 / np.sqrt(2.0 * np.log(10.0))
    # True counterparts: catalogued flux distributed about the measured one, separation by the errors.
    wide = draw.random(trials) < 0.05
    scatter = np.hypot(np.where(wide, 2.0, 0.6), 0.1 / np.log(10.0))
    true_dex = draw.normal(0.0, 1.0, trials) * scatter
    true_away = np.hypot(*draw.normal(0.0, sigma, (2, trials)))
    for low, high in ((-3.0, -2.8), (-1.2, -1.0), (-0.1, 0.1), (0.5, 0.7)):
        brighter = [euclidean(1e-10 * 10.0**dex) for dex in (low, high)]
        flux = 1e-10 * 10.0 ** (0.5 * (low + high))
        for near, far in ((0.0, 30.0), (40.0, 60.0)):
            found = (true_dex > low) & (true_dex < high) & (true_away > near) & (true_away < far)
            # Chance coincidences per position: from the source counts in the same ring.
            chance = (brighter[0] - brighter[1]) * np.pi * (far**2 - near**2) / 3600.0**2
            odds = prior / (1.0 - prior) * found.mean() / chance
            away = float(np.sqrt(0.5 * (near**2 + far**2)))
            told = checked(source(flux, euclidean(flux), away=away)).associations[0].probability
            assert found.sum() > 300
            assert told / (1.0 - told) == pytest.approx(odds, rel=0.2)
