"""The report as one self-contained HTML page, also for phones and dark mode."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from urllib.parse import quote

from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template

from mxtvhf.analysis.model import column_text, measurement_text
from mxtvhf.crosscheck.bayes import probability_text
from mxtvhf.crosscheck.pairs import p_number
from mxtvhf.crosscheck.verdict import not_checked
from mxtvhf.models.angles import angle_text, radius_text, separation_arcsec
from mxtvhf.models.position import Position
from mxtvhf.models.times import duration_text, second_text, utc_text
from mxtvhf.reporting.report.assembly import position_radius_text
from mxtvhf.reporting.report.model import Report
from mxtvhf.reporting.report.plots import Picture, Plot
from mxtvhf.reporting.report.sources import choice_sentence, source_rows
from mxtvhf.reporting.report.verdict import (
    explanation,
    is_non_detection,
    named_pairs,
    pairs_by_weight,
    verdict_facts,
    versus_eclairs,
)

AWAITS_FIGURES = "The figures are being drawn. This starts when the page is first opened in the web UI."
"""Sentence in a page whose figures are not drawn yet."""


def render_page(
    report: Report,
    plots: Iterable[Plot | Picture] | None = None,
    source_plots: Iterable[Plot | Picture] = (),
) -> bytes:
    """Return a report as an HTML page.

    Parameters
    ----------
    report
        Report to show; all its text is escaped.
    plots
        Figures in the order of the page; None if they are not drawn yet, which the page states.
    source_plots
        Plots of light curve and spectrum, next to their numbers.

    Returns
    -------
    bytes
        The page in UTF-8; it needs no other file and loads nothing.
    """
    page = _template().render(
        report=report,
        plots=list(plots or ()),
        source_plots=list(source_plots),
        awaits_figures=AWAITS_FIGURES if plots is None else None,
    )
    return page.encode()


def sky_links(position: Position) -> dict[str, str]:
    """Return the addresses of a position in SIMBAD, ESASky and Aladin Lite."""
    place = f"{round(position.ra_deg, 6) % 360.0:.6f} {position.dec_deg:+.6f}"
    # SIMBAD refuses a radius of 0.0 arcsec.
    radius = max(position.r90_arcsec or 60.0, 0.1)
    target, view = quote(place), max(0.1, 6.0 * radius / 3600.0)
    return {
        "SIMBAD": "https://simbad.cds.unistra.fr/simbad/sim-coo?"
        f"Coord={target}&CooFrame=ICRS&CooEpoch=2000&CooEqui=2000&Radius={radius:.1f}&Radius.unit=arcsec",
        "ESASky": f"https://sky.esa.int/esasky/?target={target}&fov={view:.3f}&cooframe=J2000&sci=true",
        "Aladin Lite": f"https://aladin.cds.unistra.fr/AladinLite/?target={target}&fov={view:.3f}",
    }


def product_address(path: str, report: Report) -> str:
    """Return the address of a product relative to the page; ``path`` is relative to the run's folder."""
    up = "../" if report.status == "preliminary" else ""
    return up + quote(path)


def latency_text(seconds: float) -> str:
    """Format a time since the trigger with its sign: ``+183.2 s``, ``+3.4 h``, ``+12.1 d``."""
    return duration_text(seconds, sign="+")


def _separation_text(position: Position, best: Position) -> str:
    return angle_text(separation_arcsec(position.ra_deg, position.dec_deg, best.ra_deg, best.dec_deg))


def checked_catalogues(report: Report, position: Position | None = None) -> list[str]:
    """Return one line about the checked catalogues, and one for each that was not checked.

    Parameters
    ----------
    report
        Report with the catalogue searches.
    position
        Position around which a search counts; None for any position.
    """
    checked = {
        f"{answer.catalogue}, version {answer.version}" if answer.version else answer.catalogue
        for answer in report.catalogues
        if answer.is_complete and (position is None or answer.is_around(position))
    }
    lines = [f"Checked: {'; '.join(sorted(checked))}."] if checked else []
    return lines + not_checked(report.catalogues)


def _words(text: str) -> str:
    """Return a name with spaces for its underscores; text after the first space is kept."""
    name, space, rest = text.partition(" ")
    return name.replace("_", " ") + space + rest


@cache
def _template() -> Template:
    return page_environment().get_template("report.html.j2")


def page_environment(*loaders: BaseLoader) -> Environment:
    """Return the environment of the templates: it escapes everything and refuses undefined names.

    Parameters
    ----------
    *loaders
        Loaders that take precedence over that of the report's own templates.
    """
    environment = Environment(
        loader=ChoiceLoader([*loaders, PackageLoader("mxtvhf.reporting.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "address": product_address,
        "angle": angle_text,
        "band": lambda limits: f"{limits[0]:g}-{limits[1]:g}",
        "checked": checked_catalogues,
        "base64": lambda content: b64encode(content).decode(),
        "duration": duration_text,
        "latency": latency_text,
        "links": sky_links,
        "is_non_detection": is_non_detection,
        "measured": measurement_text,
        "named_pairs": named_pairs,
        "chance": p_number,
        "column": column_text,
        "explanation": explanation,
        "pairs_by_weight": pairs_by_weight,
        "probability": probability_text,
        "position_radius": position_radius_text,
        "radius": radius_text,
        "choice": choice_sentence,
        "second": second_text,
        "separation": _separation_text,
        "source_rows": source_rows,
        "utc": utc_text,
        "verdict_facts": verdict_facts,
        "versus_eclairs": lambda report: versus_eclairs(report, report.best_position),
        "words": _words,
    }
    return environment
