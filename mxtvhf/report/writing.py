"""Write a report and its plots into the product folder of a run."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path, PurePosixPath

from mxtvhf.archive import sha256_of, write_atomically
from mxtvhf.burst import burst_trigger_time
from mxtvhf.missiontime import met_from_utc
from mxtvhf.models import CrossCheck, Product
from mxtvhf.photons import PhotonList
from mxtvhf.report.assembly import build_report
from mxtvhf.report.model import ReportProducts, ReportStatus, RunRecord
from mxtvhf.report.page import render_page
from mxtvhf.report.plots import Plot, detector_plot, light_curve_plot
from mxtvhf.report.skyplot import sky_plot, zoom_half_width_arcmin
from mxtvhf.report.sourceplots import draw_source_plots


def write_report(
    run: RunRecord,
    crosscheck: CrossCheck,
    *,
    status: ReportStatus,
    photons: PhotonList | None,
    out: Path,
    written: datetime,
) -> ReportProducts:
    """Write ``report.json``, ``report.html`` and the plots, each complete or not at all.

    Parameters
    ----------
    run, crosscheck, photons, written
        As in ``assembly.build_report``.
    status
        A ``preliminary`` report goes to the folder ``preliminary`` below ``out``, where the final one does
        not overwrite it.
    out
        The run's product folder; the only place written to. Paths of products are relative to it.

    Returns
    -------
    ReportProducts
        The files with their SHA-256. The same input gives the same bytes.
    """
    folder = PurePosixPath("preliminary" if status == "preliminary" else "")
    plots, source_plots = draw_plots(run, crosscheck, photons), draw_source_plots(run.analysis)
    kept = {
        f"plot_{name}": _write(out, folder / f"{name}.png", plot.png)
        for name, plot in (plots | source_plots).items()
    }
    report = build_report(run, crosscheck, status=status, photons=photons, plots=kept, written=written)
    page = render_page(report, plots.values(), source_plots.values())
    return ReportProducts(
        status=status,
        headline=report.headline,
        best_position=report.best_position,
        html_file=_write(out, folder / "report.html", page),
        json_file=_write(out, folder / "report.json", report.to_json()),
        plots=kept,
    )


def draw_plots(run: RunRecord, crosscheck: CrossCheck, photons: PhotonList | None) -> dict[str, Plot]:
    """Draw what there is data for: name -> plot."""
    plots = {}
    best = crosscheck.best
    if best is not None:
        regions = run.localisation.regions if run.localisation else ()
        plots["sky"] = sky_plot(crosscheck.positions, best, regions=regions)
        closer = zoom_half_width_arcmin(crosscheck.positions, best)
        if closer is not None:
            plots["sky_zoom"] = sky_plot(
                crosscheck.positions, best, regions=regions, half_width_arcmin=closer
            )
    if photons is not None and len(photons):
        plots["detector"] = detector_plot(photons, run.localisation)
        trigger = burst_trigger_time((run.alert, *run.related))
        start = float(photons.time.min()) if trigger is None else met_from_utc(trigger)
        plots["light_curve"] = light_curve_plot(photons, start, is_trigger=trigger is not None)
    return plots


def _write(out: Path, relative: PurePosixPath, content: bytes) -> Product:
    write_atomically(out / relative, content)
    return Product(path=str(relative), sha256=sha256_of(content))
