"""A real server instead of Mattermost or Slack that stores requests and can misbehave."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "T0000/B0000/s3cr3tpath"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, json.loads(body)))
        self.server.headers = self.headers
        if not self.server.on_request():
            return
        status = self.server.status
        if self.server.then is not None:
            # Before the answer is sent: the client's next request may arrive at once.
            self.server.status, self.server.then = self.server.then, None
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        if self.server.kind is not None:
            self.send_header("Content-Type", self.server.kind)
        if self.server.endless:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", "0")
        self.end_headers()
        while self.server.endless:
            try:
                self.wfile.write(b"1\r\nx\r\n")
            except OSError:
                return

    def log_message(self, *args):
        """Keep the test's output clean."""


class WebhookServer(ThreadingHTTPServer):
    """Answers with ``status``, later with ``then``, unless ``on_request`` says that it is not to answer.

    The answer is of the media type ``kind``, and may be ``endless``.
    """

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got, self.status, self.on_request = [], 200, lambda: True
        self.headers = {}
        self.kind, self.then, self.endless = None, None, False
        self.url_file = folder / "webhook"
        self.url_file.write_text(f"http://127.0.0.1:{self.server_port}/hooks/{SECRET}\n")

    def __enter__(self):
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *error):
        self.shutdown()
        self._thread.join()
        self.server_close()

    @property
    def texts(self):
        return [body["text"] for _, body in self.got]
