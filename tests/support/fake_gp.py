"""A GP that misbehaves on demand: a real HTTP server on a loopback port."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PROCESS_ID = "gp-17"
RESULT = {"ra_deg": 252.6053, "dec_deg": 36.7647, "r90_stat_arcsec": 40.0, "r90_sys_arcsec": 30.0}


def descriptor(state: str, message: str | None = None, process_id: str = PROCESS_ID) -> dict[str, Any]:
    return {"processing_descriptor": {"process_id": process_id, "state": state, "message": message}}


COMPLETED = descriptor("COMPLETED") | {"result": RESULT}
NOTHING = descriptor("COMPLETED", "TS 12 is below 25") | {"result": None}
JSON_HEADERS = {"Content-Type": "application/json"}

BAD_RA = COMPLETED | {"result": RESULT | {"ra_deg": 400}}
NAN_DEC = COMPLETED | {"result": RESULT | {"dec_deg": float("nan")}}
ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "pending": (200, JSON_HEADERS, json.dumps(descriptor("PENDING")).encode()),
    "running": (200, JSON_HEADERS, json.dumps(descriptor("RUNNING")).encode()),
    "completed": (200, JSON_HEADERS, json.dumps(COMPLETED).encode()),
    "nothing": (200, JSON_HEADERS, json.dumps(NOTHING).encode()),
    "failed": (200, JSON_HEADERS, json.dumps(descriptor("FAILED", "no source found")).encode()),
    "408": (408, {"Content-Type": "text/plain"}, b""),
    "500": (500, {"Content-Type": "text/plain"}, b"oops"),
    "502": (502, {"Content-Type": "text/html"}, b"<h1>Bad Gateway</h1>"),
    "504": (504, {"Content-Type": "text/html"}, b"<h1>Gateway Timeout</h1>"),
    "507": (507, JSON_HEADERS, b'{"detail": "disk full"}'),
    "503": (503, {"Retry-After": "1"}, b""),
    "429": (429, {"Retry-After": "1"}, b""),
    "400": (400, JSON_HEADERS, b'{"detail": "no such target"}'),
    "401": (401, JSON_HEADERS, b'{"detail": "who are you?"}'),
    "404": (404, JSON_HEADERS, b'{"detail": "no such process id"}'),
    "html": (200, {"Content-Type": "text/html"}, b"<html>Welcome</html>"),
    "empty": (200, JSON_HEADERS, b""),
    "null": (200, JSON_HEADERS, b"null"),
    "list": (200, JSON_HEADERS, b"[]"),
    "nested": (200, JSON_HEADERS, b"[" * 100_000),
    "truncated": (200, JSON_HEADERS, json.dumps(COMPLETED).encode()[:40]),
    "huge": (200, JSON_HEADERS, b'{"a": "' + b"x" * 3_000_000 + b'"}'),
    "types": (200, JSON_HEADERS, b'{"processing_descriptor": {"process_id": ["a"], "state": 3}}'),
    "gzip": (200, JSON_HEADERS | {"Content-Encoding": "gzip"}, b"\x1f\x8b\x08\x00junk"),
    "redirect": (302, {"Location": "/processing"}, b""),
    "word": (200, JSON_HEADERS, json.dumps(descriptor("DREAMING")).encode()),
    "other job": (200, JSON_HEADERS, json.dumps(descriptor("RUNNING", process_id="gp-18")).encode()),
    "no result": (200, JSON_HEADERS, json.dumps(descriptor("COMPLETED")).encode()),
    "bad position": (200, JSON_HEADERS, json.dumps(BAD_RA).encode()),
    "nan": (200, JSON_HEADERS, json.dumps(NAN_DEC).encode()),
}
"""Answers that are sent whole; besides there are the modes ``slow``, ``dribble`` and ``hang up``."""


class FakeGp(ThreadingHTTPServer):
    """Answers each POST with ``start`` and each GET with the next of ``states`` (the last one for ever)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.start = "running"
        self.states = ["completed"]
        self.posts: list[dict[str, Any]] = []
        self._arrived = threading.Condition()
        self.polls: list[float] = []
        self.authorization: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def note_post(self, body: dict[str, Any]) -> None:
        with self._arrived:
            self.posts.append(body)
            self._arrived.notify_all()

    def posts_once_there_are(self, count: int) -> list[dict[str, Any]]:
        """Return the posts; a client that gave up early is ahead of the thread that reads its request."""
        with self._arrived:
            self._arrived.wait_for(lambda: len(self.posts) >= count, timeout=60.0)
            return list(self.posts)

    def next_state(self) -> str:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeGp

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.note_post(json.loads(body))
        self._answer(self.server.start)

    def do_GET(self) -> None:
        self.server.polls.append(time.monotonic())
        self.server.authorization.append(self.headers.get("Authorization"))
        self._answer(self.server.next_state())

    def _answer(self, mode: str) -> None:
        self.close_connection = True
        if mode == "hang up":
            return
        if mode == "slow":
            time.sleep(1.0)
            return
        if mode == "dribble":
            self._dribble()
            return
        status, headers, body = ANSWERS[mode]
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body)), "Connection": "close"}).items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:  # who asked does not want more of it
            return

    def _dribble(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        for _ in range(100):
            try:
                self.wfile.write(b" ")
            except OSError:
                return
            time.sleep(0.05)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def running_fake_gp() -> Iterator[FakeGp]:
    with FakeGp() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
