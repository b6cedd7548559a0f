"""Step ``remote_catalogues``: search online catalogues around the burst's positions."""

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
"""Largest number of sources besides the burst that are searched, since every search may time out."""


class RemoteAnswers(Model):
    """The answers of all services for all positions, including failed searches."""

    answers: tuple[CatalogueAnswer, ...]


class RemoteCatalogues:
    """Online catalogue services with the interface of local catalogues.

    Parameters
    ----------
    services
        Services to search.
    timeout_s
        Longest duration of one search over all services, seconds.
    """

    def __init__(self, services: Sequence[RemoteService], timeout_s: float = TIMEOUT_S) -> None:
        self.services, self.timeout_s = services, timeout_s

    def cone(self, ra_deg: float, dec_deg: float, radius_arcsec: float) -> tuple[CatalogueAnswer, ...]:
        """Search all services concurrently, see ``ask_remote``.

        Parameters
        ----------
        ra_deg, dec_deg
            Centre, ICRS degrees.
        radius_arcsec
            Radius of the cone.
        """
        return ask_remote(ra_deg, dec_deg, radius_arcsec, self.services, self.timeout_s)


def remote_catalogues(
    alerts: Sequence[Alert], localisation: Localisation | None, catalogues: RemoteCatalogues
) -> RemoteAnswers:
    """Search online services around the burst's positions and its most significant other sources.

    The positions are the latest of each origin that are known before GP answers.

    Parameters
    ----------
    alerts
        All known notices of the burst.
    localisation
        Result of ``vhf_localisation``; None if the step failed.
    catalogues
        Services to search.

    Returns
    -------
    RemoteAnswers
        A failed search is listed as not checked, with the reason.
    """
    return RemoteAnswers(answers=_answers(alerts, localisation, catalogues))


def _answers(
    alerts: Sequence[Alert], localisation: Localisation | None, catalogues: Catalogues
) -> tuple[CatalogueAnswer, ...]:
    others = other_sources(localisation)[:MOST_OTHERS]
    positions = positions_before_gp(in_order(alerts), localisation)
    return (*around(positions, catalogues), *asked(others, catalogues))


class _Silent:
    """Services that did not answer in time."""

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
    """Return the answers for a report that is due before the services answered: all not checked.

    Parameters
    ----------
    alerts
        All known notices of the burst.
    localisation
        Result of ``vhf_localisation``; None if the step failed.
    names
        Names of the services.
    """
    return RemoteAnswers(answers=around(positions_before_gp(in_order(alerts), localisation), _Silent(names)))
