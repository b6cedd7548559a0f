"""Catalogue of bright X-ray sources that is part of the package."""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path

from mxtvhf.catalogues.model import CatalogueAnswer, CatalogueSource
from mxtvhf.models.angles import WHOLE_SKY_DEG2, separation_arcsec
from mxtvhf.models.quantities import BandKev, Text
from mxtvhf.models.toml import Constants, read_toml

BRIGHT_XRAY = "bright-xray"
"""Name of the catalogue, which is reserved."""
NEIGHBOURHOOD_DEG = 10.0
"""Radius of the density count; large, because the catalogue is small and concentrated to the Milky Way."""
NEIGHBOURHOOD_DEG2 = 313.4
"""Area of a cap of that radius, 2 pi (1 - cos 10 deg) (180 / pi)^2."""


class BrightXrayOrigin(Constants):
    """Contents of ``bright_xray.toml``: origin of the catalogue."""

    version: Text
    flux_band_kev: BandKev
    """Energy band of the column ``flux``, keV."""
    positions: Text
    """Origin and accuracy of the positions."""
    errors: Text
    fluxes: Text
    references: dict[Text, Text]
    """Source list by its abbreviation in the column ``reference``."""


class BrightSources:
    """The catalogue ``bright_xray.csv``; ``bright_xray.toml`` gives its origin."""

    def __init__(self) -> None:
        path = Path(__file__).with_name("bright_xray.csv")
        about = read_toml(path.with_suffix(".toml"), BrightXrayOrigin)
        self.version = about.version
        self._band = about.flux_band_kev
        self._references = about.references
        rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
        self.sources = tuple(self._source(row) for row in rows)
        self._by_name = {
            plain_name(name): source for source in self.sources for name in (source.name, *source.identifiers)
        }

    def _source(self, row: dict[str, str]) -> CatalogueSource:
        flux = float(row["flux"]) if row["flux"] else None
        return CatalogueSource(
            catalogue=BRIGHT_XRAY,
            name=row["name"],
            identifiers=tuple(name for name in row["identifiers"].split(";") if name),
            ra_deg=float(row["ra_deg"]),
            dec_deg=float(row["dec_deg"]),
            r90_arcsec=float(row["r90_arcsec"]),
            flux=flux,
            flux_band_kev=None if flux is None else self._band,
            classification=row["class"],
            reference=self._references[row["reference"]],
        )

    def named(self, name: str) -> CatalogueSource | None:
        """Return the source with a name; None if no source has it.

        Parameters
        ----------
        name
            Name in any spelling, see `plain_name`.
        """
        return self._by_name.get(plain_name(name))

    def _counted(self, source: CatalogueSource, density: float) -> CatalogueSource:
        """Add the density of sources that are at least as bright, if the total density is known."""
        if not source.flux:
            return source
        part = sum((one.flux or 0.0) >= source.flux for one in self.sources) / len(self.sources)
        return source.model_copy(update={"brighter_per_deg2": density * part})

    def answer(self, ra_deg: float, dec_deg: float, radius_arcsec: float, limit: int) -> CatalogueAnswer:
        """Return the sources whose error circle overlaps a cone, like any other catalogue.

        Parameters
        ----------
        ra_deg, dec_deg
            Centre of the cone, ICRS degrees.
        radius_arcsec
            Radius of the cone, arcsec.
        limit
            Largest number of sources in the answer; farther ones are counted as omitted.
        """
        distances = sorted(
            (
                (separation_arcsec(ra_deg, dec_deg, source.ra_deg, source.dec_deg), source)
                for source in self.sources
            ),
            key=lambda pair: pair[0],
        )
        inside = [source for distance, source in distances if distance - source.r90_arcsec <= radius_arcsec]
        around = sum(distance <= 3600.0 * NEIGHBOURHOOD_DEG for distance, _ in distances)
        density = max(around / NEIGHBOURHOOD_DEG2, len(self.sources) / WHOLE_SKY_DEG2)
        return CatalogueAnswer(
            catalogue=BRIGHT_XRAY,
            version=self.version,
            checked=True,
            ra_deg=ra_deg,
            dec_deg=dec_deg,
            radius_arcsec=radius_arcsec,
            density_per_deg2=density,
            sources=tuple(self._counted(source, density) for source in inside[:limit]),
            omitted=max(len(inside) - limit, 0),
        )


@cache
def bright_sources() -> BrightSources:
    """Return the catalogue, which is read once per process."""
    return BrightSources()


def known_source(name: str) -> CatalogueSource | None:
    """Return the bright source that a label names; None if no source has this name.

    Blanks, case, the type of dash and the number of zeros are ignored: SVOM writes ``GX 340-00`` for GX
    340+0.

    Parameters
    ----------
    name
        Name in any spelling.
    """
    return bright_sources().named(name)


def plain_name(name: str) -> str:
    """Normalise a name so that different spellings are equal: ``GX 340-00``, ``gx340+0`` -> ``GX340+0``.

    Leading zeros after a sign are removed, and so is the sign of zero: ``-00`` is a latitude of zero.

    Parameters
    ----------
    name
        Name of a source.
    """
    text = re.sub(r"[\s_*]", "", name).translate(
        {0x2010: "-", 0x2011: "-", 0x2012: "-", 0x2013: "-", 0x2212: "-"}
    )
    text = re.sub(r"([+-])0+(?=\d)", r"\1", text.upper())
    return re.sub(r"[+-]0$", "+0", text)
