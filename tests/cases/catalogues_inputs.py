"""Catalogues that were once read wrongly."""

import gzip
from io import BytesIO

import numpy as np
from astropy.io import fits
from astropy.io.votable.tree import CooSys
from astropy.table import Table

from support.catalogues import text_votable, votable

RA, DEC = 10.5, -20.25


def csv(*lines):
    return "\n".join((*lines, "")).encode()


def fits_table(header=None, units=("deg", "deg", "arcsec"), **columns):
    """Two sources as a FITS file; ``columns`` replace its columns or are put behind them."""
    table = {"name": ["S1", "S2"], "ra": [RA, 200.25], "dec": [DEC, 45.5], "r90": [1.0, 3.0], **columns}
    hdu = fits.BinTableHDU(Table(table))
    for name, unit in zip(("ra", "dec", "r90"), units, strict=True):
        hdu.columns[name].unit = unit
    hdu.header.update(header or {})
    return file_of(hdu)


def file_of(*tables):
    out = BytesIO()
    fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(out)
    return out.getvalue()


def ascii_table():
    """As VizieR writes it: TNULL is text, an unknown error is blank."""
    formats = {"name": "A4", "ra": "F12.6", "dec": "F12.6", "r90": "F8.3"}
    values = {
        "name": ["S1", "S2", "S3"],
        "ra": [RA, 200.25, 20.0],
        "dec": [DEC, 45.5, 5.0],
        "r90": [1.0, 3.0, 7.0],
    }
    columns = [
        fits.Column(
            name,
            format,
            unit={"name": None, "r90": "arcsec"}.get(name, "deg"),
            array=values[name],
            ascii=True,
        )
        for name, format in formats.items()
    ]
    hdu = fits.TableHDU.from_columns(columns)
    hdu.header["TNULL4"] = "NaN"
    raw = file_of(hdu)
    assert raw.count(b"7.000") == 1
    return raw.replace(b"7.000", b"  NaN")


def frame_votable(system, equinox=None):
    table = Table({"name": ["S1"], "ra": [RA], "dec": [DEC], "r90": [1.0]})
    document = votable(table, ra="deg", dec="deg", r90="arcsec")
    document.coordinate_systems.append(CooSys(ID="C", system=system, equinox=equinox))
    out = BytesIO()
    document.to_xml(out)
    return out.getvalue()


def elsewhere():
    table = text_votable()
    stream = b'<BINARY><STREAM href="file:///etc/passwd"/></BINARY>'
    return table[: table.index(b"<TABLEDATA>")] + stream + table[table.index(b"</DATA>") :]


HEADER = "name,ra,dec,r90"
PLAIN = csv(HEADER, "S1,10.5,-20.25,1")

INPUTS = {
    "plain.csv": lambda: PLAIN,
    "comment.csv": lambda: csv("# made by hand", HEADER, "S1,10.5,-20.25,1"),
    "header_in_comment.csv": lambda: csv("# name,ra,dec,r90", "S1,10.5,-20.25,1"),
    "mixed.csv": lambda: csv(HEADER, "S1,10.5,-20.25,1", "S2,12:00:00,+10:30:00,1"),
    "sexagesimal.csv": lambda: csv(HEADER, "S1,00:42:00,-20:15:00,1"),
    "degrees_as_hours.csv": lambda: csv(HEADER, "S1,00:42:00,-20:15:00,1", "S2,256:33:54,-20:15:00,1"),
    "hours.csv": lambda: csv(HEADER, "S1,0.7,-20.25,1", "S2,23.5,45.5,1"),
    "one_line.csv": lambda: b"plain.csv",
    "ra_pm180.csv": lambda: csv(HEADER, "S1,10.5,-20.25,1", "S2,-159.75,45.5,1"),
    "utf8.csv": lambda: csv(HEADER, "Cygné X-1,299.59,35.2,1"),
    "latin1.csv": lambda: "name,ra,dec,r90\nCygné X-1,299.59,35.2,1\n".encode("latin1"),
    "no_error.csv": lambda: csv(HEADER, "S1,10.5,-20.25,1", "S2,10.51,-20.25,-999", "S3,,,1"),
    "nines.csv": lambda: csv(HEADER, "S1,10.5,-20.25,1", "S2,200.25,45.5,99.99"),
    "galactic.csv": lambda: csv("name,glon,glat,r90", "S1,105.00580,-82.79099,1"),
    "b1950.csv": lambda: csv("name,rab1950,deb1950,r90", "S1,10.5,-20.25,1"),
    "empty.csv": lambda: csv(HEADER),
    "two_positions.csv": lambda: csv("name,ra,dec,RAJ2000,DEJ2000,r90", "S1,10.5,-20.25,11,-20,1"),
    "b1950.fits": lambda: fits_table({"RADESYS": "FK4", "EQUINOX": 1950.0}),
    "equinox.fits": lambda: fits_table({"EQUINOX": 1950.0}),
    "other_frame.fits": lambda: fits_table({"RADESYS": "GAPPT"}),
    "units.fits": lambda: fits_table(units=("DEGREE", "degrees", "ARCSEC")),
    "unit_kg.fits": lambda: fits_table(units=("kg", "deg", "arcsec")),
    "vector_ra.fits": lambda: fits_table(ra=np.full((2, 2), RA)),
    "vector_class.fits": lambda: fits_table(**{"class": np.ones((2, 2), int)}),
    "ascii.fits": ascii_table,
    "two_tables.fits": lambda: file_of(
        fits.BinTableHDU(Table({"ra": [1.0], "dec": [2.0], "r90": [3.0]}), name="ONE"),
        fits.BinTableHDU(Table({"ra": [RA], "dec": [DEC], "r90": [1.0]}), name="TWO"),
    ),
    "plain.vot": text_votable,
    "plain.vot.gz": lambda: gzip.compress(text_votable()),
    "cut.vot.gz": lambda: gzip.compress(text_votable())[:-30],
    "no_datatype.vot": lambda: text_votable().replace(b'datatype="float" ', b""),
    "elsewhere.vot": elsewhere,
    "entity.vot": lambda: text_votable().replace(
        b"?>", b'?><!DOCTYPE VOTABLE [<!ENTITY x SYSTEM "file:///etc/passwd">]>', 1
    ),
    "b1950.vot": lambda: frame_votable("eq_FK4", "B1950"),
    "galactic.vot": lambda: frame_votable("galactic"),
}
