"""The commands of long-running programs: ``mxtvhf gp``, ``listen`` and ``up``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from mxtvhf.cli.arguments import checkout, input_folder, output_folder, seconds
from mxtvhf.settings import read_settings


def gp(
    data: Annotated[
        Path,
        typer.Option(
            parser=input_folder, metavar="FOLDER", help="only folder from which event files may be read"
        ),
    ],
    state: Annotated[
        Path, typer.Option(parser=output_folder, metavar="FOLDER", help="folder of the job database")
    ],
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="port to listen on")] = 8765,
    workers: Annotated[int, typer.Option(min=1, max=256, help="number of concurrent analyses")] = 2,
    delay: Annotated[
        float,
        typer.Option(parser=seconds, metavar="SECONDS", help="delay of every job, to imitate a slow GP"),
    ] = 0.0,
) -> None:
    """Run the reference GP."""
    from mxtvhf.instrument.calibration import calibration_store
    from mxtvhf.simulator.gp import serve

    store = calibration_store(read_settings().calibration)
    serve(host=host, port=port, data=data, state=state, workers=workers, delay=delay, store=store)


def listen(
    verbose: Annotated[bool, typer.Option("--verbose", help="log every message")] = False,
) -> None:
    """Receive notices and packets from the inbox, NATS and GCN, and start their runs."""
    import logging
    import os

    from mxtvhf.intake.listen import listen as work
    from mxtvhf.models.text import LineFormatter
    from mxtvhf.operation.deployment.service_health import ALIVE_FILE
    from mxtvhf.operation.stack.access import airflow_api

    level = logging.DEBUG if verbose else logging.INFO
    formatter = LineFormatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler])
    settings = read_settings()
    heartbeat = os.environ.get(ALIVE_FILE)
    work(settings, airflow_api(settings, settings.intake_user), Path(heartbeat) if heartbeat else None)


def up(
    project: Annotated[
        Path, typer.Option(parser=checkout, metavar="FOLDER", help="checkout with dags/ and plugins/")
    ] = Path(),
    port: Annotated[int, typer.Option(min=1, max=65535, help="port of Airflow's web UI and API")] = 8080,
    gp_port: Annotated[int, typer.Option(min=1, max=65535, help="port of the reference GP")] = 8765,
    burst: Annotated[str, typer.Option(help="burst to simulate")] = "sb26030704",
    seed: Annotated[int, typer.Option(min=0, help="seed of the simulated photons")] = 1,
    demo: Annotated[bool, typer.Option("--demo", help="exit after the report")] = False,
) -> None:
    """Start the embedded stack and process a simulated burst with the DAG."""
    from mxtvhf.operation.stack.demo import run

    raise SystemExit(
        run(
            read_settings(),
            project=project.resolve(),
            port=port,
            gp_port=gp_port,
            burst_id=burst,
            seed=seed,
            demo=demo,
        )
    )
