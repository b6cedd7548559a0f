"""Every input that once was read wrongly, with the command that reads it and what it must answer.

The rows are ``<subject>.toml`` in this folder, the inputs are made by ``<subject>_inputs.py``: a table
``INPUTS`` of functions without argument by the name of the file that they give. (The rows of ``intake.toml``
are of another kind, see test_arrivals.py.)
"""

import importlib
import os
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from pydantic import Field

from mxtvhf.models.base import Model
from support.commands import mxtvhf

FOLDER = Path(__file__).parent


class Command(Model):
    """One command line and what it must answer."""

    run: str
    """After ``mxtvhf``, as in a shell; ``{folder}`` is the folder of the inputs, the working folder, too."""
    status: int = 0
    says: tuple[str, ...] = ()
    """Regular expressions, each found in what is printed on stdout or stderr."""
    never_says: tuple[str, ...] = ()


class Case(Model):
    """One row of the table."""

    name: str
    inputs: tuple[str, ...] = ()
    environment: dict[str, str] = Field(default_factory=dict)
    commands: tuple[Command, ...] = Field(min_length=1)


def read_cases():
    for table in sorted(FOLDER.glob("*.toml")):
        for row in tomllib.loads(table.read_text()).get("case", []):
            case = Case.model_validate(row)
            yield pytest.param(table.stem, case, id=f"{table.stem}-{case.name.replace(' ', '-')}")


@pytest.mark.parametrize(("subject", "case"), list(read_cases()))
def test_case(subject, case, tmp_path, monkeypatch):
    makers = importlib.import_module(f"cases.{subject}_inputs").INPUTS if case.inputs else {}
    for name in case.inputs:
        # Names are bytes on this file system: a surrogate in the table stands for a byte that is not UTF-8.
        (tmp_path / os.fsdecode(os.fsencode(name))).write_bytes(makers[name]())
    monkeypatch.chdir(tmp_path)
    for command in case.commands:
        arguments = [part.replace("{folder}", str(tmp_path)) for part in shlex.split(command.run)]
        done = mxtvhf(*arguments, MXTVHF_STATE=tmp_path / "var", **case.environment)
        told = done.stdout + done.stderr
        assert done.returncode == command.status, told
        assert "Traceback" not in told
        if command.status:
            assert len(done.stderr.splitlines()) == 1, done.stderr
        for pattern in command.says:
            assert re.search(pattern, told), f"{pattern!r} is not in {told!r}"
        for pattern in command.never_says:
            assert not re.search(pattern, told), f"{pattern!r} is in {told!r}"
