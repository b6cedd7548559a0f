"""Step ``crosscheck_positions``: compare all positions of the burst with each other and with catalogues."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import sqrt

from mxtvhf.analysis.powerlaw import spectrum_constants
from mxtvhf.analysis.throughput import expected_counts
from mxtvhf.catalogues.model import CatalogueAnswer, Catalogues
from mxtvhf.crosscheck.association import around, asked
from mxtvhf.crosscheck.crosscheck import crosscheck
from mxtvhf.crosscheck.identities import identify
from mxtvhf.crosscheck.model import CrossCheck, GpOutcome, MeasuredFlux
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
    """Collect and compare the positions of a burst from its notices, the VHF photons and GP.

    Parameters
    ----------
    alerts
        All known notices of the burst, in any order; the last one is used for each ivorn. The position of a
        retraction is that of the retracted notice, so it is not counted again.
    localisation
        Result of ``vhf_localisation``; None if the step failed.
    gp
        GP's result, or why there is none.
    catalogues
        Catalogues to search around the latest position of each origin and around each source in the photons;
        None to search none.
    remote
        Answers of remote catalogue services.

    Returns
    -------
    CrossCheck
        Complete even if only the alert is available.

    Raises
    ------
    InvalidInput
        The notices belong to more than one burst.
    """
    ordered = in_order(alerts)
    bursts = sorted({alert.burst_id for alert in ordered})
    if len(bursts) > 1:
        raise InvalidInput(
            f"cross-check: the notices belong to more than one burst: {', '.join(bursts)}; pass those of one"
        )
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
    """Return the mean flux of our source, estimated from its photons with a typical afterglow spectrum.

    This estimate is available before the spectral fit and accurate enough for a comparison with a catalogue.

    Parameters
    ----------
    localisation
        Result of ``vhf_localisation``; None if the step failed.

    Returns
    -------
    tuple of MeasuredFlux
        Empty without a source or without exposure.
    """
    found = localisation
    if found is None or found.position is None or found.detector_x is None or found.detector_y is None:
        return ()
    return _flux(found, found.position.label, found.detector_x, found.detector_y, found.n_source)


def _source_fluxes(localisation: Localisation | None) -> list[MeasuredFlux]:
    """Return the estimated flux of each source in the photons, labelled with its name."""
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
    """Return the positions of the sources in the photons, labelled with their names.

    Parameters
    ----------
    localisation
        Result of ``vhf_localisation``; None if the step failed.

    Returns
    -------
    list of Position
        Empty if there is only one source, whose position is already ours.
    """
    sources = localisation.sources if localisation else ()
    if len(sources) < 2:
        return []
    return [source.position.model_copy(update={"label": source.name}) for source in sources]


def other_sources(localisation: Localisation | None) -> list[Position]:
    """Return the positions of the sources that are not taken as the burst, the most significant first.

    Parameters
    ----------
    localisation
        Result of ``vhf_localisation``; None if the step failed.
    """
    chosen = localisation.chosen if localisation else None
    return [source for source in source_positions(localisation) if source.label != chosen]


def positions_before_gp(ordered: Sequence[Alert], localisation: Localisation | None) -> list[Position]:
    """Return the positions that are known before GP answers, those of the notices first.

    The position in the position packets is left out if an MXT notice contains it.

    Parameters
    ----------
    ordered
        Notices of the burst, as sorted by ``in_order``.
    localisation
        Result of ``vhf_localisation``; None if the step failed.
    """
    ours = localisation.position if localisation else None
    taken = {BEST, *([ours.label] if ours else [])}
    published = [_relabelled(position, taken) for position in notice_positions(ordered)]
    packets = packet_position(localisation)
    if packets is not None and not any(one.origin is Origin.MXT_ONBOARD for one in published):
        published.append(packets)
    return [*published, *([ours] if ours is not None else [])]


def _relabelled(position: Position, taken: Collection[str]) -> Position:
    """Return a position with a unique label; a notice may have the label of our position."""
    if position.label not in taken:
        return position
    return position.model_copy(update={"label": f"{position.origin} {position.label}"})
