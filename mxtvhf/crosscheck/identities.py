"""Identify each of several detected sources with catalogued sources.

The source of the burst was already chosen by position and fading. Each source is treated like a position of
the burst (see `mxtvhf.crosscheck.association`) with the same prior, since it may be the one that triggered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mxtvhf.catalogues.model import CatalogueAnswer
from mxtvhf.crosscheck.association import associate
from mxtvhf.crosscheck.impossible import without_impossible
from mxtvhf.crosscheck.model import MeasuredFlux, SourceIdentity
from mxtvhf.models.position import Position
from mxtvhf.notices.alert import Alert


def identify(
    sources: Sequence[Position],
    answers: Sequence[CatalogueAnswer],
    alerts: Sequence[Alert],
    fluxes: Iterable[MeasuredFlux] = (),
) -> tuple[SourceIdentity, ...]:
    """Compute the association probabilities of the catalogued sources near each detected source.

    Parameters
    ----------
    sources
        Positions of the detected sources, labelled with their names.
    answers
        Results of the catalogue searches around them; results for other positions are ignored.
    alerts
        Notices of the burst, which determine the prior.
    fluxes
        Measured fluxes, by the names of the sources.
    """
    plausible, _ = without_impossible(answers, ())
    matches = associate(sources, plausible, alerts, fluxes)
    return tuple(
        SourceIdentity(
            name=source.label,
            checked=any(answer.is_complete and answer.is_around(source) for answer in plausible),
            matches=tuple(match for match in matches if match.position == source.label),
        )
        for source in sources
    )
