"""Search remote catalogue services by Simple Cone Search (IVOA recommendation 1.03).

An answer is accepted if it arrives in time from the host that was queried, is one VOTable of reasonable size
without external references, reports no error and gives positions. Otherwise the catalogue counts as not
checked, with the reason. The query is a single GET with ``requests``, because pyvo takes 1 s to import and
limits neither the time nor the size of an answer.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urljoin, urlsplit

import requests
from pydantic import Field, RootModel, model_validator

from mxtvhf import __version__
from mxtvhf.catalogues.model import CatalogueAnswer, CatalogueSource
from mxtvhf.catalogues.store import LIMIT
from mxtvhf.errors import Failure, InvalidInput
from mxtvhf.models.angles import separation_arcsec
from mxtvhf.models.base import NonNegative
from mxtvhf.models.quantities import BandKev, RadiusArcsec, Text
from mxtvhf.models.toml import Constants, read_toml

if TYPE_CHECKING:
    from mxtvhf.catalogues.tables import CatalogueTable

TIMEOUT_S = 8.0
MAX_ANSWER_BYTES = 4_000_000
"""Largest answer, a few thousand rows; more is implausible for a cone of some arcmin and slow to read."""
NEIGHBOURHOOD_ARCSEC = 900.0
"""Smallest cone radius of a query, large enough to estimate the local density of the catalogue."""

Cone = tuple[float, float, float]
ColumnRole = Annotated[str, Field(pattern="^(name|ra|dec|error|flux|class|identifiers)$")]
MeasuredRole = Annotated[str, Field(pattern="^(ra|dec|error|flux)$")]


class ServiceEntry(Constants):
    """A table of ``cone_search.toml``."""

    url: str = Field(pattern=r"^https?://")
    columns: dict[ColumnRole, Text]
    units: dict[MeasuredRole, Text]
    """Units of columns for which the service gives none."""
    error_kind: Literal["sigma", "r68", "r90", "r95", "r99"] | None = None
    default_r90_arcsec: RadiusArcsec | None = None
    """90 % radius of sources without an error."""
    largest_r90_arcsec: RadiusArcsec
    """Radius added to a cone to include sources whose error circle overlaps it."""
    density_per_deg2: NonNegative
    """Mean density over the area that the catalogue covers."""
    flux_band_kev: BandKev | None = None
    reference: Text
    tried: bool
    """False if the entry has never been tested with the real service."""

    @model_validator(mode="after")
    def _has_errors(self) -> ServiceEntry:
        if "error" not in self.columns and self.default_r90_arcsec is None:
            raise ValueError("expected columns.error or default_r90_arcsec")
        return self


class RemoteService(ServiceEntry):
    """A remote service."""

    name: Text


class RemoteServices(RootModel[dict[str, ServiceEntry]]):
    """Contents of ``cone_search.toml``: services by name."""


def remote_services(names: Iterable[str]) -> tuple[RemoteService, ...]:
    """Return services by their names in ``cone_search.toml``.

    Parameters
    ----------
    names
        Keys of ``cone_search.toml``.

    Raises
    ------
    InvalidInput
        There is no service with this name.
    """
    known = read_toml(Path(__file__).with_name("cone_search.toml"), RemoteServices).root
    names = tuple(names)
    if unknown := [name for name in names if name not in known]:
        raise InvalidInput(
            f"MXTVHF_REMOTE_CATALOGUES: found {unknown[0]!r}, expected names of {', '.join(known)}"
        )
    return tuple(RemoteService(name=name, **dict(known[name])) for name in names)


def ask_remote(
    ra_deg: float,
    dec_deg: float,
    radius_arcsec: float,
    services: Sequence[RemoteService],
    timeout_s: float = TIMEOUT_S,
) -> tuple[CatalogueAnswer, ...]:
    """Query services in parallel for the sources whose error circle overlaps a cone.

    Parameters
    ----------
    ra_deg, dec_deg, radius_arcsec
        The cone, degrees ICRS and arcsec.
    services
        Services to query.
    timeout_s
        Time after which the function returns, even if services have not answered, seconds.

    Returns
    -------
    tuple of CatalogueAnswer
        One answer per service, in their order. A failing service counts as not checked and never raises an
        exception.
    """
    cone, deadline = (ra_deg, dec_deg, radius_arcsec), time.monotonic() + timeout_s
    came: queue.Queue[tuple[int, CatalogueAnswer]] = queue.Queue()
    for number, service in enumerate(services):
        # Daemon threads: one that hangs in a name lookup must not keep the process from exiting.
        threading.Thread(
            target=lambda i=number, s=service: came.put((i, _ask(s, cone, deadline))), daemon=True
        ).start()
    late = f"no answer within {timeout_s:g} s"
    answers = {i: _unchecked(service, cone, late) for i, service in enumerate(services)}
    for _ in services:
        try:
            number, answer = came.get(timeout=max(deadline - time.monotonic(), 0.0))
        except queue.Empty:
            break
        answers[number] = answer
    return tuple(answers.values())


def _ask(service: RemoteService, cone: Cone, deadline: float) -> CatalogueAnswer:
    try:
        return _answer(service, cone, *_sources(service, _get(service, cone, deadline)))
    # No content of an answer may end the thread; the catalogue is then not checked, with the reason.
    except Exception as error:
        return _unchecked(service, cone, f"{type(error).__name__}: {error}")


def _unchecked(service: RemoteService, cone: Cone, reason: str) -> CatalogueAnswer:
    ra, dec, radius = cone
    return CatalogueAnswer(
        catalogue=service.name,
        checked=False,
        reason=" ".join(reason.split())[:300],
        ra_deg=ra,
        dec_deg=dec,
        radius_arcsec=radius,
    )


def _asked_arcsec(service: RemoteService, radius_arcsec: float) -> float:
    return max(radius_arcsec + service.largest_r90_arcsec, NEIGHBOURHOOD_ARCSEC)


class _OneHost(requests.Session):
    """Follows redirects only within the queried host, and never from https to http."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return the target of a redirect; None if the response is not a redirect."""
        target = super().get_redirect_target(resp)
        if target:
            old, new = urlsplit(resp.url), urlsplit(urljoin(resp.url, target))
            if new.hostname != old.hostname or (old.scheme, new.scheme) == ("https", "http"):
                raise Failure(f"redirected to {new.scheme}://{new.hostname}, which is not allowed")
        return target


def _get(service: RemoteService, cone: Cone, deadline: float) -> bytes:
    """Return the body of the answer.

    Raises
    ------
    Failure
        The answer is too long or too late.
    requests.RequestException
        There is no answer, or its status reports a failure.
    """
    ra, dec, radius = cone
    asked = {"RA": f"{ra:.6f}", "DEC": f"{dec:.6f}", "SR": f"{_asked_arcsec(service, radius) / 3600.0:.6f}"}
    agent = {"User-Agent": f"mxtvhf/{__version__}"}
    limit = max(deadline - time.monotonic(), 0.01)
    with (
        _OneHost() as session,
        session.get(service.url, params=asked, headers=agent, timeout=limit, stream=True) as response,
    ):
        response.raise_for_status()
        body = bytearray()
        for part in response.iter_content(65_536):
            body += part
            if len(body) > MAX_ANSWER_BYTES:
                raise Failure(f"more than {MAX_ANSWER_BYTES} bytes, implausible for a small cone")
            if time.monotonic() > deadline:
                raise Failure("the answer did not end in time")
    return bytes(body)


def _sources(service: RemoteService, body: bytes) -> tuple[list[CatalogueSource], int]:
    """Return the sources of an answer, and the number of unusable rows."""
    from mxtvhf.catalogues.columns import MEASURED, Choice, map_columns
    from mxtvhf.catalogues.rows import sources_of

    table = _table(body)
    choice = Choice(service.columns, service.units, service.error_kind, service.default_r90_arcsec)
    mapped = map_columns(table, choice)
    for role in MEASURED:
        column = mapped.columns.get(role)
        if role != "flux" and column and role not in service.units and not table.rows[column].unit:
            raise Failure(f"column {column} has no unit; give it in cone_search.toml")
    return sources_of(
        table.rows, mapped, service.default_r90_arcsec, service.name, service.reference, service.flux_band_kev
    )


def _table(body: bytes) -> CatalogueTable:
    """Read the only table of a VOTable that reports no error.

    Raises
    ------
    Failure
        The answer is not a VOTable with exactly one table, or reports a failed query or missing rows.
    InvalidInput
        The VOTable is damaged or has external references.
    """
    from mxtvhf.catalogues.votable import catalogue_table, read_votable, tables_of

    if b"VOTABLE" not in body[:2000]:
        raise Failure(f"not a VOTable: {body[:60].decode('ascii', 'replace')!r}")
    document = read_votable(BytesIO(body))
    infos = [*document.infos, *(info for resource in document.resources for info in resource.infos)]
    for info in (*infos, *document.params):
        _refuse_error(info)
    tables = tables_of(document)
    if len(tables) != 1:
        raise Failure(f"expected one table, but the answer has {'no table' if not tables else len(tables)}")
    ((_, _, table),) = tables
    return catalogue_table(document, "", table)


def _refuse_error(info: Any) -> None:
    """Raise the error of an INFO: ``Error``, or the DALI ``QUERY_STATUS`` ``ERROR`` or ``OVERFLOW``."""
    name, value = str(info.name).lower(), str(info.value)
    if name == "query_status" and value.upper() == "OVERFLOW":
        raise Failure("the service omitted rows beyond its limit")
    if name == "error" or (name == "query_status" and value.upper() == "ERROR"):
        raise Failure(f"the service reports: {getattr(info, 'content', None) or value}")


def _answer(
    service: RemoteService, cone: Cone, sources: list[CatalogueSource], unusable: int
) -> CatalogueAnswer:
    from mxtvhf.catalogues.healpix import cap_area_deg2

    ra, dec, radius = cone
    found = sorted(
        ((separation_arcsec(ra, dec, source.ra_deg, source.dec_deg), source) for source in sources),
        key=lambda pair: pair[0],
    )
    asked = _asked_arcsec(service, radius)
    local = sum(distance <= asked for distance, _ in found) / cap_area_deg2(asked / 3600.0)
    reaching = [source for distance, source in found if distance - source.r90_arcsec <= radius]
    return CatalogueAnswer(
        catalogue=service.name,
        checked=True,
        ra_deg=ra,
        dec_deg=dec,
        radius_arcsec=radius,
        density_per_deg2=max(local, service.density_per_deg2),
        sources=tuple(reaching[:LIMIT]),
        omitted=max(len(reaching) - LIMIT, 0),
        unusable_here=unusable,
    )
