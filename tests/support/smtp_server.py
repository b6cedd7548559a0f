"""A real SMTP server on loopback (the parts of RFC 5321 that a client needs) that stores messages."""

import socketserver
import threading
from email import message_from_bytes, policy


class _Handler(socketserver.StreamRequestHandler):
    def handle(self):
        self.answer("220 test ready")
        while line := self.rfile.readline().strip().upper():
            if line.startswith(b"EHLO"):
                self.answer("250 test")
            elif line == b"DATA":
                self.answer("354 go on")
                self.server.got.append(self.content())
                self.answer("250 taken")
            elif line == b"QUIT":
                self.answer("221 bye")
                return
            else:
                self.answer("250 ok")

    def content(self):
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return message_from_bytes(b"".join(lines), policy=policy.default)

    def answer(self, text):
        self.wfile.write(f"{text}\r\n".encode())


class SmtpServer(socketserver.ThreadingTCPServer):
    """``got`` has the messages, as parsed by the standard library."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got = []
        self.url = f"mailto://127.0.0.1:{self.server_address[1]}?from=vhf@example.org&to=ada@example.org"

    def __enter__(self):
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *error):
        self.shutdown()
        self._thread.join()
        self.server_close()
