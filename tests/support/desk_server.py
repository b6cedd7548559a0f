"""The desk's pages, scripts and products over HTTP on loopback, without Airflow."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

from mxtvhf.desk.policy import HEADERS

BASE = "/air/mxtvhf/"
STATIC = files("mxtvhf.desk") / "static"
KINDS = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml", "png": "image/png"}


class DeskServer(ThreadingHTTPServer):
    """Serves pages by their path below the base, files of run folders, and takes answers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages: dict[str, str] = {}
        """Path -> HTML."""
        self.products: Path | None = None
        """Folder with the folders of the runs."""
        self.answers: list[tuple[str, object]] = []
        """What was sent: path and JSON."""
        self.status = 200
        """Of the answer to what is sent, ..."""
        self.body: object = {}
        """... and its JSON."""


class _Handler(BaseHTTPRequestHandler):
    server: DeskServer

    def do_GET(self) -> None:
        path = self.path.split("?")[0].removeprefix(BASE)
        if path in self.server.pages:
            return self.answer(200, self.server.pages[path].encode(), "text/html; charset=utf-8")
        if path.startswith("desk/static/"):
            name = path.removeprefix("desk/static/")
            return self.answer(200, (STATIC / name).read_bytes(), KINDS[name.rsplit(".")[-1]])
        product = self.server.products / path.removeprefix("runs/") if self.server.products else None
        if product is not None and product.is_file():
            kind = KINDS.get(product.suffix[1:], "application/octet-stream")
            return self.answer(200, product.read_bytes(), kind)
        return self.answer(404, b"", "text/plain")

    def do_PATCH(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.answers.append((self.path, json.loads(body)))
        self.answer(self.server.status, json.dumps(self.server.body).encode(), "application/json")

    do_POST = do_PATCH  # noqa: N815  the name that http.server calls

    def answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        # As in production: a style or script in a page would not count.
        self.send_header("Content-Security-Policy", HEADERS["Content-Security-Policy"])
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Keep the test's output clean."""


@contextmanager
def desk_server() -> Iterator[DeskServer]:
    """Run a server."""
    with DeskServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
