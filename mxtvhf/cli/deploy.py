"""The commands ``service``, ``config check`` and ``cluster``, which use one configuration file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mxtvhf.cli.arguments import checkout, input_file, output_folder
from mxtvhf.operation.deployment.service import Service

CONFIG = Path("/etc/mxtvhf/mxtvhf.toml")


Config = Annotated[
    Path, typer.Option(parser=input_file, metavar="FILE", help="mxtvhf.toml of the installation")
]
Instance = Annotated[str | None, typer.Option(help="name of this worker; default: host name")]

config_app = typer.Typer(no_args_is_help=True, help="The configuration file of an installation.")


def service(
    name: Annotated[Service, typer.Argument(help="name of the service")],
    config: Config = CONFIG,
    instance: Instance = None,
) -> None:
    """Check the configuration file and run a service of the installation (docs/how-to/deploy.md)."""
    from mxtvhf.operation.deployment.configuration import read_deployment
    from mxtvhf.operation.deployment.services import run_service

    run_service(name, read_deployment(config), instance=instance)


@config_app.command()
def check(
    file: Annotated[Path, typer.Argument(parser=input_file, metavar="FILE", help="mxtvhf.toml")] = CONFIG,
) -> None:
    """Check a configuration file and the secret files that it names, and list all faults."""
    from mxtvhf.operation.deployment.configuration import read_deployment, warnings_of

    deployment = read_deployment(file)
    if deployment.notification is not None:
        from mxtvhf.notification.check import check_policy

        check_policy(deployment.notification)
    for line in warnings_of(deployment):
        print(f"{file}: warning: {line}", file=sys.stderr)
    print(f"{file}: valid; Airflow at {deployment.airflow.public_url}, state in {deployment.home}")


def cluster(
    project: Annotated[
        Path, typer.Option(parser=checkout, metavar="FOLDER", help="checkout with dags/ and plugins/")
    ] = Path(),
    folder: Annotated[
        Path,
        typer.Option(
            parser=output_folder,
            metavar="FOLDER",
            help="folder of its state, secrets and mxtvhf.toml, which the first start creates",
        ),
    ] = Path("var/cluster"),
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="port of Airflow, for a new mxtvhf.toml")
    ] = 8080,
    workers: Annotated[int, typer.Option(min=1, max=1000, help="number of Celery workers")] = 2,
) -> None:
    """Run an installation with Celery workers, Redis and NATS on this machine until Ctrl-C."""
    from mxtvhf.operation.deployment.cluster import run

    raise SystemExit(run(folder, project=project.resolve(), port=port, workers=workers))
