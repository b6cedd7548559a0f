"""Airflow's own metrics, enabled by our settings, with real receivers."""

import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mxtvhf.operation.stack.airflow_config import metrics_environment
from mxtvhf.operation.stack.processes import wait_until

pytestmark = pytest.mark.integration


def test_the_stack_sends_its_metrics_to_statsd(stack, statsd):
    names = set()

    def scheduler_beats():
        # All that came meanwhile, since a full socket drops what comes next.
        while "scheduler_heartbeat" not in names:
            try:
                line = statsd.recv(65_536).decode()
            except TimeoutError:
                return False
            match = re.fullmatch(r"airflow\.([^:]+):[0-9.+-]+\|(c|g|ms)(\|#.*)?", line)
            assert match, line
            names.add(match[1])
        return True

    wait_until(scheduler_beats, what="scheduler_heartbeat", timeout=120)


class Collector(BaseHTTPRequestHandler):
    """Keeps what is posted to it."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, self.headers["Content-Type"], body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        """Keep the test's output clean."""


COUNT = """
from airflow._shared.observability.metrics import stats
from airflow.observability.metrics import stats_utils
stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)
stats.incr("scheduler_heartbeat")
"""


def test_metrics_reach_an_opentelemetry_collector(tmp_path):
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        server.got = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        settings = metrics_environment(None, f"http://127.0.0.1:{server.server_port}")
        environment = {**os.environ, **settings, "AIRFLOW_HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"}
        try:
            subprocess.run([sys.executable, "-c", COUNT], env=environment, check=True, capture_output=True)
        finally:
            server.shutdown()
            thread.join()
    assert any(
        (path, kind) == ("/v1/metrics", "application/x-protobuf") and b"scheduler_heartbeat" in body
        for path, kind, body in server.got
    )
