"""The command ``mxtvhf followup``: line of sight, visibility, and files for observers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mxtvhf.cli.arguments import (
    declination,
    given_report,
    input_file,
    output_folder,
    radius_arcsec,
    right_ascension,
    utc_moment,
)
from mxtvhf.cli.runs import AsJson
from mxtvhf.errors import InvalidInput
from mxtvhf.models.times import second_text
from mxtvhf.settings import read_settings

if TYPE_CHECKING:
    from mxtvhf.followup.model import Visibility
    from mxtvhf.models.position import Position
    from mxtvhf.reporting.report.model import Report


def followup(
    report: Annotated[
        Path | None,
        typer.Argument(
            parser=input_file, metavar="[REPORT]", help="report.json, whose best position is used"
        ),
    ] = None,
    ra: Annotated[
        float | None,
        typer.Option(parser=right_ascension, metavar="RA", help="right ascension, ICRS, instead of a report"),
    ] = None,
    dec: Annotated[
        float | None,
        typer.Option(parser=declination, metavar="DEC", help="declination, ICRS, instead of a report"),
    ] = None,
    radius: Annotated[
        float | None,
        typer.Option(parser=radius_arcsec, metavar="RADIUS", help="R90, arcsec, or with a unit: 5arcmin"),
    ] = None,
    at: Annotated[
        datetime | None,
        typer.Option(parser=utc_moment, metavar="TIME", help="start, UTC, ISO 8601; default: now"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=output_folder,
            metavar="FOLDER",
            help="with a report: write finding chart, VOTable, FITS table, DS9 regions and list of targets",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show extinction, known sources and visibility of a position, and write files for observers."""
    from mxtvhf.catalogues.store import CatalogueStore
    from mxtvhf.followup.line_of_sight import line_of_sight
    from mxtvhf.followup.observatories import observatories
    from mxtvhf.followup.visibility import visibility

    settings, start = read_settings(), at or datetime.now(UTC)
    telescopes = observatories(settings.observatories)
    written: tuple[Path, ...] = ()
    if report is None:
        if out is not None:
            raise InvalidInput("--out: the files need a report; give a report.json")
    elif ra is None and dec is None:
        content, best = _best_position(report)
        ra, dec, radius = best.ra_deg, best.dec_deg, radius or best.r90_arcsec
        if out is not None:
            from mxtvhf.reporting.report.followup_files import write_followup_files

            written = write_followup_files(content, out, start, of=telescopes)
    else:
        raise InvalidInput("give either a report, or --ra and --dec")
    if ra is None or dec is None:
        raise InvalidInput("no position: give a report, or both --ra and --dec")
    sight = line_of_sight(ra, dec, start, r90_arcsec=radius, catalogues=CatalogueStore(settings.catalogues))
    seen = visibility(ra, dec, start, of=telescopes)
    if as_json:
        both = {"line_of_sight": sight.model_dump(mode="json"), "visibility": seen.model_dump(mode="json")}
        print(json.dumps(both | {"files": [str(path) for path in written]}, indent=1))
        return
    from mxtvhf.desk.context import context_rows

    for row in context_rows(sight):
        print(f"{row.label:14} {row.value}{f'; {row.note}' if row.note else ''}")
    print("\n".join(_visibility_text(seen)))
    for path in written:
        print(path)


def _best_position(path: Path) -> tuple[Report, Position]:
    report, _ = given_report(path)
    if report.best_position is None:
        raise InvalidInput(f"{path}: the report has no position; give --ra and --dec")
    return report, report.best_position


def _visibility_text(seen: Visibility) -> Iterator[str]:
    yield f"visibility from {second_text(seen.start)} UTC, 24 h"
    for one in seen.telescopes:
        for window in one.windows:
            yield (
                f"  {one.telescope:18} {second_text(window.start)[:16]} - {second_text(window.end)[:16]}  "
                f"airmass {window.best_airmass:.2f} at {second_text(window.best_time)[11:16]}  "
                f"Moon {window.moon_deg:.0f} deg  {one.filters}"
            )
        if one.reason:
            yield f"  {one.telescope:18} not visible: {one.reason}"
