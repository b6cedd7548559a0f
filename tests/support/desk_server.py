"""The pages of the desk without Airflow: a server that shows one page and takes answers."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files

from support.desk import BURST

STATIC = files("mxtvhf.desk") / "static"


class Desk(BaseHTTPRequestHandler):
    """Serves the page that its server holds, the desk's scripts, and takes answers."""

    def do_GET(self):
        path = self.path.removeprefix("/air/mxtvhf/desk/")
        if path.startswith("static/"):
            name = path.removeprefix("static/")
            kind = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}[name.rsplit(".")[-1]]
            self.answer(200, (STATIC / name).read_bytes(), kind)
        elif path == BURST:
            self.answer(200, self.server.page.encode(), "text/html; charset=utf-8")
        else:
            self.answer(404, b"", "text/plain")

    def do_PATCH(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.answers.append((self.path, json.loads(body)))
        detail = json.dumps({"detail": self.server.detail} if self.server.detail else {})
        self.answer(self.server.status, detail.encode(), "application/json")

    do_POST = do_PATCH  # noqa: N815  # of http.server

    def answer(self, status, body, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Keep the test's output clean."""


@contextmanager
def desk_server() -> Iterator[ThreadingHTTPServer]:
    """Serve a page of the desk on a free port: ``page`` is its HTML, ``answers`` what was sent to it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Desk) as server:
        server.page, server.answers, server.status, server.detail = "", [], 200, None
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
