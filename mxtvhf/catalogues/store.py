"""The local store of catalogues: one question, one answer of each catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from mxtvhf.catalogues.bright import BRIGHT_XRAY, bright_sources
from mxtvhf.catalogues.model import CatalogueAnswer
from mxtvhf.catalogues.removal import versions_named
from mxtvhf.catalogues.version import (
    CatalogueVersion,
    catalogue_names,
    data_file,
    disabled_file,
    read_version,
    version_numbers,
)
from mxtvhf.errors import Failure, InvalidInput

LIMIT = 100
"""Sources of one answer, if nothing else is said."""


class CatalogueStore:
    """The catalogues below a folder, and the package's own bright X-ray sources.

    It holds no open file: threads may share it, and a version added meanwhile is used from then on.

    Parameters
    ----------
    folder
        Where catalogues were ingested; need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def cone(
        self,
        ra_deg: float,
        dec_deg: float,
        radius_arcsec: float,
        *,
        catalogue: str | None = None,
        limit: int = LIMIT,
    ) -> tuple[CatalogueAnswer, ...]:
        """Ask for the sources whose error circle reaches into a cone.

        Parameters
        ----------
        ra_deg, dec_deg
            Centre, degrees ICRS.
        radius_arcsec
            Radius, up to half the sky's circumference.
        catalogue
            Only this one; ``name@2`` is its second version. None: all that are not disabled, in their current
            version.
        limit
            Sources at most in each answer, the nearest.

        Returns
        -------
        tuple of CatalogueAnswer
            One of each catalogue. One that is damaged is not checked, with the reason.

        Raises
        ------
        InvalidInput
            The cone is none, or there is no such catalogue.
        """
        if not (0.0 <= ra_deg < 360.0 and -90.0 <= dec_deg <= 90.0 and 0.0 <= radius_arcsec <= 648_000.0):
            raise InvalidInput(f"no cone: RA {ra_deg}, Dec {dec_deg} deg, radius {radius_arcsec} arcsec")
        names = [BRIGHT_XRAY, *self._enabled()] if catalogue is None else [catalogue]
        return tuple(self._answer(name, ra_deg, dec_deg, radius_arcsec, limit) for name in names)

    def _enabled(self) -> list[str]:
        return [name for name in catalogue_names(self.folder) if not self.is_disabled(name)]

    def is_disabled(self, name: str) -> bool:
        """Tell whether a catalogue is only asked when it is named."""
        return disabled_file(self.folder, name).exists()

    def versions(self) -> tuple[CatalogueVersion, ...]:
        """Return all readable versions of all ingested catalogues, those in use last of their catalogue."""
        return tuple(version for version in self._described() if isinstance(version, CatalogueVersion))

    def unreadable(self) -> tuple[str, ...]:
        """Return for each version whose description cannot be read why."""
        return tuple(str(error) for error in self._described() if isinstance(error, Failure))

    def _described(self) -> Iterator[CatalogueVersion | Failure]:
        for name in catalogue_names(self.folder):
            for number in version_numbers(self.folder, name):
                try:
                    yield read_version(self.folder, name, number)
                except Failure as error:
                    yield error

    def fault(self, version: CatalogueVersion) -> str | None:
        """Compare all bytes of a version's data with what was written; return what is wrong with them."""
        from mxtvhf.catalogues.search import check

        try:
            check(data_file(self.folder, version.catalogue, version.version), version, thorough=True)
        except Failure as error:
            return str(error)
        return None

    def _answer(
        self, wanted: str, ra_deg: float, dec_deg: float, radius_arcsec: float, limit: int
    ) -> CatalogueAnswer:
        if wanted == BRIGHT_XRAY:
            return bright_sources().answer(ra_deg, dec_deg, radius_arcsec, limit)
        # Imported when used: an installation without catalogues of its own does not wait for numpy.
        from mxtvhf.catalogues.search import search

        name, number = self._which(wanted)
        cone = ra_deg, dec_deg, radius_arcsec
        answer = partial(
            CatalogueAnswer,
            catalogue=name,
            version=str(number),
            ra_deg=ra_deg,
            dec_deg=dec_deg,
            radius_arcsec=radius_arcsec,
        )
        try:
            version = read_version(self.folder, name, number)
            found = search(data_file(self.folder, name, number), version, *cone, limit)
        except (Failure, OSError, ValidationError) as error:
            return answer(checked=False, reason=" ".join(str(error).split()))
        return answer(checked=True, unusable_anywhere=version.unusable_anywhere, **found._asdict())

    def _which(self, wanted: str) -> tuple[str, int]:
        """Return name and version of what was asked for; without a version it is the one in use."""
        name, numbers = versions_named(self.folder, wanted)
        return name, numbers[-1]
