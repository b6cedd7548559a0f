"""Files of the positions of a burst for other programs: VOTable, FITS, DS9 regions, and a list of targets.

VOTable and FITS table hold the same columns, for TOPCAT. The region file follows the DS9 reference manual,
"Regions". The list of targets is plain CSV whose columns have the names and units of IVOA ObsLocTAP 1.0; it
is a request, not a schedule, so the columns of a schedule's state are left out.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import datetime
from io import BytesIO, StringIO
from typing import TYPE_CHECKING

from mxtvhf.followup.model import Visibility
from mxtvhf.followup.sun_and_moon import UNIX_EPOCH_JD
from mxtvhf.models.position import Position
from mxtvhf.models.times import utc_text

if TYPE_CHECKING:
    from astropy.table import Table

MJD_OF_JD = 2_400_000.5
TARGET_COLUMNS = (
    "target_name", "s_ra", "s_dec", "s_fov", "s_region",
    "facility_name", "t_min", "t_max", "airmass", "moon_deg",
)  # fmt: skip
"""Columns of the list of targets; the last two are our own."""

_COLUMNS = {
    "label": ("", "meta.id;meta.main", "Label of the position in the report"),
    "origin": ("", "meta.id;instr", "Instrument or analysis that measured the position"),
    "ra": ("deg", "pos.eq.ra;meta.main", "Right ascension, ICRS"),
    "dec": ("deg", "pos.eq.dec;meta.main", "Declination, ICRS"),
    "r90": ("arcsec", "stat.error;pos.eq", "90 % error radius, statistical and systematic; NaN if unknown"),
    "r90_stat": ("arcsec", "stat.error;pos.eq", "Statistical 90 % error radius; NaN if unknown"),
    "r90_sys": ("arcsec", "stat.error;pos.eq", "Systematic 90 % error radius"),
    "time": ("", "time.epoch", "Time of measurement or publication, UTC, ISO 8601; empty if unknown"),
    "reference": ("", "meta.ref", "Ivorn or product of the position; empty if unknown"),
    "is_best": ("", "meta.code", "True for the recommended position"),
}
"""Name of each column -> unit, UCD 1+, description."""


def votable(burst_id: str, positions: Sequence[Position], best: Position | None) -> bytes:
    """Return the positions as a VOTable with UCDs and the coordinate system ICRS.

    Parameters
    ----------
    burst_id
        Name of the table.
    positions
        Positions in the order of the rows.
    best
        The recommended position; None without one.
    """
    from astropy.io.votable import from_table
    from astropy.io.votable.tree import CooSys

    document = from_table(_table(burst_id, positions, best))
    (resource,) = document.resources
    resource.coordinate_systems.append(CooSys(ID="system", system="ICRS"))
    (table,) = resource.tables
    table.name = burst_id
    for column in table.fields:
        _, column.ucd, column.description = _COLUMNS[column.name]
        if column.name in ("ra", "dec"):
            column.ref = "system"
    file = BytesIO()
    document.to_xml(file)
    return file.getvalue()


def fits_table(burst_id: str, positions: Sequence[Position], best: Position | None) -> bytes:
    """Return the positions as a FITS binary table; parameters as in `votable`."""
    from astropy.io import fits

    table = fits.table_to_hdu(_table(burst_id, positions, best))
    table.header["EXTNAME"] = "POSITIONS"
    table.header["OBJECT"] = (burst_id, "burst")
    table.header["RADESYS"] = ("ICRS", "frame of ra and dec")
    table.header["TIMESYS"] = ("UTC", "time scale of the column time")
    for number, (unit, ucd, description) in enumerate(_COLUMNS.values(), start=1):
        table.header[f"TUCD{number}"] = ucd
        table.header[f"TCOMM{number}"] = description
        if unit:
            table.header[f"TUNIT{number}"] = unit
    file = BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(file, checksum=True)
    return file.getvalue()


def ds9_regions(burst_id: str, positions: Sequence[Position], best: Position | None) -> bytes:
    """Return the 90 % error circles as DS9 regions, the recommended one thick; parameters as in `votable`.

    A position without an error radius is a cross.
    """
    lines = [
        "# Region file format: DS9 version 4.1",
        f"# {burst_id}, 90 % error circles",
        "global color=cyan",
        "icrs",
    ]
    for one in positions:
        place = f"{round(one.ra_deg, 6) % 360.0:.6f},{one.dec_deg:+.6f}"
        shape = (
            f'circle({place},{one.r90_arcsec:.2f}")' if one.r90_arcsec else f"point({place}) # point=cross"
        )
        mark = " color=magenta width=3" if best and one.label == best.label else ""
        comment = "" if " # " in shape else " #"
        lines.append(f"{shape}{comment}{mark} text={{{one.name}}}")
    return "\n".join([*lines, ""]).encode()


def target_list(burst_id: str, position: Position, visibility: Visibility) -> bytes:
    """Return the windows of all telescopes for a position as CSV, one row each.

    Parameters
    ----------
    burst_id
        Name of the target.
    position
        The position to observe; ``s_fov`` is the diameter of its 90 % error circle.
    visibility
        Visibility of the position. Times ``t_min`` and ``t_max`` are MJD, UTC.
    """
    ra, dec = f"{round(position.ra_deg, 6) % 360.0:.6f}", f"{position.dec_deg:.6f}"
    radius = (position.r90_arcsec or 0.0) / 3600.0
    file = StringIO()
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(TARGET_COLUMNS)
    for one in visibility.telescopes:
        for window in one.windows:
            region = f"CIRCLE ICRS {ra} {dec} {radius:.6f}"
            times = (f"{_mjd(moment):.6f}" for moment in (window.start, window.end))
            quality = f"{window.best_airmass:.3f}", f"{window.moon_deg:.1f}"
            rows.writerow([burst_id, ra, dec, f"{2.0 * radius:.6f}", region, one.telescope, *times, *quality])
    return file.getvalue().encode()


def _mjd(moment: datetime) -> float:
    return UNIX_EPOCH_JD - MJD_OF_JD + moment.timestamp() / 86_400.0


def _table(burst_id: str, positions: Sequence[Position], best: Position | None) -> Table:
    from astropy.table import Table

    rows = list(_rows(positions, best))
    types = ["U", "U", *["f8"] * 5, "U", "U", "?"]
    columns = [list(column) for column in zip(*rows, strict=True)] or [[]] * len(types)
    table = Table(columns, names=list(_COLUMNS), dtype=types if not rows else None, meta={"NAME": burst_id})
    for name, (unit, _, _) in _COLUMNS.items():
        table[name].unit = unit or None
    return table


def _rows(positions: Sequence[Position], best: Position | None) -> Iterator[tuple[object, ...]]:
    unknown = float("nan")
    for one in positions:
        yield (
            one.label,
            str(one.origin),
            one.ra_deg,
            one.dec_deg,
            unknown if one.r90_arcsec is None else one.r90_arcsec,
            unknown if one.r90_stat_arcsec is None else one.r90_stat_arcsec,
            one.r90_sys_arcsec,
            utc_text(one.time) if one.time else "",
            one.reference or "",
            best is not None and one.label == best.label,
        )
