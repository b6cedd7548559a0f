"""Known sources around a position in three classes, from the local catalogues."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from pydantic import Field

from mxtvhf.catalogues.model import CatalogueAnswer, CatalogueSource, SourceClass
from mxtvhf.catalogues.store import CatalogueStore
from mxtvhf.followup.model import KnownSources, NearSource
from mxtvhf.models.angles import separation_arcsec
from mxtvhf.models.quantities import Text
from mxtvhf.models.toml import SourcedConstants, read_toml

FIELD_ARCSEC = 600.0
"""Smallest radius of the field, arcsec; half the field of view of a typical follow-up camera."""
MOST_SOURCES = 2000
"""Largest number of sources per catalogue; the nearest are used."""


class ClassWords(SourcedConstants):
    """Contents of ``known_sources.toml``."""

    x_ray: tuple[Text, ...] = Field(alias="x-ray")
    agn_and_stars: tuple[Text, ...] = Field(alias="agn-and-stars")
    galaxies: tuple[Text, ...]


def known_sources(
    store: CatalogueStore, ra_deg: float, dec_deg: float, radius_arcsec: float
) -> tuple[KnownSources, ...]:
    """Return the known sources around a position by class.

    Parameters
    ----------
    store
        Local catalogues. Those without declared classes count as mixed catalogues of unknown content.
    ra_deg, dec_deg
        ICRS, degrees.
    radius_arcsec
        Radius of the field, arcsec.

    Returns
    -------
    tuple of KnownSources
        One entry per class, and one for unclassified sources if there are any.

    Raises
    ------
    InvalidInput
        The position or the radius is invalid.
    """
    answers = store.cone(ra_deg, dec_deg, radius_arcsec, limit=MOST_SOURCES)
    contents = {answer.catalogue: store.contents(answer.catalogue) for answer in answers}
    groups: dict[SourceClass | None, list[CatalogueSource]] = {}
    for answer in answers:
        for source in answer.sources:
            groups.setdefault(_class_of(source, contents[answer.catalogue]), []).append(source)
    crowded = {answer.catalogue for answer in answers if answer.omitted}
    found = []
    for wanted in (*SourceClass, *([None] if None in groups else [])):
        concerned = [answer for answer in answers if wanted in contents[answer.catalogue]]
        sources = groups.get(wanted, [])
        found.append(
            KnownSources(
                source_class=wanted,
                radius_arcsec=radius_arcsec,
                checked=bool(sources) or any(answer.checked for answer in concerned),
                reason=_reason(wanted, concerned, is_found=bool(sources)),
                count=len(sources),
                is_lower_limit=any(source.catalogue in crowded for source in sources),
                nearest=_nearest(sources, ra_deg, dec_deg),
            )
        )
    return tuple(found)


def _class_of(source: CatalogueSource, contents: Sequence[SourceClass]) -> SourceClass | None:
    """Return the class of a source: that of its catalogue, or else the one that its classification names."""
    if len(contents) == 1:
        return contents[0]
    for part in re.split(r"[^a-z0-9*_.-]+", (source.classification or "").lower()):
        if part.endswith("*"):  # SIMBAD's types of stars: *, **, V*, Em*
            return SourceClass.AGN_AND_STARS
        matches = [
            (len(word), one)
            for one, words in _words().items()
            for word in words
            if part == word or (len(word) > 2 and part.startswith(word))
        ]
        if matches:
            return max(matches)[1]
    return None


def _reason(
    wanted: SourceClass | None, concerned: Sequence[CatalogueAnswer], *, is_found: bool
) -> str | None:
    """Return why a class was not checked, or which catalogues of it were not."""
    faults = [f"{one.catalogue}: {one.reason or one.gap}" for one in concerned if not one.is_complete]
    if faults:
        return "; ".join(faults)
    if concerned or is_found:
        return None
    return f"no local catalogue of this class; add one with mxtvhf catalogue add --contains {wanted}"


def _nearest(sources: Sequence[CatalogueSource], ra_deg: float, dec_deg: float) -> NearSource | None:
    distances = [separation_arcsec(ra_deg, dec_deg, one.ra_deg, one.dec_deg) for one in sources]
    if not distances:
        return None
    distance, source = min(zip(distances, sources, strict=True), key=lambda pair: pair[0])
    return NearSource(
        name=source.name,
        catalogue=source.catalogue,
        classification=source.classification,
        separation_arcsec=distance,
    )


@cache
def _words() -> dict[SourceClass, tuple[str, ...]]:
    words = read_toml(Path(__file__).with_suffix(".toml"), ClassWords)
    return {
        SourceClass.X_RAY: words.x_ray,
        SourceClass.AGN_AND_STARS: words.agn_and_stars,
        SourceClass.GALAXIES: words.galaxies,
    }
