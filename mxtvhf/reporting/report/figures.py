"""The figures of a written report, drawn when somebody opens it, so that no report waits for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path

from mxtvhf.archive.products import REPORT_FOLDERS, ReportStatus
from mxtvhf.errors import Failure
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.time import met_from_utc
from mxtvhf.models.files import write_atomically
from mxtvhf.models.kept import read_kept
from mxtvhf.models.position import Position
from mxtvhf.reporting.report.model import Report
from mxtvhf.reporting.report.page import render_page
from mxtvhf.reporting.report.plots import Plot, detector_plot, light_curve_plot
from mxtvhf.reporting.report.sky_plot import sky_plot, zoom_half_width_arcmin
from mxtvhf.reporting.report.source_plots import source_plots
from mxtvhf.reporting.report.sources import other_sources

FIGURES = ("sky", "sky_zoom", "detector", "light_curve", "source_light_curve", "source_spectrum")
"""Names of all figures. Their files are ``<name>.png`` in the folder of the report."""

Photons = Callable[[], PhotonList]
"""Function that reads the reconstructed photons of the run."""
Figures = Mapping[str, Callable[[Photons], Plot]]
"""Name -> function that draws the figure."""


def figures_of(report: Report) -> tuple[Figures, Figures]:
    """Return the figures that have data: those of the burst, and those of the source analysis."""
    figures: dict[str, Callable[[Photons], Plot]] = {}
    best, located = report.best_position, report.localisation
    if best is not None:
        figures["sky"] = lambda _: _sky(report, best, None)
        if (closer := zoom_half_width_arcmin(report.positions, best)) is not None:
            figures["sky_zoom"] = lambda _: _sky(report, best, closer)
    if report.photons is not None and report.photons.count and "photons" in report.products:
        figures["detector"] = lambda photons: detector_plot(photons(), located)
        figures["light_curve"] = lambda photons: _light_curve(report, photons())
    return figures, {name: partial(_source, draw) for name, draw in source_plots(report.analysis).items()}


def figure_path(report: Report, name: str) -> str | None:
    """Return the path of a figure relative to the product folder of the run; None if it has no data.

    The file may not be drawn yet.
    """
    if (drawn := report.products.get(f"plot_{name}")) is not None:
        # Earlier versions drew the figures with the report and listed them as products.
        return drawn.path
    is_there = any(name in figures for figures in figures_of(report))
    return f"{REPORT_FOLDERS[report.status]}{name}.png" if is_there else None


def draw_figures(folder: Path, status: ReportStatus) -> None:
    """Draw the figures of a report, write each as PNG, and put them into the page of the report.

    Parameters
    ----------
    folder
        Product folder of the run.
    status
        Which of the two reports of the run.

    Raises
    ------
    InvalidInput
        The report or the photons are damaged.
    Failure
        The report was replaced meanwhile. The page of the new report has no figures yet.
    OSError
        The report or the photons are missing.
    """
    below = folder / REPORT_FOLDERS[status]
    source = below / "report.json"
    before = source.read_bytes()
    report = read_kept(source, Report)

    @cache
    def photons() -> PhotonList:
        # With scipy, which nothing else of the pages needs: a third of their imports.
        from mxtvhf.events.patterns import reconstruct

        return reconstruct(PhotonList.load(folder / report.products["photons"].path)).photons

    drawn = []
    for figures in figures_of(report):
        pictures = {name: draw(photons).picture for name, draw in figures.items()}
        for name, picture in pictures.items():
            write_atomically(below / f"{name}.png", picture.png)
        drawn.append(list(pictures.values()))
    page = render_page(report, *drawn)
    if source.read_bytes() != before:
        remove_figures(below)
        raise Failure(f"{source}: replaced while its figures were drawn; open the report again")
    write_atomically(below / "report.html", page)


def remove_figures(folder: Path) -> None:
    """Remove the figures of an earlier report from the folder of a report."""
    for name in FIGURES:
        (folder / f"{name}.png").unlink(missing_ok=True)


def _sky(report: Report, best: Position, half_width_arcmin: float | None) -> Plot:
    located = report.localisation
    sources = [source.position.model_copy(update={"label": source.name}) for source in other_sources(located)]
    regions = located.regions if located else ()
    return sky_plot(
        report.positions, best, regions=regions, sources=sources, half_width_arcmin=half_width_arcmin
    )


def _light_curve(report: Report, photons: PhotonList) -> Plot:
    trigger = report.trigger_time
    start = float(photons.time.min()) if trigger is None else met_from_utc(trigger)
    lost = report.lost.longest if report.lost else ()
    return light_curve_plot(photons, start, is_trigger=trigger is not None, lost=lost)


def _source(draw: Callable[[], Plot], photons: Photons) -> Plot:
    return draw()
