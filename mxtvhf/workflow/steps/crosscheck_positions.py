"""Step 6: compare every position of the burst with the others and with catalogues."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import sqrt

from mxtvhf.analysis.powerlaw import spectrum_constants
from mxtvhf.analysis.throughput import expected_counts
from mxtvhf.catalogues.model import CatalogueAnswer, Catalogues
from mxtvhf.crosscheck import CrossCheck, crosscheck
from mxtvhf.crosscheck.association import around
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
        Asked around the last position of each origin; None: not asked.
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
    return crosscheck(
        positions,
        ordered,
        gp,
        uses_eclairs=localisation is not None and "ECLAIRs" in localisation.uses,
        catalogues=(*around(positions, catalogues), *remote),
        evidence=photon_evidence(localisation),
        fluxes=measured_fluxes(localisation),
    )


def measured_fluxes(localisation: Localisation | None) -> tuple[MeasuredFlux, ...]:
    """Return the mean flux at our position: that of the source photons, for the spectrum of an afterglow.

    Good enough to compare it with a catalogue, and there before the spectrum is fitted. Empty without a
    source or an exposure.
    """
    found = localisation
    if found is None or found.position is None or found.detector_x is None or found.detector_y is None:
        return ()
    if not found.exposure_s or found.n_source <= 0.0:
        return ()
    per_flux = expected_counts(1.0, found.exposure_s, found.detector_x, found.detector_y)
    if per_flux <= 0.0:
        return ()
    return (
        MeasuredFlux(
            label=found.position.label,
            flux=found.n_source / per_flux,
            relative_error=sqrt(found.n_source + found.n_background) / found.n_source,
            band_kev=spectrum_constants().source.flux_band_kev,
        ),
    )


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
