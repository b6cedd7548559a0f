"""Write a report and its plots into the product folder of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath

from mxtvhf.archive.products import REPORT_FOLDERS, ReportStatus
from mxtvhf.crosscheck import CrossCheck
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.time import met_from_utc
from mxtvhf.models.files import sha256_of, write_atomically
from mxtvhf.models.product import Product
from mxtvhf.notices.burst import burst_trigger_time
from mxtvhf.reporting.report.assembly import build_report
from mxtvhf.reporting.report.model import ReportProducts, RunRecord
from mxtvhf.reporting.report.page import render_page
from mxtvhf.reporting.report.plots import Picture, Plot, detector_plot, light_curve_plot
from mxtvhf.reporting.report.sky_plot import sky_plot, zoom_half_width_arcmin
from mxtvhf.reporting.report.source_plots import source_plots
from mxtvhf.reporting.report.sources import other_sources

SAME_IN_FINAL = ("plot_detector", "plot_light_curve")
"""Plots of the preliminary report that do not depend on GP, so that the final one uses the same files."""


def write_report(
    run: RunRecord,
    crosscheck: CrossCheck,
    *,
    status: ReportStatus,
    photons: PhotonList | None,
    out: Path,
    written: datetime,
) -> ReportProducts:
    """Write ``report.json``, ``report.html`` and the plots, each atomically.

    A plot that is already a product of the run (``plot_<name>``) is not drawn again.

    Parameters
    ----------
    run, crosscheck
        As in ``assembly.build_report``.
    status
        A ``preliminary`` report is written to the folder ``preliminary`` in ``out``, so that the final one
        does not overwrite it.
    photons
        As in ``assembly.build_report``.
    out
        Product folder of the run; paths of products are relative to it.
    written
        As in ``assembly.build_report``.

    Returns
    -------
    ReportProducts
        Files with their SHA-256; the same input gives the same bytes.
    """
    folder = PurePosixPath(REPORT_FOLDERS[status])
    kept: dict[str, Product] = {}

    def pictures(plots: Mapping[str, Callable[[], Plot]]) -> list[Picture]:
        found = []
        for name, draw in plots.items():
            earlier = run.products.get(f"plot_{name}")
            content = draw().png if earlier is None else (out / earlier.path).read_bytes()
            kept[f"plot_{name}"] = earlier or _write(out, folder / f"{name}.png", content)
            found.append(Picture.read(content))
        return found

    shown, of_source = pictures(plots_of(run, crosscheck, photons)), pictures(source_plots(run.analysis))
    report = build_report(run, crosscheck, status=status, photons=photons, plots=kept, written=written)
    page = render_page(report, shown, of_source)
    return ReportProducts(
        status=status,
        headline=report.headline,
        best_position=report.best_position,
        html_file=_write(out, folder / "report.html", page),
        json_file=_write(out, folder / "report.json", report.to_json()),
        plots=kept,
    )


def plots_of(
    run: RunRecord, crosscheck: CrossCheck, photons: PhotonList | None
) -> dict[str, Callable[[], Plot]]:
    """Return name -> function that draws it, for the plots that have data."""
    plots: dict[str, Callable[[], Plot]] = {}
    best = crosscheck.best
    if best is not None:
        regions = run.localisation.regions if run.localisation else ()
        sources = [
            source.position.model_copy(update={"label": source.name})
            for source in other_sources(run.localisation)
        ]
        sky = partial(sky_plot, crosscheck.positions, best, regions=regions, sources=sources)
        plots["sky"] = sky
        closer = zoom_half_width_arcmin(crosscheck.positions, best)
        if closer is not None:
            plots["sky_zoom"] = partial(sky, half_width_arcmin=closer)
    if photons is not None and len(photons):
        plots["detector"] = partial(detector_plot, photons, run.localisation)
        trigger = burst_trigger_time((run.alert, *run.related))
        start = float(photons.time.min()) if trigger is None else met_from_utc(trigger)
        lost = run.lost.longest if run.lost else ()
        plots["light_curve"] = partial(
            light_curve_plot, photons, start, is_trigger=trigger is not None, lost=lost
        )
    return plots


def _write(out: Path, relative: PurePosixPath, content: bytes) -> Product:
    write_atomically(out / relative, content)
    return Product(path=str(relative), sha256=sha256_of(content))
