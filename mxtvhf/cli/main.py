"""The command ``mxtvhf``: its groups of commands, and how it ends.

Errors are one line on stderr that names the input and the cause (of a configuration file one for each
cause); exit status 2 for bad input, 1 for a failure.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mxtvhf import __version__
from mxtvhf.cli import announce, catalogue, deploy, maintenance, messages, replay, runs, science, services
from mxtvhf.cli.extras import missing_extra
from mxtvhf.errors import InvalidInput, MxtVhfError, NothingToDo

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="From the VHF photons of SVOM/MXT to a position and a report for the Burst Advocate.",
)


def main() -> None:
    """Run the command line; turn errors into one line and an exit status."""
    try:
        app()
    except NothingToDo as reason:
        print(f"nothing to do: {reason}")
    except InvalidInput as error:
        _fail(error, 2)
    except (MxtVhfError, OSError) as error:
        _fail(error, 1)
    except ModuleNotFoundError as error:
        if (advice := missing_extra(error)) is None:
            raise
        _fail(advice, 1)


def _fail(error: object, status: int) -> None:
    for line in str(error).splitlines():
        print(f"mxtvhf: {line}", file=sys.stderr)
    raise SystemExit(status)


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None: ...


for command in (
    science.simulate,
    science.process,
    science.localise,
    science.analyse,
    science.crosscheck,
    science.calibration,
    services.gp,
    runs.start,
    runs.info,
    replay.replay,
    announce.announce,
    maintenance.backup,
    maintenance.restore,
    maintenance.retention,
    maintenance.health,
    deploy.service,
    deploy.service_health,
    deploy.cluster,
    services.listen,
    messages.log_queue,
    services.up,
):
    app.command()(command)
app.add_typer(catalogue.app, name="catalogue")
app.add_typer(deploy.config_app, name="config")
