"""The command line: within this process, or as one of its own."""

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from unittest.mock import patch

import typer

from mxtvhf.cli.main import main

GET_COMMAND = cache(typer.main.get_command)
"""Typer would build the parameters of all commands again for each call, in 0.08 s of CPU."""


def mxtvhf(*arguments, **environment):
    """Run the command in this process: most of a command's time are its imports."""
    out, err, status = io.StringIO(), io.StringIO(), 0
    with (
        patch.dict(os.environ, {name: str(value) for name, value in environment.items()}),
        patch.object(sys, "argv", ["mxtvhf", *map(str, arguments)]),
        patch.object(typer.main, "get_command", GET_COMMAND),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())


def mxtvhf_process(*arguments, **options):
    """Run it as a process of its own, with options of `subprocess.run`."""
    command = [sys.executable, "-m", "mxtvhf", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)
