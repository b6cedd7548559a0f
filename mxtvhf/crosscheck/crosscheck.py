"""The complete cross-check of a burst."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import combinations

from mxtvhf.catalogues.model import CatalogueAnswer
from mxtvhf.crosscheck.association import associate
from mxtvhf.crosscheck.best_position import latest_of_origins, recommend
from mxtvhf.crosscheck.claims import check_claims
from mxtvhf.crosscheck.impossible import without_impossible
from mxtvhf.crosscheck.model import (
    CrossCheck,
    GpOutcome,
    MeasuredFlux,
    PhotonEvidence,
    PositionPair,
    Verdict,
)
from mxtvhf.crosscheck.pairs import compare_of_burst
from mxtvhf.crosscheck.shared_data import is_of_mxt
from mxtvhf.crosscheck.verdict import burst_verdict
from mxtvhf.errors import InvalidInput
from mxtvhf.models.position import Position
from mxtvhf.notices.alert import Alert


def crosscheck(
    positions: Sequence[Position],
    alerts: Sequence[Alert],
    gp: GpOutcome,
    *,
    uses_eclairs: bool = False,
    catalogues: Sequence[CatalogueAnswer] = (),
    evidence: Sequence[PhotonEvidence] = (),
    fluxes: Sequence[MeasuredFlux] = (),
) -> CrossCheck:
    """Compare all positions of a burst with each other and with catalogues, and recommend a position.

    Parameters
    ----------
    positions
        All positions in order of publication (the last of one origin supersedes the others). May be empty.
    alerts
        Notices of the burst, in order of publication.
    gp
        Outcome of GP; its position must be among ``positions``.
    uses_eclairs
        True if our position was found with the help of the ECLAIRs error circle.
    catalogues
        Results of the catalogue searches around the positions, including failed ones.
    evidence
        Evidence of our photons about positions derived from the same photons.
    fluxes
        Fluxes measured at MXT positions; they apply to all MXT positions that do not contradict these. They
        are compared with catalogued fluxes.

    Returns
    -------
    CrossCheck
        The result, which is complete also without GP, our own position, catalogues or any position.

    Raises
    ------
    InvalidInput
        Two positions have the same label, so that a pair would be ambiguous.
    """
    labels = [position.label for position in positions]
    repeated = sorted({label for label in labels if labels.count(label) > 1})
    if repeated:
        raise InvalidInput(f"cross-check: more than one position has the label {', '.join(repeated)}")
    comparison = partial(compare_of_burst, gp=gp, uses_eclairs=uses_eclairs, evidence=evidence)
    best, reason = recommend(positions, comparison, gp_is_reference=gp.is_reference)
    pairs = tuple(comparison(first, second) for first, second in combinations(positions, 2))
    answers, flags = without_impossible(catalogues, alerts)
    associations = associate(positions, answers, alerts, _of_one_source(fluxes, positions, pairs))
    current = latest_of_origins(positions, gp_is_reference=gp.is_reference)
    verdict, why = burst_verdict(best, current, pairs, answers, associations)
    taken_back = "The burst was retracted. " if any(alert.is_retraction for alert in alerts) else ""
    return CrossCheck(
        positions=tuple(positions),
        pairs=pairs,
        claims=check_claims(alerts, associations),
        gp=gp,
        best=best,
        best_reason=taken_back + reason,
        verdict=verdict,
        verdict_reason=taken_back + why,
        catalogues=answers,
        associations=associations,
        flags=flags,
    )


def _of_one_source(
    fluxes: Sequence[MeasuredFlux], positions: Sequence[Position], pairs: Sequence[PositionPair]
) -> list[MeasuredFlux]:
    """Extend fluxes to the other MXT positions that may belong to the same source."""
    contradicted = [{pair.first, pair.second} for pair in pairs if pair.verdict is Verdict.INCONSISTENT]
    others = [position.label for position in positions if is_of_mxt(position)]
    shared = [
        measured.model_copy(update={"label": label})
        for measured in fluxes
        for label in others
        if label != measured.label and {label, measured.label} not in contradicted
    ]
    return [*shared, *fluxes]
