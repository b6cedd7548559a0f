import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from urllib.parse import parse_qs, urlsplit

import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from mxtvhf.catalogues.cone_search import RemoteService, ask_remote, remote_services
from mxtvhf.errors import InvalidInput

PLACE = 256.5638, -43.0357
HTML = b"<html><head><title>Maintenance</title></head><body>Back soon.</body></html>"


def votable(count=2, *, units=True, errors=None):
    table = Table({"id": [f"S{i}" for i in range(count)]})
    table["ra"] = [PLACE[0] + 0.001 * i for i in range(count)]
    table["dec"] = [PLACE[1]] * count
    table["err"] = errors or [2.0] * count
    if units:
        table["ra"].unit = table["dec"].unit = u.deg
        table["err"].unit = u.arcsec
    out = BytesIO()
    table.write(out, format="votable")
    return out.getvalue()


def failed(text="Query failed"):
    info = f'<INFO name="QUERY_STATUS" value="ERROR">{text}</INFO>'
    return f'<?xml version="1.0"?><VOTABLE version="1.3"><RESOURCE>{info}</RESOURCE></VOTABLE>'.encode()


class ConeSearch(BaseHTTPRequestHandler):
    """Server whose behaviour depends on the requested path."""

    def do_GET(self):
        url = urlsplit(self.path)
        self.server.asked.append(parse_qs(url.query))
        kind = url.path.strip("/")
        if kind == "redirect":
            self.send_response(302)
            self.send_header("Location", f"/good?{url.query}")
            self.end_headers()
        elif kind == "elsewhere":
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.server.server_port}/good?{url.query}")
            self.end_headers()
        elif kind == "loop":
            self.send_response(302)
            self.send_header("Location", "/loop")
            self.end_headers()
        elif kind == "silent":
            self.server.over.wait()
        elif kind == "endless":
            self.send_response(200)
            self.end_headers()
            self.trickle()
        else:
            self.send(500 if kind == "broken" else 200, self.server.bodies[kind])

    def trickle(self):
        try:
            while not self.server.over.wait(0.05):
                self.wfile.write(b"<!-- -->")
        except OSError:
            return

    def send(self, status, body):
        self.send_response(status)
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            return

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def bodies():
    whole = votable()
    return {
        "good": whole,
        "none": votable(0),
        "html": HTML,
        "empty": b"",
        "broken": whole,
        "cut": whole[: len(whole) // 2],
        "failed": failed(),
        "no-table": b'<?xml version="1.0"?><VOTABLE version="1.3"><RESOURCE/></VOTABLE>',
        "other-columns": whole.replace(b'name="ra"', b'name="glon"'),
        "nonsense": whole.replace(b'unit="deg"', b'unit="kg"'),
        "unitless": votable(units=False),
        "million": whole + b"<!-- a million rows -->" * 400_000,
        "binary": bytes(range(256)) * 100,
        "overflow": failed("the first 100 rows").replace(b'"ERROR"', b'"OVERFLOW"'),
        "two-tables": whole.replace(
            b"</RESOURCE>", whole[whole.index(b"<TABLE>") :].partition(b"</VOTABLE>")[0]
        ),
        "stream": whole[: whole.index(b"<TABLEDATA>")]
        + b'<BINARY><STREAM href="file:///etc/passwd"/></BINARY>'
        + whole[whole.index(b"</DATA>") :],
        "fk4": whole.replace(b"<RESOURCE", b'<COOSYS ID="C" system="eq_FK4" equinox="B1950"/><RESOURCE', 1),
        "odd-frame": whole.replace(b"<RESOURCE", b'<COOSYS ID="C" system="xy"/><RESOURCE', 1),
        "rows-without-error": votable(errors=[2.0, -999.0]),
    }


@pytest.fixture
def server(bodies):
    with ThreadingHTTPServer(("127.0.0.1", 0), ConeSearch) as server:
        server.daemon_threads = True
        server.asked, server.over, server.bodies = [], threading.Event(), bodies
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


def service(server, kind, **changes):
    values = {
        "name": kind,
        "url": f"http://127.0.0.1:{server.server_port}/{kind}",
        "columns": {"name": "id", "error": "err"},
        "units": {},
        "error_kind": "r90",
        "largest_r90_arcsec": 30.0,
        "density_per_deg2": 2.0,
        "reference": "A test",
        "tried": True,
    }
    return RemoteService(**{**values, **changes})


@pytest.mark.parametrize("kind", ["good", "redirect"])
def test_a_valid_answer(server, kind):
    (answer,) = ask_remote(*PLACE, 1.0, [service(server, kind)], 60.0)
    assert answer.checked, answer.reason
    # The second source is 2.6 arcsec away and has an error of 2 arcsec.
    assert [source.name for source in answer.sources] == ["S0", "S1"]
    assert answer.sources[0].r90_arcsec == 2.0
    assert answer.density_per_deg2 == pytest.approx(2 / 0.19635, rel=1e-3)
    assert server.asked[0]["RA"] == ["256.563800"]
    assert server.asked[0]["SR"] == ["0.250000"]


def test_farther_sources_are_excluded(server):
    (answer,) = ask_remote(*PLACE, 0.1, [service(server, "good")], 60.0)
    assert [source.name for source in answer.sources] == ["S0"]


def test_an_empty_result_is_a_valid_answer(server):
    (answer,) = ask_remote(*PLACE, 10.0, [service(server, "none")], 60.0)
    assert (answer.checked, answer.sources, answer.density_per_deg2) == (True, (), 2.0)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("html", "not a VOTable"),
        ("empty", "not a VOTable"),
        ("binary", "not a VOTable"),
        ("broken", "500"),
        ("cut", "VOTable"),
        ("failed", "Query failed"),
        ("no-table", "no table"),
        ("other-columns", "no column for ra"),
        ("nonsense", "unit kg"),
        ("unitless", "no unit"),
        ("million", "bytes"),
        ("loop", "redirects"),
        ("elsewhere", "redirected to http://localhost"),
        ("overflow", "beyond its limit"),
        ("two-tables", "has 2"),
        ("stream", "file:///etc/passwd"),
        ("odd-frame", "'xy'"),
    ],
)
def test_a_catalogue_without_a_valid_answer_is_not_checked(server, kind, reason):
    (answer,) = ask_remote(*PLACE, 10.0, [service(server, kind)], 60.0)
    assert not answer.checked
    assert reason in answer.reason
    assert (answer.sources, answer.density_per_deg2) == ((), None)


def test_the_frame_of_an_answer(server):
    (answer,) = ask_remote(*PLACE, 3600.0, [service(server, "fk4")], 60.0)
    assert answer.checked, answer.reason
    place = SkyCoord(*PLACE, unit="deg", frame="fk4").icrs
    assert answer.sources[0].ra_deg == pytest.approx(place.ra.deg)
    assert answer.sources[0].dec_deg == pytest.approx(place.dec.deg)


def test_unusable_rows_are_not_checked(server):
    (answer,) = ask_remote(*PLACE, 10.0, [service(server, "rows-without-error")], 60.0)
    assert (answer.checked, answer.unusable_here, answer.is_complete) == (True, 1, False)
    assert answer.gap == "1 row here without a usable position error"


def test_units_of_the_service_fill_in(server):
    known = service(server, "unitless", units={"ra": "deg", "dec": "deg", "error": "arcmin"})
    (answer,) = ask_remote(*PLACE, 10.0, [known], 60.0)
    assert answer.sources[0].r90_arcsec == 120.0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["silent", "endless"])
def test_an_answer_that_never_ends_is_abandoned(server, kind):
    # The service in the middle is a port without a listener.
    nobody = service(server, "nobody", url="http://127.0.0.1:9/")
    slow, gone, good = ask_remote(*PLACE, 10.0, [service(server, kind), nobody, service(server, "good")], 5.0)
    assert not slow.checked
    assert "5 s" in slow.reason or "not end" in slow.reason or "timed out" in slow.reason
    assert not gone.checked
    assert good.catalogue == "good"


def test_services_by_name():
    first, second = remote_services(["erass1", "4xmm"])
    assert (first.name, second.name) == ("erass1", "4xmm")
    with pytest.raises(InvalidInput, match=r"found .nobody., expected names of"):
        remote_services(["nobody"])


def test_all_services_of_the_package_are_valid():
    names = ["4xmm", "erass1", "2sxps", "2rxs", "csc2", "xmmslew", "simbad"]
    for one in remote_services(names):
        assert one.url.startswith("https://")
        assert "error" in one.columns or one.default_r90_arcsec is not None
