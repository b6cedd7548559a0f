"""Local store of catalogues."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from mxtvhf.catalogues.bright import BRIGHT_XRAY, bright_sources
from mxtvhf.catalogues.model import CatalogueAnswer, SourceClass
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
"""Default for the largest number of sources in one answer."""


class CatalogueStore:
    """Catalogues in a folder, and the bright X-ray sources of the package.

    The store keeps no open file: threads may share it, and a version added later is used from then on.

    Parameters
    ----------
    folder
        Folder of ingested catalogues; need not exist.
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
        """Return the sources whose error circle overlaps a cone.

        Parameters
        ----------
        ra_deg, dec_deg
            Centre, degrees ICRS.
        radius_arcsec
            Radius, up to half the sky's circumference.
        catalogue
            Only this catalogue; ``name@2`` is its second version. None for the current versions of all
            enabled catalogues.
        limit
            Largest number of sources in each answer; the nearest are returned.

        Returns
        -------
        tuple of CatalogueAnswer
            One answer per catalogue. A damaged catalogue counts as not checked, with the reason.

        Raises
        ------
        InvalidInput
            The cone is invalid, or the catalogue does not exist.
        """
        if not (0.0 <= ra_deg < 360.0 and -90.0 <= dec_deg <= 90.0 and 0.0 <= radius_arcsec <= 648_000.0):
            raise InvalidInput(
                f"invalid cone: RA {ra_deg}, Dec {dec_deg} deg, radius {radius_arcsec} arcsec; "
                "expected 0 to 360, -90 to 90 and 0 to 648000"
            )
        names = [BRIGHT_XRAY, *self._enabled()] if catalogue is None else [catalogue]
        return tuple(self._answer(name, ra_deg, dec_deg, radius_arcsec, limit) for name in names)

    def _enabled(self) -> list[str]:
        return [name for name in catalogue_names(self.folder) if not self.is_disabled(name)]

    def is_disabled(self, name: str) -> bool:
        """Return True if a catalogue is disabled, so that it is searched only when named.

        Parameters
        ----------
        name
            Catalogue.
        """
        return disabled_file(self.folder, name).exists()

    def contents(self, catalogue: str) -> tuple[SourceClass, ...]:
        """Return the classes of the sources of a catalogue in its current version.

        Parameters
        ----------
        catalogue
            Name of the catalogue.

        Returns
        -------
        tuple of SourceClass
            Empty if the user gave none, or if the description cannot be read.
        """
        if catalogue == BRIGHT_XRAY:
            return (SourceClass.X_RAY,)
        try:
            return read_version(self.folder, *self._which(catalogue)).contains
        except (Failure, InvalidInput):
            return ()

    def versions(self) -> tuple[CatalogueVersion, ...]:
        """Return all readable versions of all ingested catalogues, the current one of each last."""
        return tuple(version for version in self._described() if isinstance(version, CatalogueVersion))

    def unreadable(self) -> tuple[str, ...]:
        """Return the reason for each version with an unreadable description."""
        return tuple(str(error) for error in self._described() if isinstance(error, Failure))

    def _described(self) -> Iterator[CatalogueVersion | Failure]:
        for name in catalogue_names(self.folder):
            for number in version_numbers(self.folder, name):
                try:
                    yield read_version(self.folder, name, number)
                except Failure as error:
                    yield error

    def fault(self, version: CatalogueVersion) -> str | None:
        """Check all bytes of the data of a version; return the fault, None if the file is intact.

        Parameters
        ----------
        version
            Description that gives the expected size and digest.
        """
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
        # Imported on demand, so that an installation without local catalogues does not wait for numpy.
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
        """Return name and version of a requested catalogue; by default the current version."""
        name, numbers = versions_named(self.folder, wanted)
        return name, numbers[-1]
