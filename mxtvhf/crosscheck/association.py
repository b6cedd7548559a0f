"""Associate positions with catalogued sources.

For the sources i of one catalogue, of density n around the position, and a prior probability f that the
source of the trigger is in the catalogue, the odds of source i against a new source are ``f / (1 - f) N_i /
n``, where N_i is the density of its separation from the position (see ``bayes``). A match in a catalogue
dense enough for chance coincidences therefore has little weight. If both the measured flux at the position
and the catalogued flux are known, they are also compared (see ``flux``). The probabilities of all sources and
of a new source add up to one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import hypot

import numpy as np

from mxtvhf.catalogues.model import CatalogueAnswer, Catalogues, CatalogueSource
from mxtvhf.crosscheck.bayes import log10_bayes_factor, log10_odds, probability_text
from mxtvhf.crosscheck.best_position import latest_of_origins
from mxtvhf.crosscheck.flux import FluxMatch, flux_match
from mxtvhf.crosscheck.model import MeasuredFlux, SourceMatch
from mxtvhf.crosscheck.pairs import name, p_text, separation_p_value
from mxtvhf.crosscheck.settings import crosscheck_settings
from mxtvhf.models.angles import angle_text, radius_text, separation_arcsec
from mxtvhf.models.position import Position
from mxtvhf.notices.alert import Alert

CATALOGUE_TRIGGER = 203
"""Packet_Type of ``eclairs-catalog``: ECLAIRs triggered on a source of its on-board catalogue."""

CONE_R90 = 2.0
"""Search radius, in 90 % radii of the position; 0.01 % of true counterparts are farther away."""


def associate(
    positions: Sequence[Position],
    answers: Iterable[CatalogueAnswer],
    alerts: Sequence[Alert],
    fluxes: Iterable[MeasuredFlux] = (),
) -> tuple[SourceMatch, ...]:
    """Compute the association probability of every catalogued source near every position.

    Parameters
    ----------
    positions
        Positions to compare; one without a 90 % radius has no match.
    answers
        Results of the cone searches around them; each is compared with the position at its centre.
    alerts
        Notices of the burst; a trigger on ECLAIRs' on-board catalogue makes a known source more probable.
    fluxes
        Fluxes measured at some of the positions.

    Returns
    -------
    tuple of SourceMatch
        Matches, the most probable first.
    """
    prior = known_source_prior(alerts)
    measured = {one.label: one for one in fluxes}
    answers = [answer for answer in answers if answer.checked]
    matches = [
        match
        for position in positions
        for answer in answers
        if position.r90_arcsec and answer.is_around(position)
        for match in _matches(position, answer, prior, measured.get(position.label))
    ]
    return tuple(sorted(matches, key=lambda match: (-match.probability, match.separation_arcsec)))


def around(positions: Sequence[Position], catalogues: Catalogues | None) -> tuple[CatalogueAnswer, ...]:
    """Search catalogues around the last position of each origin, see `asked`.

    Parameters
    ----------
    positions
        Positions of the burst, in order of time.
    catalogues
        Catalogues to search; None to search none.
    """
    return asked(latest_of_origins(positions), catalogues)


def asked(positions: Iterable[Position], catalogues: Catalogues | None) -> tuple[CatalogueAnswer, ...]:
    """Search catalogues around positions.

    Positions without a 90 % radius, or with a radius too large for a useful comparison, are left out.

    Parameters
    ----------
    positions
        Centres of the searches.
    catalogues
        Catalogues to search; None to search none.
    """
    if catalogues is None:
        return ()
    widest = crosscheck_settings().association.widest_r90_arcmin
    return tuple(
        answer
        for position in positions
        if position.r90_arcsec and position.r90_arcsec <= 60.0 * widest
        for answer in catalogues.cone(position.ra_deg, position.dec_deg, CONE_R90 * position.r90_arcsec)
    )


def known_source_prior(alerts: Sequence[Alert]) -> float:
    """Return the prior probability that the source of the trigger is in a given catalogue.

    Parameters
    ----------
    alerts
        Notices of the burst.
    """
    settings = crosscheck_settings().association
    by_catalogue = any(alert.packet_type == CATALOGUE_TRIGGER for alert in alerts)
    return settings.known_source_catalogue_trigger if by_catalogue else settings.known_source


def _matches(
    position: Position, answer: CatalogueAnswer, prior: float, measured: MeasuredFlux | None
) -> list[SourceMatch]:
    density = answer.density_per_deg2 or 0.0
    found = [_distance(position, source) for source in answer.sources]
    factors = [log10_bayes_factor(*one) for one in found]
    compared = [flux_match(measured, source, density) for source in answer.sources]
    shares = _shares(
        log10_odds(factor, prior / (1.0 - prior), density) + (flux.log10_weight if flux else 0.0)
        for factor, flux in zip(factors, compared, strict=True)
    )
    return [
        SourceMatch(
            position=position.label,
            catalogue=answer.catalogue,
            source=source.name,
            separation_arcsec=separation,
            combined_r90_arcsec=combined,
            log10_bayes_factor=factor,
            flux_ratio=flux.ratio if flux else None,
            probability=share,
            explanation=" ".join(
                (
                    _place_text(position, source, separation, combined),
                    _flux_text(measured, source, flux),
                    _share_text(flux, density, share),
                )
            ),
        )
        for source, (separation, combined), factor, flux, share in zip(
            answer.sources, found, factors, compared, shares, strict=True
        )
    ]


def _distance(position: Position, source: CatalogueSource) -> tuple[float, float]:
    away = separation_arcsec(position.ra_deg, position.dec_deg, source.ra_deg, source.dec_deg)
    return away, hypot(position.r90_arcsec or 0.0, source.r90_arcsec)


def _shares(odds: Iterable[float]) -> list[float]:
    """Convert odds against "none of them" (decimal logarithms) into probabilities with a sum below 1."""
    weights = np.array([0.0, *(min(max(one, -300.0), 300.0) for one in odds)]) * np.log(10.0)
    parts = np.exp(weights - weights.max())
    return [float(share) for share in (parts / parts.sum())[1:]]


def _place_text(position: Position, source: CatalogueSource, separation: float, combined: float) -> str:
    kind = f" ({source.classification})" if source.classification else ""
    p_value = separation_p_value(separation, combined)
    return (
        f"{source.name}{kind} of {source.catalogue} is {angle_text(separation)} from {name(position)} "
        f"(combined 90 % radius {radius_text(combined)}, {p_text(p_value)})."
    )


def _share_text(compared: FluxMatch | None, density: float, share: float) -> str:
    number = f"{density:.2g} such sources"
    if compared is not None and compared.is_counted:
        number = f"{compared.per_deg2:.2g} sources as bright"
    probability = probability_text(share)
    return f"With {number} per square degree, the probability that they are the same is {probability}."


def _flux_text(measured: MeasuredFlux | None, source: CatalogueSource, compared: FluxMatch | None) -> str:
    """Describe the ratio of measured to catalogued flux, or why they were not compared."""
    if compared is None or source.flux is None:
        missing = "no flux of this position" if measured is None else "no X-ray flux in the catalogue"
        return f"Fluxes not compared: {missing}."
    low, high = source.flux_band_kev or (0.0, 0.0)
    return (
        f"The measured flux is {compared.ratio:.2g} times the catalogued one "
        f"({source.flux:.2g} erg/cm2/s, {low:g}-{high:g} keV)."
    )
