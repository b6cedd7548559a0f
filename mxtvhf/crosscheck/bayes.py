"""Bayesian association: one source, two sources, or none (Budavari & Szalay 2008, ApJ 679, 301).

Errors are circular Gaussians, as in ``pairs``. The Bayes factor of one source against two unrelated ones is
their equation 16, ``B = 2 / (s1^2 + s2^2) exp(-psi^2 / 2 (s1^2 + s2^2))``, angles in radians, s per axis: 4
pi times the density N(psi) of one source's two measurements. The more precise of two positions may be that of

- the source of the other position: the other one is real and the more precise instrument detects its
  counterpart, N(psi);
- an unrelated source: their density on the sky is n per square degree;
- no source: the instrument gives such positions with a certain probability, anywhere in its field of view.

The prior odds of the first hypothesis against the others follow their equation 20, with densities in place of
numbers on the whole sky.
"""

from __future__ import annotations

from math import exp, isinf, log, log10, radians

from mxtvhf.crosscheck.settings import SourcePriors, crosscheck_settings
from mxtvhf.models.angles import WHOLE_SKY_DEG2
from mxtvhf.models.base import Model
from mxtvhf.models.position import Origin


class Hypotheses(Model):
    """Probabilities of the hypotheses for the more precise of two positions; they add up to one."""

    one_source: float
    """It is the source of the other position."""
    unrelated: float
    """It is an unrelated source."""
    no_source: float


def log10_bayes_factor(separation_arcsec: float, combined_r90_arcsec: float) -> float:
    """Return the Bayes factor of one source against two unrelated ones for a separation.

    Parameters
    ----------
    separation_arcsec
        Separation of the positions.
    combined_r90_arcsec
        Quadratic sum of their 90 % radii; larger than 0.

    Returns
    -------
    float
        Decimal logarithm of B; positive values favour one source.
    """
    # r90^2 = 2 ln 10 s^2 for the sum of the variances s^2 = s1^2 + s2^2.
    variance = radians(combined_r90_arcsec / 3600.0) ** 2 / (2.0 * log(10.0))
    return log10(2.0 / variance) - (separation_arcsec / combined_r90_arcsec) ** 2


def log10_odds(factor: float, seen: float, density_per_deg2: float) -> float:
    """Return the decimal logarithm of the posterior odds of one source.

    Parameters
    ----------
    factor
        Decimal logarithm of the Bayes factor.
    seen
        Prior odds or probability that the counterpart is among the detected sources.
    density_per_deg2
        Unrelated sources per square degree; if there are none, the association is certain.
    """
    if density_per_deg2 <= 0.0:
        return float("inf")
    return factor + log10(seen / (density_per_deg2 * WHOLE_SKY_DEG2))


def probability(factor: float, seen: float, density_per_deg2: float) -> float:
    """Return the posterior probability of one source, see ``log10_odds``.

    Parameters
    ----------
    factor
        Decimal logarithm of the Bayes factor.
    seen
        Prior odds or probability that the counterpart is among the detected sources.
    density_per_deg2
        Unrelated sources per square degree; if there are none, the association is certain.
    """
    return _share(log10_odds(factor, seen, density_per_deg2))


def _share(odds: float) -> float:
    if isinf(odds):
        return 1.0 if odds > 0.0 else 0.0
    weight = -odds * log(10.0)
    return 0.0 if weight > 700.0 else 1.0 / (1.0 + exp(weight))


def hypotheses(factor: float, finer: Origin, coarser: Origin) -> Hypotheses:
    """Return the probabilities of the hypotheses for the more precise of two independent positions.

    Parameters
    ----------
    factor
        Decimal logarithm of the Bayes factor of the pair.
    finer, coarser
        Origins of the more and the less precise position; ``crosscheck.toml`` gives their priors.
    """
    priors = source_priors(finer)
    false_per_deg2 = priors.no_source / priors.field_deg2
    others = priors.per_deg2 + false_per_deg2
    seen = (1.0 - source_priors(coarser).no_source) * priors.counterpart_seen
    odds = log10_odds(factor, seen, others)
    rest = _share(-odds)
    return Hypotheses(
        one_source=_share(odds),
        unrelated=rest * priors.per_deg2 / others,
        no_source=rest * false_per_deg2 / others,
    )


def source_priors(origin: Origin) -> SourcePriors:
    """Return the priors of an instrument's positions.

    Parameters
    ----------
    origin
        Origin of the position.
    """
    known = crosscheck_settings().unrelated
    if origin in (Origin.MXT_VHF, Origin.MXT_ONBOARD, Origin.GP):
        return known.MXT
    return known.VT if origin is Origin.VT else known.ECLAIRs


def probability_text(value: float) -> str:
    """Format a probability so that 0 and 1 are never shown: ``99.9 %``, ``< 0.01 %``.

    Parameters
    ----------
    value
        Probability, 0..1.
    """
    percent = 100.0 * value
    if percent < 0.01:
        return "< 0.01 %"
    if percent > 99.99:
        return "> 99.99 %"
    return f"{percent:.2f} %" if percent < 1.0 or percent > 99.0 else f"{percent:.0f} %"
