"""Beside step 4, where services are named: what catalogues on the net know of the burst's positions."""

from __future__ import annotations

from collections.abc import Sequence

from mxtvhf.catalogues.cone_search import TIMEOUT_S, RemoteService, ask_remote
from mxtvhf.catalogues.model import CatalogueAnswer, Catalogues
from mxtvhf.crosscheck.association import around, asked
from mxtvhf.localisation.model import Localisation
from mxtvhf.models.base import Model
from mxtvhf.notices.alert import Alert
from mxtvhf.notices.burst import in_order
from mxtvhf.workflow.steps.crosscheck_positions import other_sources, positions_before_gp

MOST_OTHERS = 3
"""Other sources than the burst that services are asked about: every cone may take until it times out."""


class RemoteAnswers(Model):
    """What services answered; each of them for each position, also that it did not."""

    answers: tuple[CatalogueAnswer, ...]


class RemoteCatalogues:
    """Services as catalogues that can be asked for a cone.

    Parameters
    ----------
    services
        Whom to ask.
    timeout_s
        The longest that a cone takes, whoever hangs.
    """

    def __init__(self, services: Sequence[RemoteService], timeout_s: float = TIMEOUT_S) -> None:
        self.services, self.timeout_s = services, timeout_s

    def cone(self, ra_deg: float, dec_deg: float, radius_arcsec: float) -> tuple[CatalogueAnswer, ...]:
        """Ask all services at the same time; see ``ask_remote``."""
        return ask_remote(ra_deg, dec_deg, radius_arcsec, self.services, self.timeout_s)


def remote_catalogues(
    alerts: Sequence[Alert], localisation: Localisation | None, catalogues: RemoteCatalogues
) -> RemoteAnswers:
    """Ask services around the last position of each origin that is known before GP has answered.

    Also around the most significant of the other sources that the photons show.

    Parameters
    ----------
    alerts
        All notices of the burst at hand.
    localisation
        Our result; None when it was not made.
    catalogues
        Whom to ask.

    Returns
    -------
    RemoteAnswers
        Complete whatever happens to the services: one that failed is not checked, with the reason.
    """
    return RemoteAnswers(answers=_answers(alerts, localisation, catalogues))


def _answers(
    alerts: Sequence[Alert], localisation: Localisation | None, catalogues: Catalogues
) -> tuple[CatalogueAnswer, ...]:
    others = other_sources(localisation)[:MOST_OTHERS]
    positions = positions_before_gp(in_order(alerts), localisation)
    return (*around(positions, catalogues), *asked(others, catalogues))


class _Silent:
    """Services that have not answered yet."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def cone(self, ra_deg: float, dec_deg: float, radius_arcsec: float) -> tuple[CatalogueAnswer, ...]:
        return tuple(
            CatalogueAnswer(
                catalogue=name,
                checked=False,
                reason="no answer before the report",
                ra_deg=ra_deg,
                dec_deg=dec_deg,
                radius_arcsec=radius_arcsec,
            )
            for name in self.names
        )


def unanswered(
    alerts: Sequence[Alert], localisation: Localisation | None, names: Sequence[str]
) -> RemoteAnswers:
    """Return what stands in a report that was due before the services answered: not checked."""
    return RemoteAnswers(answers=around(positions_before_gp(in_order(alerts), localisation), _Silent(names)))
