"""The commands ``service``, ``config check``, ``cluster``: all from one file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mxtvhf.cli.arguments import checkout, input_file, output_folder
from mxtvhf.operation.deployment.service import Service

CONFIG = Path("/etc/mxtvhf/mxtvhf.toml")


Config = Annotated[
    Path, typer.Option(parser=input_file, metavar="FILE", help="the installation's mxtvhf.toml")
]
Instance = Annotated[str | None, typer.Option(help="name of this worker; by default the host's")]

config_app = typer.Typer(no_args_is_help=True, help="The configuration file of an installation.")


def service(
    name: Annotated[Service, typer.Argument(help="which one")],
    config: Config = CONFIG,
    instance: Instance = None,
) -> None:
    """Check the configuration file and become a service of the installation (docs/how-to/deploy.md)."""
    from mxtvhf.operation.deployment.configuration import read_deployment
    from mxtvhf.operation.deployment.services import run_service

    run_service(name, read_deployment(config), instance=instance)


@config_app.command()
def check(
    file: Annotated[Path, typer.Argument(parser=input_file, metavar="FILE", help="mxtvhf.toml")] = CONFIG,
) -> None:
    """Check a configuration file and the secrets that it names; tell all that is wrong."""
    from mxtvhf.operation.deployment.configuration import read_deployment, warnings_of

    deployment = read_deployment(file)
    if deployment.notification is not None:
        from mxtvhf.notification.check import check_policy

        check_policy(deployment.notification)
    for line in warnings_of(deployment):
        print(f"{file}: warning: {line}", file=sys.stderr)
    print(f"{file}: good; Airflow at {deployment.airflow.public_url}, state in {deployment.home}")


def cluster(
    project: Annotated[
        Path, typer.Option(parser=checkout, metavar="FOLDER", help="checkout with dags/ and plugins/")
    ] = Path(),
    folder: Annotated[
        Path,
        typer.Option(
            parser=output_folder,
            metavar="FOLDER",
            help="of its mxtvhf.toml, made at the first start, secrets and state",
        ),
    ] = Path("var/cluster"),
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="port of Airflow, for a new mxtvhf.toml")
    ] = 8080,
    workers: Annotated[int, typer.Option(min=1, max=1000, help="number of Celery workers")] = 2,
) -> None:
    """Start an installation on this machine, with Celery workers, Redis and NATS, until Ctrl-C."""
    from mxtvhf.operation.deployment.cluster import run

    raise SystemExit(run(folder, project=project.resolve(), port=port, workers=workers))
