"""The commands that work on files without Airflow, from ``mxtvhf simulate`` to ``mxtvhf calibration``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mxtvhf.cli.arguments import (
    check_order,
    declination,
    field_source,
    input_file,
    output_folder,
    right_ascension,
    utc_moment,
)
from mxtvhf.cli.runs import AsJson
from mxtvhf.errors import InvalidInput
from mxtvhf.models.addresses import http_url
from mxtvhf.settings import read_settings

if TYPE_CHECKING:
    from mxtvhf.instrument.calibration import CalibrationStore

Events = Annotated[
    Path, typer.Argument(parser=input_file, metavar="EVENTS", help="event file written by `fits_feed`")
]


def simulate(
    out: Annotated[
        Path,
        typer.Option(
            parser=output_folder, metavar="FOLDER", help="folder for alert.xml, packets.bin, truth.json, ..."
        ),
    ],
    burst: Annotated[str, typer.Option(help="burst id; a known burst sets its position and times")],
    ra: Annotated[
        float | None,
        typer.Option(
            parser=right_ascension,
            metavar="RA",
            help="true right ascension, ICRS: 210.105 (degrees), 14:00:25.2 or 14h00m25.2s",
        ),
    ] = None,
    dec: Annotated[
        float | None,
        typer.Option(
            parser=declination,
            metavar="DEC",
            help="true declination, ICRS: 54.596 (degrees), +54:35:47 or +54d35m47s",
        ),
    ] = None,
    counts: Annotated[float | None, typer.Option(help="expected source photons (default 300)")] = None,
    flux: Annotated[
        float | None, typer.Option(help="mean 0.3-10 keV flux instead of counts, erg/cm2/s")
    ] = None,
    photon_index: Annotated[float | None, typer.Option(help="photon index of the power law")] = None,
    decay: Annotated[float | None, typer.Option(help="decay index: flux ~ (t - T0)^-decay")] = None,
    background: Annotated[float | None, typer.Option(help="expected background photons")] = None,
    roll: Annotated[float | None, typer.Option(help="roll angle of the pointing, degrees")] = None,
    offset_arcmin: Annotated[
        float | None, typer.Option(help="distance of the burst from the boresight, arcmin")
    ] = None,
    drift_arcsec: Annotated[
        float | None, typer.Option(help="drift of the pointing over the observation, arcsec")
    ] = None,
    slew: Annotated[
        float | None, typer.Option(help="duration of the slew at the start of the observation, seconds")
    ] = None,
    start: Annotated[
        datetime | None,
        typer.Option(parser=utc_moment, metavar="TIME", help="start of the MXT observation, UTC, ISO 8601"),
    ] = None,
    duration: Annotated[float | None, typer.Option(help="duration of the observation, seconds")] = None,
    loss: Annotated[float | None, typer.Option(help="probability that a packet is lost")] = None,
    repeat: Annotated[float | None, typer.Option(help="mean number of repeated copies of a packet")] = None,
    shuffle: Annotated[float | None, typer.Option(help="order of packets: 0 keeps it, 1 is random")] = None,
    corrupt: Annotated[float | None, typer.Option(help="probability that a copy is corrupt")] = None,
    split_events: Annotated[
        bool, typer.Option(help="distribute the charge of a photon over up to four pixels")
    ] = True,
    source: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RA,DEC,COUNTS",
            help="additional steady source: position (degrees or sexagesimal) and expected photons, "
            "e.g. 155.6,-21.1,150; repeat the option for several sources",
        ),
    ] = None,
    onboard_offset_arcsec: Annotated[
        float | None, typer.Option(help="additional error of the on-board position, arcsec")
    ] = None,
    attitude: Annotated[
        Literal["packets", "product", "both"] | None,
        typer.Option(help="attitude in pointing packets, in attitude.fits (product), or both"),
    ] = None,
    role: Annotated[Literal["test", "observation"], typer.Option(help="VOEvent role")] = "test",
    seed: Annotated[int | None, typer.Option(help="seed of the random numbers")] = None,
    xband: Annotated[
        float | None, typer.Option(help="also write an X-band event file with this exposure, seconds")
    ] = None,
) -> None:
    """Simulate the notices and VHF packets of a burst, and write the true values for comparison."""
    from mxtvhf.simulator.scenario import scenario_of, write_scenario

    scenario = scenario_of(
        burst,
        ra_deg=ra,
        dec_deg=dec,
        start=start,
        counts=counts,
        flux=flux,
        photon_index=photon_index,
        decay=decay,
        background=background,
        roll_deg=roll,
        offset_arcmin=offset_arcmin,
        drift_arcsec=drift_arcsec,
        slew_s=slew,
        duration_s=duration,
        split_events=split_events,
        sources=tuple(map(field_source, source)) if source else None,
        loss=loss,
        repeat=repeat,
        shuffle=shuffle,
        corrupt=corrupt,
        onboard_offset_arcsec=onboard_offset_arcsec,
        attitude=attitude,
        role=role,
        seed=seed,
        xband_s=xband,
    )
    for path in write_scenario(scenario, out, _calibration_store()):
        print(path)


def process(
    alert: Annotated[
        Path, typer.Argument(parser=input_file, metavar="NOTICE", help="notice (VOEvent) of the burst")
    ],
    packets: Annotated[
        Path, typer.Argument(parser=input_file, metavar="PACKETS", help="VHF packets received for it")
    ],
    out: Annotated[
        Path,
        typer.Option(
            parser=output_folder,
            metavar="FOLDER",
            help="folder for report.json, report.html and the products",
        ),
    ],
    attitude: Annotated[
        Path | None,
        typer.Option(
            parser=input_file, metavar="FILE", help="attitude product (SVO-ATT-VHF) of the observation"
        ),
    ] = None,
    gp: Annotated[
        str | None,
        typer.Option(parser=http_url, metavar="URL", help="base URL of GP; without it GP is not used"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the whole chain on a notice and its packets without Airflow, and print the headline."""
    from mxtvhf.catalogues.store import CatalogueStore
    from mxtvhf.models.kept import read_kept
    from mxtvhf.reporting.report.model import Report
    from mxtvhf.workflow.local import process_burst

    check_order(alert, packets)
    settings = read_settings()
    catalogues = CatalogueStore(settings.catalogues)
    store = _calibration_store()
    report = process_burst(
        alert, packets, out, attitude=attitude, gp_url=gp, store=store, catalogues=catalogues
    )
    if as_json:
        _print_json(json.loads(report.read_text()))
    else:
        print(read_kept(report, Report).headline)
        print(report)


def localise(
    events: Events,
    as_json: AsJson = False,
) -> None:
    """Find the sources in an event file and choose the one that is taken as the burst."""
    from mxtvhf.reporting.report.sources import source_lines
    from mxtvhf.workflow.steps.vhf_localisation import vhf_localisation

    found = vhf_localisation(events, store=_calibration_store())
    if as_json:
        _print_json(found.model_dump(mode="json"))
    elif found.position is None:
        print(f"no detection: {found.reason}")
    else:
        where = found.position
        print(
            f"RA {where.degrees_text[0]}  Dec {where.degrees_text[1]}  R90 {where.r90_arcsec:.1f} arcsec "
            f"(statistical {where.r90_stat_arcsec:.1f})  "
            f"{found.n_source:.0f} source photons, TS {found.ts:.1f}"
        )
        for line in source_lines(found):
            print(line)


def analyse(
    events: Events,
    out: Annotated[
        Path,
        typer.Option(
            parser=output_folder, metavar="FOLDER", help="folder for light curve, spectrum and responses"
        ),
    ],
    t0: Annotated[
        datetime | None,
        typer.Option(
            parser=utc_moment, metavar="TIME", help="T0 of the burst for the decay index, UTC, ISO 8601"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the source in an event file and write its light curve and spectrum."""
    from mxtvhf.analysis.model import analysis_text
    from mxtvhf.workflow.steps.source_analysis import source_analysis
    from mxtvhf.workflow.steps.vhf_localisation import vhf_localisation

    store = _calibration_store()
    place = vhf_localisation(events, store=store)
    found = source_analysis(events, place, out, trigger_time=t0, store=store)
    if as_json:
        _print_json(found.model_dump(mode="json"))
    else:
        print("\n".join(analysis_text(found)))


def crosscheck(
    alerts: Annotated[
        list[Path], typer.Argument(parser=input_file, metavar="NOTICE...", help="notices of one burst")
    ],
    events: Annotated[
        Path | None,
        typer.Option(
            parser=input_file, metavar="EVENTS", help="event file to localise and include in the comparison"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare all positions of a burst and verify the claims of its notices."""
    from mxtvhf.archive.inputs import MAX_ALERT_BYTES, read_limited
    from mxtvhf.catalogues.store import CatalogueStore
    from mxtvhf.crosscheck.bayes import probability_text
    from mxtvhf.crosscheck.model import GpOutcome, GpProgress
    from mxtvhf.notices.voevent import read_alert
    from mxtvhf.workflow.steps.crosscheck_positions import crosscheck_positions
    from mxtvhf.workflow.steps.vhf_localisation import vhf_localisation

    notices = [read_alert(read_limited(path, MAX_ALERT_BYTES), name=str(path)) for path in alerts]
    bursts = {notice.burst_id for notice in notices}
    if len(bursts) != 1:
        raise InvalidInput(f"notices of several bursts: {', '.join(sorted(bursts))}; give those of one burst")
    settings = read_settings()
    found = vhf_localisation(events, alerts=notices, store=_calibration_store()) if events else None
    no_gp = GpOutcome(available=False, progress=GpProgress.NOT_ASKED, reason="not asked")
    catalogues = CatalogueStore(settings.catalogues)
    result = crosscheck_positions(notices, found, no_gp, catalogues=catalogues)
    if as_json:
        _print_json(result.model_dump(mode="json"))
        return
    for pair in result.pairs:
        print(f"{pair.verdict.value:13} {pair.first} - {pair.second}: {pair.explanation}")
    for judged in found.onboard if found else ():
        word = f"of {judged.other_source}" if judged.other_source else judged.verdict.value
        print(f"{word:13} {judged.explanation}")
    for claim in result.claims:
        print(f"{claim.word:13} {claim.ivorn}: {claim.claim} {claim.published}: {claim.explanation}")
    for match in result.associations:
        print(f"{probability_text(match.probability):13} {match.explanation}")
    for notice in notices:
        for warning in notice.warnings:
            print(f"warning       {notice.ivorn}: {warning}")
    for flag in result.flags:
        print(f"impossible    {flag}")
    print(f"best          {result.best_reason}")
    print(f"{result.verdict.value:13} {result.verdict_reason}")


def calibration(
    at: Annotated[
        datetime | None,
        typer.Option(
            parser=utc_moment, metavar="TIME", help="time of the observation, UTC, ISO 8601; default: now"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the calibration files that are valid at a time."""
    from mxtvhf.instrument.calibration import CalibrationFile
    from mxtvhf.models.times import utc_text

    store = _calibration_store()
    used = store.at(at or datetime.now(UTC)).files()
    if as_json:
        common = set(CalibrationFile.model_fields)
        _print_json(
            [
                {**file.model_dump(mode="json", include=common), "file": str(store.path_of(file))}
                for file in used.values()
            ]
        )
        return
    for item, file in used.items():
        until = utc_text(file.valid_until) if file.valid_until else "further notice"
        print(f"{item} {file.version}{', ASSUMED' * file.assumed}: {store.path_of(file)}")
        print(f"    valid from {utc_text(file.valid_from)} until {until}")
        print(f"    {' '.join(file.source.split())}")


PastEvents = Annotated[
    list[Path],
    typer.Argument(parser=input_file, metavar="EVENTS...", help="event files of past runs"),
]
CalibrationFolder = Annotated[
    Path,
    typer.Option(
        parser=output_folder, metavar="FOLDER", help="folder of calibration files, for MXTVHF_CALIBRATION"
    ),
]
ValidFrom = Annotated[
    datetime | None,
    typer.Option(
        "--from", parser=utc_moment, metavar="TIME",
        help="start of the validity, UTC, ISO 8601; default: the first of the runs",
    ),
]  # fmt: skip


def noise_map(events: PastEvents, out: CalibrationFolder, valid_from: ValidFrom = None) -> None:
    """Find noisy and dead pixels, rows and columns in many runs and write them as a calibration file."""
    from mxtvhf.workflow.noise_map import make_noise_map

    made = make_noise_map(events, out, store=_calibration_store(), valid_from=valid_from)
    print(f"{made.path}: {made.file.source}")
    print(made.faults.text().removeprefix("; "))


def background_spectrum(events: PastEvents, out: CalibrationFolder, valid_from: ValidFrom = None) -> None:
    """Measure the background spectrum in many runs and write it as a calibration file."""
    from mxtvhf.workflow.background_spectrum import make_background

    made = make_background(events, out, store=_calibration_store(), valid_from=valid_from)
    file = made.file
    print(f"{made.path}: {file.source.partition('; ')[0]}")
    print(f"equivalent to {file.known_as_photons:g} photons; rate {file.rate_per_s:g} per s")
    for component in file.components:
        print(f"{100.0 * component.part:5.1f} %  {component.name}")
    for run in made.left_out:
        print(f"left out: {run}, whose energies differ from all known components")


def _calibration_store() -> CalibrationStore:
    # Imported here, like all that needs numpy, so that `mxtvhf --help` answers at once.
    from mxtvhf.instrument.calibration import calibration_store

    return calibration_store(read_settings().calibration)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, sort_keys=True))
