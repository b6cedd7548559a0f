from dataclasses import replace
from functools import cache
from math import exp, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import fft

from mxtvhf.instrument.constants import pixel_scale_arcsec
from mxtvhf.instrument.psf import LobsterEyePsf
from mxtvhf.localisation.likelihood import whole_field
from mxtvhf.localisation.model import OnboardVerdict
from mxtvhf.localisation.onboard import (
    OnboardClaim,
    judge_onboard,
    log_likelihood_at,
    onboard_constants,
    ts_drop_scale,
)
from mxtvhf.localisation.position import localise
from mxtvhf.models.position import Origin, Position
from mxtvhf.simulator.photons import draw_pixels

PSF = LobsterEyePsf()
SIZE = 256
ERROR_RATIO = 1.2
"""Ratio of the errors of an on-board position and of ours, from `benchmarks.localisation`."""


def photons(rng, counts, background, x=120.0, y=140.0):
    column, row = draw_pixels(rng, counts, x, y, PSF)
    flat = rng.integers(0, SIZE, (2, background))
    return np.concatenate([column, flat[0]]), np.concatenate([row, flat[1]])


def located(seed=1, counts=150, background=135):
    return localise(*photons(np.random.default_rng(seed), counts, background))


def claim(x, y, r90_arcsec=None, label="QPO_MXT S1"):
    position = Position(
        origin=Origin.MXT_ONBOARD, label=label, ra_deg=10.0, dec_deg=20.0,
        r90_stat_arcsec=r90_arcsec, r90_sys_arcsec=25.0, r90_arcsec=r90_arcsec,
    )  # fmt: skip
    return OnboardClaim(x, y, position)


def judged(found, x, y, r90_arcsec=None):
    (judgement,) = judge_onboard(found, [claim(x, y, r90_arcsec)])
    return judgement


def correlation_peak(x, y):
    """Return the pixel where the image agrees best with the PSF, independently of the simulator."""
    offset = np.arange(2 * SIZE)
    offset[SIZE:] -= 2 * SIZE
    profile = PSF.profile(offset)
    image = np.zeros((2 * SIZE, 2 * SIZE))
    np.add.at(image, (y, x), 1.0)
    agreement = fft.irfft2(fft.rfft2(image) * fft.rfft2(np.outer(profile, profile)).conj())[:SIZE, :SIZE]
    row, column = divmod(int(agreement.argmax()), SIZE)
    return float(column), float(row)


@cache
def detections(counts, background, trials=100):
    """Return detected sources with their cross-correlation position, its 90 % radius and a direction."""
    rng, found = np.random.default_rng(20261129), []
    while len(found) < trials:
        x, y = photons(rng, counts, background, *rng.uniform(60.0, 196.0, 2))
        best = localise(x, y)
        if not best.detected:
            continue
        angle = rng.uniform(0.0, 2.0 * np.pi)
        place = np.array(correlation_peak(x, y)) + rng.normal(0.0, 0.3, 2)
        found.append((best, place, ERROR_RATIO * best.r90, np.array([np.cos(angle), np.sin(angle)])))
    return found


def contradicted(counts, background, wrong_by_r90):
    """Return how many positions are contradicted if moved by a multiple of their 90 % radius."""
    verdicts = [
        judged(best, *(place + wrong_by_r90 * r90 / pixel_scale_arcsec() * direction), r90).verdict
        for best, place, r90, direction in detections(counts, background)
    ]
    return verdicts.count(OnboardVerdict.CONTRADICTED)


def test_the_likelihood_at_a_position_is_maximised_over_the_strength():
    evidence = located().evidence
    assert evidence is not None
    log_likelihood, _ = whole_field(replace(evidence.counts, weights=None), evidence.psf)
    for row, column in ((3, 5), (15, 15), (17, 15), (30, 2)):
        x, y = 8.0 * column + 3.5, 8.0 * row + 3.5
        # The map has steps of a factor of two in r, and cells instead of pixels.
        highest = max(0.0, float(log_likelihood[:, row, column].max()))
        assert log_likelihood_at(evidence, x, y) == pytest.approx(highest, abs=0.02 * highest + 0.1)


def test_at_the_fitted_position_it_equals_the_likelihood_of_the_fit():
    found = located()
    assert found.evidence is not None
    fit = found.evidence.fit
    # The gain of the last Newton step is taken from its parabola.
    assert log_likelihood_at(found.evidence, fit.x, fit.y) == pytest.approx(fit.log_likelihood, abs=1e-2)


@settings(max_examples=40, deadline=None)
@given(x=st.floats(-500.0, 700.0), y=st.floats(-500.0, 700.0))
def test_no_position_has_a_higher_likelihood_than_the_best_one(x, y):
    found = located()
    judgement = judged(found, x, y)
    assert judgement.ts_drop is not None
    assert found.evidence is not None
    assert 0.0 <= judgement.ts_drop <= 2.0 * found.evidence.fit.log_likelihood + 0.02
    shape = found.shape.extra_sigma * pixel_scale_arcsec()
    scale = ts_drop_scale(found.r90, None, shape)
    assert judgement.p_value == pytest.approx(exp(-judgement.ts_drop / (2 * scale)))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_position_well_inside_our_r90_is_contradicted(seed):
    """The likelihood of one shape of the PSF is sharper than the radius, which has the shape's error."""
    found = localise(*photons(np.random.default_rng(seed), 330, 300, 120.0, 130.0))
    assert found.shape is not None
    for angle in np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False):
        away = 0.75 * found.r90 / pixel_scale_arcsec() * np.array([np.cos(angle), np.sin(angle)])
        place = np.array([found.evidence.fit.x, found.evidence.fit.y]) + away
        assert judged(found, *place).verdict is not OnboardVerdict.CONTRADICTED


def test_our_own_position_is_supported():
    found = located()
    judgement = judged(found, found.x, found.y)
    assert judgement.verdict is OnboardVerdict.SUPPORTED
    assert judgement.separation_arcsec == 0.0
    # With a free PSF shape the position differs slightly from the maximum for a fixed shape.
    assert judgement.p_value > 0.7


def test_the_verdict_follows_the_p_value():
    found, limits = located(), onboard_constants().judgement
    for distance in np.linspace(0.0, 40.0, 60):
        judgement = judged(found, found.x + distance, found.y)
        assert judgement.p_value is not None
        expected = (
            OnboardVerdict.CONTRADICTED if judgement.p_value < limits.contradicted_below
            else OnboardVerdict.SUPPORTED if judgement.p_value >= limits.supported_from
            else OnboardVerdict.UNDECIDABLE
        )  # fmt: skip
        assert judgement.verdict is expected
        words = {"supported": "is supported", "contradicted": "is contradicted", "undecidable": "is neither"}
        assert words[expected] in judgement.explanation


def test_a_larger_onboard_radius_allows_a_larger_offset():
    found = located()
    x = found.x + 2.5 * found.r90 / pixel_scale_arcsec()
    assert judged(found, x, found.y).verdict is OnboardVerdict.CONTRADICTED
    assert judged(found, x, found.y, 3.0 * found.r90).verdict is OnboardVerdict.SUPPORTED


def test_an_onboard_radius_below_the_possible_error_is_not_used():
    assert ts_drop_scale(50.0, 5.0) == ts_drop_scale(50.0, None) == ts_drop_scale(50.0, 58.0)


def test_the_onboard_noise_matters_for_precise_positions():
    assert ts_drop_scale(500.0, None) == pytest.approx(1.25**2 - 1.0, abs=1e-3)
    assert ts_drop_scale(6.0, None) > 4.0


def test_an_uncertain_shape_of_the_psf_weakens_the_comparison():
    sigma = 50.0 / np.sqrt(2.0 * np.log(10.0))
    half = ts_drop_scale(50.0, None, np.sqrt(0.5) * sigma)
    assert half == pytest.approx(2.0 * ts_drop_scale(50.0, None))


def test_a_position_outside_the_detector_is_contradicted():
    found = located()
    beside = judged(found, -400.0, 300.0)
    away = judged(found, nan, nan)
    assert beside.verdict is away.verdict is OnboardVerdict.CONTRADICTED
    assert away.separation_arcsec is None
    assert found.evidence is not None
    assert away.ts_drop == pytest.approx(2.0 * found.evidence.fit.log_likelihood, rel=1e-3)
    assert "far outside the field" in away.explanation


def test_without_a_source_there_is_no_verdict():
    rng = np.random.default_rng(3)
    judgement = judged(localise(*rng.integers(0, SIZE, (2, 135))), 100.0, 100.0)
    assert judgement.verdict is OnboardVerdict.UNDECIDABLE
    assert judgement.p_value is judgement.ts_drop is judgement.separation_arcsec is None
    assert judgement.explanation == (
        "QPO_MXT S1 cannot be tested by the photons: they show no significant source."
    )


def test_too_few_photons_for_the_onboard_radius_give_no_verdict():
    found = located(counts=60)
    assert found.detected
    judgement = judged(found, found.x + 30.0, found.y, 4.0 * found.r90)
    assert judgement.verdict is OnboardVerdict.UNDECIDABLE
    assert "cannot be tested (TS 4" in judgement.explanation


def test_each_onboard_position_gets_its_own_verdict():
    found = located()
    first, second = judge_onboard(
        found, [claim(found.x, found.y, label="one"), claim(found.x + 60.0, found.y, label="two")]
    )
    assert (first.verdict, first.position.label) == (OnboardVerdict.SUPPORTED, "one")
    assert (second.verdict, second.position.label) == (OnboardVerdict.CONTRADICTED, "two")


def test_a_position_of_another_source_names_that_source():
    first = located()
    second = localise(*photons(np.random.default_rng(5), 150, 135, x=60.0, y=60.0))
    claims = [claim(first.x, first.y), claim(second.x, second.y), claim(200.0, 30.0)]
    alone = [judged.verdict for judged in judge_onboard(first, claims)]
    assert alone == [OnboardVerdict.SUPPORTED, OnboardVerdict.CONTRADICTED, OnboardVerdict.CONTRADICTED]
    both = judge_onboard(first, claims, {"S2": second})
    assert [(judged.verdict, judged.other_source) for judged in both] == [
        (OnboardVerdict.SUPPORTED, None),
        (OnboardVerdict.SUPPORTED, "S2"),
        (OnboardVerdict.CONTRADICTED, None),
    ]
    assert both[1].separation_arcsec == 0.0
    assert ' is a position of the source S2, 0.0" away (p = ' in both[1].explanation
    assert ", and not of the burst, " in both[1].explanation
    assert both[1].explanation.endswith(" away (p < 1e-12).")


@pytest.mark.slow
def test_a_right_onboard_position_is_hardly_ever_contradicted():
    """The expected rate is 1 %: more than 3 of 100 occur by chance in 2 % of cases, 6 of 200 in 0.4 %.

    A rate of 6 % gives more than 6 of 200 in 95 % of cases.
    """
    found = [contradicted(counts, 135, 0.0) for counts in (60, 150)]
    assert max(found) <= 3
    assert sum(found) <= 6


@pytest.mark.slow
@pytest.mark.parametrize(("counts", "background", "power"), [(60, 135, 0.43), (150, 135, 0.88)])
def test_a_wrong_onboard_position_is_found(counts, background, power):
    assert contradicted(counts, background, 1.5) / len(detections(counts, background)) >= power
