"""The command ``mxtvhf`` with its groups of commands, its error messages and its exit statuses.

An error is one line on stderr that names the input and the cause (for a configuration file one line per
fault). The exit status is 2 for bad input or wrong usage, 1 for a failure and 130 after Ctrl-C.
"""

from __future__ import annotations

import io
import os
import re
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from mxtvhf import __version__
from mxtvhf.cli import (
    announce,
    catalogue,
    deploy,
    duty,
    followup,
    maintenance,
    messages,
    replay,
    runs,
    science,
    services,
)
from mxtvhf.cli.arguments import input_file
from mxtvhf.cli.extras import missing_extra
from mxtvhf.errors import Failure, InvalidInput, MxtVhfError, NothingToDo, SeveralFaults
from mxtvhf.models.text import escaped, one_line

app = typer.Typer(
    name="mxtvhf",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="From the VHF photons of SVOM/MXT to a position and a report for the Burst Advocate.",
)

OWN_CONFIG = ("service", "config", "cluster")
"""Commands that read their configuration file themselves, because only some services may read its secrets."""
OF_AN_INSTALLATION = (
    "start", "info", "replay", "log-queue", "announce", "catalogue", "followup",
    "health", "backup", "restore", "retention", "listen", "duty",
)  # fmt: skip
"""Commands that by default work on the installation of this machine."""
STATE = "MXTVHF_STATE"
INTERRUPTED = 130
"""Exit status after Ctrl-C, 128 + SIGINT as in shells."""


def main() -> None:
    """Run the command line and turn errors into one line and an exit status."""
    _show_anything()
    try:
        _check_working_folder()
        try:
            status = app(prog_name="mxtvhf", standalone_mode=False)
        finally:
            _flush()
    except NothingToDo as reason:
        print(f"nothing to do: {escaped(reason)}")
    except typer.TyperException as error:
        _fail_of_usage(error)
    except SeveralFaults as error:
        *lines, last = str(error).splitlines()
        for line in lines:
            print(f"mxtvhf: {escaped(line)}", file=sys.stderr)
        _fail(last, 2)
    except InvalidInput as error:
        _fail(error, 2)
    except MxtVhfError as error:
        _fail(error, 1)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted", INTERRUPTED)
    except OSError as error:
        _fail(_os_error_text(error), 1)
    except MemoryError:
        _fail("not enough memory", 1)
    except ModuleNotFoundError as error:
        _fail(missing_extra(error) or _defect(error), 1)
    except Exception as error:
        _fail(_defect(error), 1)
    else:
        if status == INTERRUPTED:  # Typer's exit status after Ctrl-C
            _fail("interrupted", INTERRUPTED)
        raise SystemExit(status)


def _fail(text: object, status: int, *, command: str = "mxtvhf") -> NoReturn:
    print(f"{command}: {escaped(text)}", file=sys.stderr)
    raise SystemExit(status)


def _show_anything() -> None:
    """Escape characters that the output cannot show, for example in file names that are not UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _check_working_folder() -> None:
    try:
        os.getcwd()
    except OSError as error:
        raise Failure(
            f"the working folder cannot be used ({error.strerror}); change to another folder"
        ) from None


def _flush() -> None:
    """Flush the output. After a failure, keep Python from flushing it again at its end."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # the reader has closed the pipe, e.g. `head`
            raise SystemExit(1) from None
        raise type(error)(error.errno, error.strerror, "standard output") from None


def _fail_of_usage(error: typer.TyperException) -> NoReturn:
    """Report wrong arguments in one line; Typer's own message is a box of five lines."""
    message = one_line(error.format_message()).rstrip(".")
    if not message:  # without arguments Typer has printed the help
        raise SystemExit(error.exit_code)
    message = re.sub(r"Input should be (.*?)(, unable to parse .*)?$", r"expected \1", message)
    message = message.replace("Value error, ", "")
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "mxtvhf"
    text = f"{message[:1].lower()}{message[1:]}; see {command} --help"
    _fail(text, error.exit_code, command=command)


def _os_error_text(error: OSError) -> str:
    """Return the file and the cause of an error without its number."""
    where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else None
    return ": ".join(filter(None, (where, error.strerror))) or str(error)


def _defect(error: Exception) -> str:
    """Write the traceback of a defect of this program to a file, and return a message that names the file."""
    with tempfile.NamedTemporaryFile("w", prefix="mxtvhf-", suffix=".txt", delete=False) as file:
        traceback.print_exception(error, file=file)
    what = one_line(f"{type(error).__name__}: {error}", 300)
    return f"internal error: {what}; please report it with {file.name}"


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version and exit")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            envvar="MXTVHF_CONFIG",
            parser=input_file,
            metavar="FILE",
            help="mxtvhf.toml of the installation, with its state folder, database and Airflow; default "
            f"without {STATE}: {deploy.CONFIG}, if it exists",
        ),
    ] = None,
) -> None:
    if config is None and context.invoked_subcommand in OF_AN_INSTALLATION and STATE not in os.environ:
        config = deploy.CONFIG if deploy.CONFIG.exists() else None
    if config is None or context.invoked_subcommand in OWN_CONFIG:
        return
    from mxtvhf.operation.deployment.configuration import read_deployment
    from mxtvhf.operation.deployment.environment import service_environment

    context.obj = read_deployment(config)
    os.environ.update(service_environment(context.obj))


PANELS = {
    "Analyse files": (
        science.process,
        science.localise,
        science.analyse,
        science.crosscheck,
        followup.followup,
        announce.announce,
        science.simulate,
        science.calibration,
        science.noise_map,
        science.background_spectrum,
    ),
    "Run in Airflow": (runs.start, runs.info, replay.replay, messages.log_queue),
    "Operate": (
        services.up,
        services.listen,
        services.gp,
        maintenance.health,
        maintenance.backup,
        maintenance.restore,
        maintenance.retention,
        deploy.cluster,
        deploy.service,
    ),
}
"""The commands by purpose, as shown by ``mxtvhf --help``."""

for panel, commands in PANELS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.add_typer(catalogue.app, name="catalogue", rich_help_panel="Analyse files")
app.add_typer(duty.app, name="duty", rich_help_panel="Operate")
app.add_typer(deploy.config_app, name="config", rich_help_panel="Operate")
