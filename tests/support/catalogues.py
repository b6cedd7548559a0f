"""Small catalogues: written, added and asked."""

from astropy.io.votable import from_table

from mxtvhf.catalogues.columns import Choice
from mxtvhf.catalogues.ingest import add_catalogue
from mxtvhf.catalogues.store import CatalogueStore


def write_csv(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def ask(store, *cone, catalogue, **options):
    (answer,) = store.cone(*cone, catalogue=catalogue, **options)
    return answer


def added(tmp_path, table, *, confirmed=False, **choice):
    table.write(tmp_path / "table.fits", overwrite=True)
    version = add_catalogue(
        tmp_path / "store", tmp_path / "table.fits", "made", Choice(**choice), confirmed=confirmed
    )
    return version, CatalogueStore(tmp_path / "store")


def votable(table, **units):
    """A table as a VOTable document, the columns with units."""
    for name, unit in units.items():
        table[name].unit = unit
    return from_table(table)


def text_votable():
    """One source in a VOTable of text, the bytes."""
    head = b'<?xml version="1.0"?><VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
    fields = (
        b'<FIELD name="name" datatype="char" arraysize="8" ucd="meta.id;meta.main"/>'
        b'<FIELD name="RAJ2000" datatype="double" unit="deg" ucd="pos.eq.ra;meta.main"/>'
        b'<FIELD name="DEJ2000" datatype="double" unit="deg" ucd="pos.eq.dec;meta.main"/>'
        b'<FIELD name="r90" datatype="float" unit="arcsec"/>'
    )
    row = b"<TR><TD>S1</TD><TD>10.5</TD><TD>-20.25</TD><TD>25.3</TD></TR>"
    data = b"<DATA><TABLEDATA>" + row + b"</TABLEDATA></DATA>"
    return head + b"<RESOURCE><TABLE>" + fields + data + b"</TABLE></RESOURCE></VOTABLE>"
