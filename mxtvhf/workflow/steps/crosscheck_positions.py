"""Step 6: compare every position of the burst with the others and with catalogues."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import sqrt

from mxtvhf.analysis.powerlaw import spectrum_constants
from mxtvhf.analysis.throughput import expected_counts
from mxtvhf.catalogues.model import CatalogueAnswer, Catalogues
from mxtvhf.crosscheck import CrossCheck, crosscheck
from mxtvhf.crosscheck.association import around, asked
from mxtvhf.crosscheck.identities import identify
from mxtvhf.crosscheck.model import GpOutcome, MeasuredFlux
from mxtvhf.errors import InvalidInput
from mxtvhf.localisation.model import Localisation
from mxtvhf.models.position import BEST, Origin, Position
from mxtvhf.notices.alert import Alert
from mxtvhf.notices.burst import in_order, notice_positions
from mxtvhf.workflow.steps.onboard_positions import packet_position, photon_evidence


def crosscheck_positions(
    alerts: Sequence[Alert],
    localisation: Localisation | None,
    gp: GpOutcome,
    *,
    catalogues: Catalogues | None = None,
    remote: Sequence[CatalogueAnswer] = (),
) -> CrossCheck:
    """Collect the positions of a burst from its notices, the VHF photons and GP, and compare them.

    Parameters
    ----------
    alerts
        All notices of the burst at hand, in any order; of one ivorn the last is taken. The position of a
        retraction is that of the notice it takes back, so it is not counted again.
    localisation
        Our result, with what the photons say of the positions measured on board; None when it was not made.
    gp
        GP's result, or why there is none.
    catalogues
        Asked around the last position of each origin and around each source of the photons; None: not asked.
    remote
        What remote services have already answered.

    Returns
    -------
    CrossCheck
        Complete also when every input but the alert is missing.

    Raises
    ------
    InvalidInput
        The notices are of more than one burst.
    """
    ordered = in_order(alerts)
    bursts = sorted({alert.burst_id for alert in ordered})
    if len(bursts) > 1:
        raise InvalidInput(f"cross-check: the notices are of more than one burst: {', '.join(bursts)}")
    positions = positions_before_gp(ordered, localisation)
    if gp.position is not None:
        theirs = _relabelled(gp.position, {one.label for one in positions})
        gp = gp.model_copy(update={"position": theirs})
        positions.append(theirs)
    sources, others = source_positions(localisation), other_sources(localisation)
    answers = (*around(positions, catalogues), *remote, *asked(others, catalogues))
    result = crosscheck(
        positions,
        ordered,
        gp,
        uses_eclairs=localisation is not None and "ECLAIRs" in localisation.uses,
        catalogues=[answer for answer in answers if not any(map(answer.is_around, others))],
        evidence=photon_evidence(localisation),
        fluxes=measured_fluxes(localisation),
    )
    identities = identify(sources, answers, ordered, _source_fluxes(localisation))
    return result.model_copy(update={"identities": identities})


def measured_fluxes(localisation: Localisation | None) -> tuple[MeasuredFlux, ...]:
    """Return the mean flux at our position: that of the source photons, for the spectrum of an afterglow.

    Good enough to compare it with a catalogue, and there before the spectrum is fitted. Empty without a
    source or an exposure.
    """
    found = localisation
    if found is None or found.position is None or found.detector_x is None or found.detector_y is None:
        return ()
    return _flux(found, found.position.label, found.detector_x, found.detector_y, found.n_source)


def _source_fluxes(localisation: Localisation | None) -> list[MeasuredFlux]:
    """Return the same of each source that the photons show, by its name."""
    if localisation is None:
        return []
    return [
        measured
        for source in localisation.sources
        for measured in _flux(
            localisation, source.name, source.detector_x, source.detector_y, source.n_source
        )
    ]


def _flux(found: Localisation, label: str, x: float, y: float, n_source: float) -> tuple[MeasuredFlux, ...]:
    if not found.exposure_s or n_source <= 0.0:
        return ()
    per_flux = expected_counts(1.0, found.exposure_s, x, y)
    if per_flux <= 0.0:
        return ()
    return (
        MeasuredFlux(
            label=label,
            flux=n_source / per_flux,
            relative_error=sqrt(n_source + found.n_background) / n_source,
            band_kev=spectrum_constants().source.flux_band_kev,
        ),
    )


def source_positions(localisation: Localisation | None) -> list[Position]:
    """Return the positions of the sources that the photons show, labelled with their names.

    Empty where there is only one: its position is ours.
    """
    sources = localisation.sources if localisation else ()
    if len(sources) < 2:
        return []
    return [source.position.model_copy(update={"label": source.name}) for source in sources]


def other_sources(localisation: Localisation | None) -> list[Position]:
    """Return those of them that are not taken as the burst, the most significant first."""
    chosen = localisation.chosen if localisation else None
    return [source for source in source_positions(localisation) if source.label != chosen]


def positions_before_gp(ordered: Sequence[Alert], localisation: Localisation | None) -> list[Position]:
    """Return the positions that are known before GP has answered, those of ordered notices first.

    The position of the position packets is left out where a notice of MXT announces one: it is the same.
    """
    ours = localisation.position if localisation else None
    taken = {BEST, *([ours.label] if ours else [])}
    published = [_relabelled(position, taken) for position in notice_positions(ordered)]
    packets = packet_position(localisation)
    if packets is not None and not any(one.origin is Origin.MXT_ONBOARD for one in published):
        published.append(packets)
    return [*published, *([ours] if ours is not None else [])]


def _relabelled(position: Position, taken: Collection[str]) -> Position:
    """Return a position under a label of its own: a notice may be called as we call our position."""
    if position.label not in taken:
        return position
    return position.model_copy(update={"label": f"{position.origin} {position.label}"})
