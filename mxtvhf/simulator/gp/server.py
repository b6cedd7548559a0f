"""Run the reference GP as a process."""

from __future__ import annotations

import os
import socket
from functools import partial
from pathlib import Path

import uvicorn

from mxtvhf.errors import Failure, InvalidInput
from mxtvhf.instrument.calibration import CalibrationStore
from mxtvhf.simulator.gp.analysis import localise_events
from mxtvhf.simulator.gp.app import create_app


def serve(
    *,
    host: str,
    port: int,
    data: Path,
    state: Path,
    workers: int = 2,
    delay: float = 0.0,
    store: CalibrationStore | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish running analyses; queued jobs wait for the next start.

    Parameters
    ----------
    host, port
        Address to listen on.
    data, state, workers, delay
        Same as for ``create_app``.
    store
        Calibration store; by default that of the package.

    Raises
    ------
    InvalidInput
        ``data`` is not a folder.
    Failure
        The port or the state folder is in use.
    """
    if not data.is_dir():
        raise InvalidInput(f"GP data folder {data}: no such folder")
    listener = _listen(host, port)
    localise = partial(localise_events, store=store)
    app = create_app(data, state, workers=workers, delay=delay, localise=localise)
    # Imported here so that the first analysis does not wait for astropy and scipy.
    import mxtvhf.workflow.steps.vhf_localisation  # noqa: F401

    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=5, server_header=False)
    uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    """Open the port, or raise an error with the reason."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        # create_server appends its own text to that of the system.
        cause = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise Failure(f"GP service cannot listen on {host}:{port}: {cause}") from None
