"""A real nats-server with JetStream and WebSocket on loopback that can be stopped, killed and restarted."""

import signal
import socket
import subprocess
import time
from pathlib import Path

CONFIGURATION = """
listen: "127.0.0.1:{port}"
jetstream {{ store_dir: "{store}", max_memory_store: 64MB, max_file_store: 512MB }}
websocket {{ listen: "127.0.0.1:{websocket_port}", no_tls: true }}
{extra}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class NatsServer:
    """One server with its own store; ports and store stay over a restart.

    Parameters
    ----------
    folder
        For configuration, store and log.
    extra
        Further lines of configuration, e.g. ``authorization { token: "..." }``.
    """

    def __init__(self, folder: Path, extra: str = "") -> None:
        self.port, self.websocket_port = free_port(), free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self.websocket_url = f"ws://127.0.0.1:{self.websocket_port}"
        self.store = folder / "nats-store"
        self.log = folder / "nats.log"
        self._configuration = folder / "nats.conf"
        self._configuration.write_text(
            CONFIGURATION.format(
                port=self.port, websocket_port=self.websocket_port, store=self.store, extra=extra
            )
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_error):
        self.stop()

    def start(self) -> None:
        """Start the server with its existing store and wait until it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["nats-server", "-c", str(self._configuration)], stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + 30
        while not (self._answers(self.port) and self._answers(self.websocket_port)):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nats-server does not start:\n{self.log.read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server regularly."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the server (SIGKILL), like a crash."""
        self._end(signal.SIGKILL)

    def _end(self, number) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(20)
            self._process = None

    @staticmethod
    def _answers(port) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return True
        except OSError:
            return False
