"""The commands ``mxtvhf catalogue add``, ``list``, ``search``, ``disable``, ``enable`` and ``remove``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mxtvhf.catalogues.bright import BRIGHT_XRAY, bright_sources
from mxtvhf.catalogues.model import CatalogueAnswer, SourceClass
from mxtvhf.catalogues.store import LIMIT, CatalogueStore
from mxtvhf.cli.arguments import declination, input_file, radius_arcsec, right_ascension, utf8_text
from mxtvhf.errors import Failure, InvalidInput
from mxtvhf.models.angles import angle_text, separation_arcsec
from mxtvhf.models.text import one_line
from mxtvhf.models.times import utc_text
from mxtvhf.settings import Settings, read_settings

if TYPE_CHECKING:
    from mxtvhf.catalogues.version import CatalogueVersion

app = typer.Typer(no_args_is_help=True, help="Catalogues of known sources: add, list, search, remove.")

AsJson = Annotated[bool, typer.Option("--json", help="print JSON for programs")]


@app.command()
def add(
    file: Annotated[
        Path, typer.Argument(parser=input_file, metavar="FILE", help="FITS, VOTable, CSV or ECSV")
    ],
    name: Annotated[
        str, typer.Option(help="name of the catalogue; an existing catalogue gets a new version")
    ],
    column: Annotated[
        list[str] | None,
        typer.Option(help="ROLE=COLUMN; roles: name, ra, dec, error, flux, class, identifiers"),
    ] = None,
    unit: Annotated[
        list[str] | None, typer.Option(help="ROLE=UNIT, if the file gives no unit or a wrong one")
    ] = None,
    error_is: Annotated[
        str | None, typer.Option(help="kind of position error: sigma (per axis), r68, r90, r95, r99")
    ] = None,
    error: Annotated[float | None, typer.Option(help="R90 of sources without an error, arcsec")] = None,
    frame: Annotated[
        str | None,
        typer.Option(help="reference frame: ICRS, FK5, 'FK4 B1950', galactic, ...; default: the file's"),
    ] = None,
    missing: Annotated[list[str] | None, typer.Option(help="value that marks missing data")] = None,
    table: Annotated[
        str | None, typer.Option(help="name or number of the table, if the file has several")
    ] = None,
    flux_unit: Annotated[str | None, typer.Option(help="same as --unit flux=UNIT")] = None,
    flux_band: Annotated[tuple[float, float] | None, typer.Option(help="band of the fluxes, keV")] = None,
    contains: Annotated[
        list[SourceClass] | None,
        typer.Option(
            help="class of its sources; repeat the option for a mixed catalogue, whose classifications decide"
        ),
    ] = None,
    reference: Annotated[
        str | None, typer.Option(parser=utf8_text, metavar="TEXT", help="publication of the catalogue")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="confirm uncertain columns, units and frame")] = False,
    as_json: AsJson = False,
) -> None:
    """Add a catalogue to the store. It is searched from then on.

    Uncertain columns, units or reference frames are shown. The catalogue is added only after you correct them
    or confirm them with --yes.
    """
    from mxtvhf.catalogues.columns import ERROR_KINDS, MEASURED, ROLES, Choice
    from mxtvhf.catalogues.ingest import add_catalogue
    from mxtvhf.catalogues.rows import LARGEST_R90_ARCSEC

    if error_is is not None and error_is not in ERROR_KINDS:
        raise InvalidInput(f"--error-is {error_is}: expected one of {', '.join(ERROR_KINDS)}")
    if error is not None and not 0.0 < error <= LARGEST_R90_ARCSEC:
        raise InvalidInput(
            f"--error {error:g}: expected a radius above 0 and at most {LARGEST_R90_ARCSEC:g} arcsec"
        )
    if flux_band is not None and not 0.0 < flux_band[0] < flux_band[1] < float("inf"):
        raise InvalidInput(
            f"--flux-band {flux_band[0]:g} {flux_band[1]:g}: expected two increasing energies, keV"
        )
    units = _by_role("--unit", unit, MEASURED)
    if flux_unit and units.setdefault("flux", flux_unit) != flux_unit:
        raise InvalidInput(
            f"--flux-unit {flux_unit}: conflicts with --unit flux={units['flux']}; give only one"
        )
    choice = Choice(
        columns=_by_role("--column", column, ROLES),
        units=units,
        error_kind=error_is,
        default_r90_arcsec=error,
        frame=frame,
        missing=tuple(missing or ()),
        table=table,
    )
    added = add_catalogue(
        read_settings().catalogues,
        file,
        name,
        choice,
        reference=reference,
        flux_band_kev=flux_band,
        contains=contains or (),
        confirmed=yes,
    )
    if as_json:
        _print_json(added.model_dump(mode="json"))
    else:
        print("\n".join(_added_text(added)))


@app.command("list")
def list_catalogues(
    check: Annotated[
        bool, typer.Option("--check", help="verify all stored data; exit status 1 if damaged")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the catalogues and their versions. The last version of each catalogue is in use."""
    store, bright = CatalogueStore(read_settings().catalogues), bright_sources()
    versions = store.versions()
    faults = [store.fault(version) for version in versions] if check else [None] * len(versions)
    if as_json:
        own = {"catalogue": BRIGHT_XRAY, "version": bright.version, "sources": len(bright.sources)}
        rest = [
            {
                **version.model_dump(mode="json"),
                "fault": fault,
                "disabled": store.is_disabled(version.catalogue),
            }
            for version, fault in zip(versions, faults, strict=True)
        ]
        _print_json([own, *rest, *({"fault": fault} for fault in store.unreadable())])
    else:
        print(f"{BRIGHT_XRAY} {bright.version}: {len(bright.sources)} sources, part of MXT-VHF")
        for version, fault in zip(versions, faults, strict=True):
            print("\n".join(_version_text(version, fault, is_disabled=store.is_disabled(version.catalogue))))
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
    catalogue: Annotated[
        str | None, typer.Option(help="search only this catalogue; NAME@2 is its second version")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="largest number of sources per catalogue")] = LIMIT,
    remote: Annotated[
        bool, typer.Option("--remote", help="also query the online services of the settings")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find the sources whose 90 % error circle overlaps with a cone."""
    settings = read_settings()
    answers = CatalogueStore(settings.catalogues).cone(ra, dec, radius, catalogue=catalogue, limit=limit)
    if remote:
        answers += _remote(settings, ra, dec, radius)
    if as_json:
        _print_json([answer.model_dump(mode="json") for answer in answers])
    else:
        print("\n".join(line for answer in answers for line in _answer_text(answer)))
    if unchecked := [answer.catalogue for answer in answers if not answer.checked]:
        raise Failure(f"catalogues not checked: {', '.join(unchecked)}; the reasons are above")


@app.command()
def disable(name: Annotated[str, typer.Argument(help="name of the catalogue")]) -> None:
    """Exclude a catalogue from searches without deleting it."""
    from mxtvhf.catalogues.removal import set_enabled

    set_enabled(read_settings().catalogues, name, is_enabled=False)
    print(f"{name}: disabled; undo with: mxtvhf catalogue enable {name}")


@app.command()
def enable(name: Annotated[str, typer.Argument(help="name of the catalogue")]) -> None:
    """Include a disabled catalogue in searches again."""
    from mxtvhf.catalogues.removal import set_enabled

    set_enabled(read_settings().catalogues, name, is_enabled=True)
    print(f"{name}: enabled")


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="name of the catalogue; NAME@2 means only its second version")],
    yes: Annotated[
        bool, typer.Option("--yes", help="confirm; only a backup can restore the catalogue")
    ] = False,
) -> None:
    """Delete a catalogue, or one version of it, from the store."""
    from mxtvhf.catalogues.removal import remove_catalogue, versions_named
    from mxtvhf.catalogues.version import version_numbers

    root = read_settings().catalogues
    catalogue, numbers = versions_named(root, name)
    what = f"{catalogue}, version {', '.join(map(str, numbers))}"
    if not yes:
        raise InvalidInput(
            f"{what}: not removed; confirm with --yes, or use mxtvhf catalogue disable to keep it"
        )
    remove_catalogue(root, name)
    left = max(version_numbers(root, catalogue), default=None)
    print(f"{what}: removed; {f'version {left} is in use' if left else 'no version is left'}")


def _remote(settings: Settings, ra: float, dec: float, radius: float) -> tuple[CatalogueAnswer, ...]:
    from mxtvhf.catalogues.cone_search import ask_remote, remote_services

    if not settings.remote_catalogues:
        raise InvalidInput("--remote: no service configured; set MXTVHF_REMOTE_CATALOGUES")
    return ask_remote(ra, dec, radius, remote_services(settings.remote_catalogues))


def _by_role(option: str, pairs: list[str] | None, roles: Sequence[str]) -> dict[str, str]:
    """Read ``ROLE=VALUE`` options. One option may contain several pairs separated by commas."""
    found: dict[str, str] = {}
    for pair in (part for text in pairs or [] for part in text.split(",")):
        role, equals, value = (part.strip() for part in pair.partition("="))
        if not (equals and value and role in roles):
            raise InvalidInput(f"{option} {pair}: expected ROLE=VALUE; roles: {', '.join(roles)}")
        if found.setdefault(role, value) != value:
            raise InvalidInput(f"{option} {pair}: {role} is also {found[role]}; give only one of them")
    return found


def _added_text(version: CatalogueVersion) -> list[str]:
    left_out = [f"{count} with {reason}" for reason, count in version.unusable.items()]
    return [
        f"{version.catalogue}, version {version.version}: {version.sources} sources of {version.rows} rows",
        *(f"  {role:12} {one_line(column)}" for role, column in version.mapping.items()),
        *(f"  confirmed    {one_line(doubt)}" for doubt in version.doubts),
        f"  left out     {', '.join(left_out) or 'none'}; {version.repeated} repeated name and position",
        f"  {version.repeated_names} names with more than one position; all were kept",
    ]


def _version_text(version: CatalogueVersion, fault: str | None, *, is_disabled: bool) -> list[str]:
    disabled = "; disabled" if is_disabled else ""
    return [
        f"{version.catalogue} {version.version}: {version.sources} sources, {version.reference}{disabled}",
        f"    added {utc_text(version.added)} from {version.file} (SHA-256 {version.file_sha256[:12]})",
        *([f"    contains {' and '.join(version.contains)}"] if version.contains else []),
        *([f"    DAMAGED: {fault}"] if fault else []),
    ]


def _answer_text(answer: CatalogueAnswer) -> list[str]:
    title = " ".join(filter(None, (answer.catalogue, answer.version)))
    if not answer.checked:
        return [f"{title}: NOT CHECKED, {answer.reason}"]
    lines = [f"{title}: {len(answer.sources)} found, {answer.density_per_deg2:.3g} per square degree here"]
    for source in answer.sources:
        distance = separation_arcsec(answer.ra_deg, answer.dec_deg, source.ra_deg, source.dec_deg)
        flux = "" if source.flux is None else f"  {source.flux:.2g} erg/cm2/s"
        ra = round(source.ra_deg, 5) % 360.0
        lines.append(
            f"  {angle_text(distance):>8}  R90 {angle_text(source.r90_arcsec):>7}  "
            f"{ra:.5f} {source.dec_deg:+.5f}  {source.name}  {source.classification or ''}{flux}"
        )
    if answer.omitted:
        lines.append(f"  and {answer.omitted} more distant ones")
    if answer.gap:
        lines.append(f"  not checked: {answer.gap}")
    return lines


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, sort_keys=True))
