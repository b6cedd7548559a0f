"""An HTTPS server on loopback that answers everything with the health of a healthy Airflow."""

import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"status": "healthy"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Keep the test's output clean."""


class QuietServer(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """Ignore clients that reject the certificate and close the connection."""


@contextmanager
def https_server(certificate, key):
    """Run the server with a certificate, and yield its port and the context for another certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with QuietServer(("127.0.0.1", 0), Healthy) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, context
        finally:
            server.shutdown()
            thread.join()
