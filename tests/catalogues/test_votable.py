import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO

import pytest
from astropy.table import Table

from mxtvhf.catalogues.votable import catalogue_table, read_votable, tables_of
from mxtvhf.errors import InvalidInput
from support.catalogues import text_votable, votable

ROW = b"<DATA><TABLEDATA>"
DATA_END = b"</TABLEDATA></DATA>"


def with_data(data):
    whole = text_votable()
    return whole[: whole.index(ROW)] + data + whole[whole.index(DATA_END) + len(DATA_END) :]


def frames(*systems, field="", inside=b""):
    """Return the frame of the first column of a table with these COOSYS elements."""
    raw = text_votable().replace(b"<RESOURCE>", b"<RESOURCE>" + "".join(systems).encode())
    raw = raw.replace(b'name="RAJ2000"', f'name="RAJ2000" ID="x" {field}'.encode())
    raw = raw.replace(b"<TABLE>", b"<TABLE>" + inside)
    document = read_votable(BytesIO(raw))
    ((_, name, table),) = tables_of(document)
    return str(catalogue_table(document, name, table).frames.get("RAJ2000"))


FK4 = '<COOSYS ID="a" system="eq_FK4" equinox="B1950"/>'
ICRS = '<COOSYS ID="b" system="ICRS"/>'


class TestFrames:
    def test_the_only_one(self):
        assert frames(FK4) == "FK4 B1950"
        assert frames() == "None"

    def test_by_reference(self):
        assert frames(FK4, ICRS, field='ref="b"') == "ICRS"
        assert "not specified which" in frames(FK4, ICRS)

    def test_by_group(self):
        assert frames(FK4, ICRS, inside=b'<GROUP ref="a"><FIELDref ref="x"/></GROUP>') == "FK4 B1950"

    def test_by_stc(self):
        utype = b"stc:AstroCoordSystem.SpaceFrame.CoordRefFrame"
        param = b'<PARAM name="f" datatype="char" arraysize="*" value="FK5" utype="' + utype + b'"/>'
        assert frames(inside=b"<GROUP>" + param + b"</GROUP>") == "FK5 J2000"

    def test_unknown(self):
        assert "'xy'" in frames('<COOSYS ID="c" system="xy"/>')


@pytest.fixture
def address():
    asked = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/table"
        server.shutdown()
        thread.join()
    assert asked == []


@pytest.mark.parametrize("kind", ["BINARY", "BINARY2", "FITS"])
@pytest.mark.parametrize("prefix", ["", "v:"])
def test_nothing_is_fetched(address, kind, prefix):
    stream = f'<DATA><{kind}><STREAM {prefix}href="{address}"/></{kind}></DATA>'.encode()
    raw = with_data(stream).replace(b"xmlns=", b'xmlns:v="x" xmlns=')
    with pytest.raises(InvalidInput, match="the table data are external"):
        read_votable(BytesIO(raw))


def test_no_local_file_is_opened(tmp_path):
    Table({"a": [1.0]}).write(tmp_path / "secret.fits")
    stream = f'<DATA><FITS><STREAM href="file://{tmp_path}/secret.fits"/></FITS></DATA>'
    with pytest.raises(InvalidInput, match=r"file://.*not opened"):
        read_votable(BytesIO(with_data(stream.encode())))


@pytest.mark.parametrize("entity", ['SYSTEM "file:///etc/passwd"', '"lol"'])
def test_entities_are_refused(entity):
    doctype = f"?><!DOCTYPE VOTABLE [<!ENTITY x {entity}>]>".encode()
    with pytest.raises(InvalidInput, match="entity x"):
        read_votable(BytesIO(text_votable().replace(b"?>", doctype, 1)))


def test_the_doctype_of_old_votables_is_not_fetched(address):
    doctype = f'?><!DOCTYPE VOTABLE SYSTEM "{address}">'.encode()
    document = read_votable(BytesIO(text_votable().replace(b"?>", doctype, 1)))
    assert len(tables_of(document)) == 1


def test_packed_streams_are_refused():
    out = BytesIO()
    votable(Table({"a": [1.0]})).to_xml(out, tabledata_format="binary")
    raw = out.getvalue().replace(b'encoding="base64"', b'encoding="gzip"')
    with pytest.raises(InvalidInput, match="gzip"):
        read_votable(BytesIO(raw))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'datatype="float" ', b"", "FIELD r90 has no datatype"),
        (b'arraysize="8"', b'arraysize="1"', "line 1.*too long"),
        (b'arraysize="8"', b"", "too long"),
        (b'"float"', b'"int"', "25.3"),
        (b'"float"', b'"real"', "real"),
        (b"</RESOURCE>", b"", "mismatched"),
        (b'name="r90"', b"", "W12"),
        (b"<TR>", b"<TR><TD/>", "columns"),
    ],
)
def test_nothing_is_truncated_silently(old, new, reason):
    with pytest.raises(InvalidInput, match=f"invalid VOTable: .*{reason}"):
        read_votable(BytesIO(text_votable().replace(old, new)))
