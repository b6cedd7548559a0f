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
    """Serve until SIGTERM or SIGINT; then running analyses end, and waiting jobs wait for the next start.

    Parameters
    ----------
    host, port
        Where to listen.
    data, state, workers, delay
        As ``create_app``.
    store
        The calibration files, as they are now; by default those of the package.

    Raises
    ------
    InvalidInput
        ``data`` is no folder.
    Failure
        The port is in use, or the state folder is.
    """
    if not data.is_dir():
        raise InvalidInput(f"GP data folder {data}: no such folder")
    listener = _listen(host, port)
    localise = partial(localise_events, store=store)
    app = create_app(data, state, workers=workers, delay=delay, localise=localise)
    # The first analysis should not wait for astropy and scipy.
    import mxtvhf.workflow.steps.vhf_localisation  # noqa: F401

    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=5, server_header=False)
    uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    """Take the port, or say why it cannot be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        # create_server adds its own words after the system's.
        cause = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise Failure(f"GP service cannot listen on {host}:{port}: {cause}") from None
