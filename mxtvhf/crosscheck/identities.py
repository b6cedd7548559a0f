"""What catalogues say about each of several sources that the photons show.

Which of them is the burst was chosen before, by their place and their fading. Each is weighed like a position
of the burst (see `mxtvhf.crosscheck.association`), with the same prior: it may be the one that triggered.
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
    """Weigh the catalogued sources near each source.

    Parameters
    ----------
    sources
        Their positions, labelled with their names.
    answers
        What catalogues gave around them; answers for other places are ignored.
    alerts
        The notices of the burst, for the prior.
    fluxes
        What was measured of the sources, by their names.
    """
    sound, _ = without_impossible(answers, ())
    matches = associate(sources, sound, alerts, fluxes)
    return tuple(
        SourceIdentity(
            name=source.label,
            checked=any(answer.is_complete and answer.is_around(source) for answer in sound),
            matches=tuple(match for match in matches if match.position == source.label),
        )
        for source in sources
    )
