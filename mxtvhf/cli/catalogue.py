"""The commands ``mxtvhf catalogue add``, ``list`` and ``search``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mxtvhf.catalogues.bright import BRIGHT_XRAY, bright_sources
from mxtvhf.catalogues.model import CatalogueAnswer
from mxtvhf.catalogues.store import LIMIT, CatalogueStore
from mxtvhf.cli.arguments import declination, input_file, radius_arcsec, right_ascension, utf8_text
from mxtvhf.errors import Failure, InvalidInput
from mxtvhf.models.angles import angle_text, separation_arcsec
from mxtvhf.models.times import utc_text
from mxtvhf.settings import Settings, read_settings

if TYPE_CHECKING:
    from mxtvhf.catalogues.version import CatalogueVersion

app = typer.Typer(no_args_is_help=True, help="Catalogues of known sources: add them, list them, search them.")

AsJson = Annotated[bool, typer.Option("--json", help="print JSON for programs")]
ROLES = "name, ra, dec, error, flux, class, identifiers"


@app.command()
def add(
    file: Annotated[
        Path, typer.Argument(parser=input_file, metavar="FILE", help="FITS, VOTable, CSV or ECSV")
    ],
    name: Annotated[str, typer.Option(help="of the catalogue; one that exists gets a new version")],
    column: Annotated[
        list[str] | None, typer.Option(help=f"ROLE=COLUMN where the guess is wrong; roles: {ROLES}")
    ] = None,
    unit: Annotated[
        list[str] | None, typer.Option(help="ROLE=UNIT where the file has none or a wrong one")
    ] = None,
    error_is: Annotated[
        str | None, typer.Option(help="what the position error is: sigma (per axis), r68, r90, r95, r99")
    ] = None,
    error: Annotated[
        float | None, typer.Option(min=0.0, help="90 % radius, arcsec, of sources without an error")
    ] = None,
    flux_unit: Annotated[str | None, typer.Option(help="the same as --unit flux=UNIT")] = None,
    flux_band: Annotated[tuple[float, float] | None, typer.Option(help="band of the fluxes, keV")] = None,
    reference: Annotated[
        str | None, typer.Option(parser=utf8_text, metavar="TEXT", help="where the catalogue was published")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take a catalogue into the store; it is searched from then on."""
    from mxtvhf.catalogues.columns import ERROR_KINDS, Choice
    from mxtvhf.catalogues.ingest import add_catalogue

    if error_is is not None and error_is not in ERROR_KINDS:
        raise InvalidInput(f"--error-is {error_is}: want one of {', '.join(ERROR_KINDS)}")
    units = _by_role("--unit", unit) | ({"flux": flux_unit} if flux_unit else {})
    choice = Choice(_by_role("--column", column), units, error_is, error)
    added = add_catalogue(
        read_settings().catalogues, file, name, choice, reference=reference, flux_band_kev=flux_band
    )
    if as_json:
        _print_json(added.model_dump(mode="json"))
    else:
        print("\n".join(_added_text(added)))


@app.command("list")
def list_catalogues(
    check: Annotated[
        bool, typer.Option("--check", help="compare all data with what was written; exit status 1 if damaged")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the catalogues and their versions; the last one of each is in use."""
    store, bright = CatalogueStore(read_settings().catalogues), bright_sources()
    versions = store.versions()
    faults = [store.fault(version) for version in versions] if check else [None] * len(versions)
    if as_json:
        own = {"catalogue": BRIGHT_XRAY, "version": bright.version, "sources": len(bright.sources)}
        rest = [
            {**version.model_dump(mode="json"), "fault": fault}
            for version, fault in zip(versions, faults, strict=True)
        ]
        _print_json([own, *rest, *({"fault": fault} for fault in store.unreadable())])
    else:
        print(f"{BRIGHT_XRAY} {bright.version}: {len(bright.sources)} sources, part of MXT-VHF")
        for version, fault in zip(versions, faults, strict=True):
            print("\n".join(_version_text(version, fault)))
        for fault in store.unreadable():
            print(fault)
    if any(faults) or store.unreadable():
        raise typer.Exit(1)


@app.command(context_settings={"ignore_unknown_options": True})
def search(
    ra: Annotated[
        float,
        typer.Argument(
            parser=right_ascension,
            metavar="RA",
            help="right ascension, ICRS: 256.565 (degrees), 17:06:15.6 or 17h06m15.6s",
        ),
    ],
    dec: Annotated[
        float,
        typer.Argument(
            parser=declination,
            metavar="DEC",
            help="declination, ICRS: -43.036 (degrees), -43:02:10 or -43d02m10s",
        ),
    ],
    radius: Annotated[
        float,
        typer.Argument(parser=radius_arcsec, metavar="RADIUS", help="arcsec, or with a unit: 5arcmin"),
    ],
    catalogue: Annotated[str | None, typer.Option(help="only this one; NAME@2 is its second version")] = None,
    limit: Annotated[int, typer.Option(min=1, help="sources of each catalogue at most")] = LIMIT,
    remote: Annotated[bool, typer.Option("--remote", help="ask the services of the settings, too")] = False,
    as_json: AsJson = False,
) -> None:
    """Find the sources whose 90 % error circle reaches into a cone."""
    settings = read_settings()
    answers = CatalogueStore(settings.catalogues).cone(ra, dec, radius, catalogue=catalogue, limit=limit)
    if remote:
        answers += _remote(settings, ra, dec, radius)
    if as_json:
        _print_json([answer.model_dump(mode="json") for answer in answers])
    else:
        print("\n".join(line for answer in answers for line in _answer_text(answer)))
    if unchecked := [answer.catalogue for answer in answers if not answer.checked]:
        raise Failure(f"not checked: {', '.join(unchecked)}")


def _remote(settings: Settings, ra: float, dec: float, radius: float) -> tuple[CatalogueAnswer, ...]:
    from mxtvhf.catalogues.cone_search import ask_remote, remote_services

    if not settings.remote_catalogues:
        raise InvalidInput("--remote: the setting MXTVHF_REMOTE_CATALOGUES names no service")
    return ask_remote(ra, dec, radius, remote_services(settings.remote_catalogues))


def _by_role(option: str, pairs: list[str] | None) -> dict[str, str]:
    """Read ``ROLE=VALUE`` options; one option may hold several, with commas between them."""
    found = {}
    for pair in (part for text in pairs or [] for part in text.split(",")):
        role, equals, value = pair.partition("=")
        if not (equals and value and role in ROLES.split(", ")):
            raise InvalidInput(f"{option} {pair}: want ROLE=VALUE; roles: {ROLES}")
        found[role] = value
    return found


def _added_text(version: CatalogueVersion) -> list[str]:
    left_out = [f"{count} with {reason}" for reason, count in version.unusable.items()]
    return [
        f"{version.catalogue}, version {version.version}: {version.sources} sources of {version.rows} rows",
        *(f"  {role:12} {column}" for role, column in version.mapping.items()),
        f"  left out     {', '.join(left_out) or 'none'}; {version.repeated} repeated name and position",
        f"  {version.repeated_names} names stand at more than one position; all were kept",
    ]


def _version_text(version: CatalogueVersion, fault: str | None) -> list[str]:
    return [
        f"{version.catalogue} {version.version}: {version.sources} sources, {version.reference}",
        f"    added {utc_text(version.added)} from {version.file} (SHA-256 {version.file_sha256[:12]})",
        *([f"    DAMAGED: {fault}"] if fault else []),
    ]


def _answer_text(answer: CatalogueAnswer) -> list[str]:
    title = " ".join(filter(None, (answer.catalogue, answer.version)))
    if not answer.checked:
        return [f"{title}: NOT CHECKED, {answer.reason}"]
    lines = [f"{title}: {len(answer.sources)} found, {answer.density_per_deg2:.3g} a square degree here"]
    for source in answer.sources:
        distance = separation_arcsec(answer.ra_deg, answer.dec_deg, source.ra_deg, source.dec_deg)
        flux = "" if source.flux is None else f"  {source.flux:.2g} erg/cm2/s"
        lines.append(
            f"  {angle_text(distance):>8}  R90 {angle_text(source.r90_arcsec):>7}  "
            f"{source.ra_deg:.5f} {source.dec_deg:+.5f}  {source.name}  {source.classification or ''}{flux}"
        )
    if answer.omitted:
        lines.append(f"  and {answer.omitted} farther ones")
    return lines


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, sort_keys=True))
