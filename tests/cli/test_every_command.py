"""Every command with invalid values of every argument: one line, an exit status, never a traceback.

The commands and their arguments are those of the Typer application itself; a new command needs a sound call
in ``SOUND``. What would start servers is replaced: to be reached counts as accepted.
"""

import os
import re
import shlex
import socket
import warnings
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer

from mxtvhf.cli.main import app
from mxtvhf.errors import Failure
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from support.commands import mxtvhf
from support.nats_server import free_port
from support.project import PROJECT

SOUND = {
    "analyse": "events.fits --out out --t0 2026-03-07T12:00:00",
    "announce": "report.json --by Ada --out out",
    "background-spectrum": "events.fits --out out",
    "backup": "backup.tar.gz",
    "calibration": "--at 2026-03-07",
    "catalogue add": "catalogue.csv --name trial",
    "catalogue disable": "trial",
    "catalogue enable": "trial",
    "catalogue list": "",
    "catalogue remove": "trial --yes",
    "catalogue search": "10.5 -20.25 5arcmin",
    "cluster": f"--project {PROJECT} --folder cluster",
    "config check": "mxtvhf.toml",
    "crosscheck": "alert.xml",
    "duty drill": "sb26030704",
    "duty show": "--days 7",
    "duty test": "--to ada",
    "followup": "report.json --out out --at 2026-03-07",
    "gp": "--data . --state gp",
    "health": "",
    "info": "",
    "listen": "",
    "localise": "events.fits",
    "log-queue": "--no-follow",
    "noise-map": "events.fits --out out",
    "process": "alert.xml packets.bin --out out",
    "replay": "sb26030704",
    "restore": "backup.tar.gz",
    "retention": "--dry-run",
    "service": "gp --config mxtvhf.toml",
    "simulate": "--burst sb26030704 --counts 10 --background 10 --out out",
    "start": "alert.xml packets.bin",
    "up": f"--project {PROJECT}",
}

WRONG = {
    "empty text": "",
    "blank": " ",
    "not a number": "nan",
    "infinite": "inf",
    "negative": "-1",
    "zero": "0",
    "huge": "9" * 30,
    "too many digits": "9" * 5000,
    "small": "1e-320",
    "byte that is not UTF-8": "\udce9",
    "control characters": "a\nb\x1b[2J",
    "not ASCII": "été ½ 日本",
    "long text": "x" * 5000,
    "option": "--nonsense",
    "missing file": "missing/file.xml",
    "folder": "folder",
    "empty file": "empty",
    "binary junk": "junk",
    "text": "text.txt",
    "notice": "alert.xml",
    "packets": "packets.bin",
    "JSON": "truth.json",
    "file that is not UTF-8": "\udce9t\udce9.bin",
    "below a file": "text.txt/below",
    "socket": "socket",
    "no URL": "http://[::1",
    "port out of range": "http://localhost:99999",
    "year 1": "0001-01-01",
    "year 9999": "9999-12-31T23:59:59",
    "no day": "2026-02-30",
    "wildcards": "../*?&#%00",
}

SHARE = 1 if os.environ.get("MXTVHF_ARGUMENTS") == "all" else 8
"""Each argument gets every eighth value, the next argument the following ones; all would take ten minutes."""


def leaves(command, path=()):
    """Return all commands, without groups, by their words."""
    if not hasattr(command, "commands"):
        return {" ".join(path): command}
    return {
        name: leaf
        for word, one in command.commands.items()
        for name, leaf in leaves(one, (*path, word)).items()
    }


COMMANDS = leaves(typer.main.get_command(app))


def calls(command, sound, wrong):
    """Return all calls of a command with one argument or option replaced by an invalid value."""
    words = shlex.split(sound)
    options = {word for word in words if word.startswith("--")}
    position = 0
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            yield parameter.name, [*words[:position], wrong, *words[position + 1 :]]
            position += 1
        elif parameter.is_flag or parameter.name == "help":
            continue
        else:
            name = next(iter(options.intersection(parameter.opts)), parameter.opts[0])
            rest = list(words)
            if name in rest:
                del rest[rest.index(name) : rest.index(name) + 2]
            yield parameter.name, [*rest, name, *[wrong] * parameter.nargs]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    write_scenario(scenario_of("sb26030704", counts=60, seed=2), folder)
    (folder / "folder").mkdir()
    (folder / "empty").touch()
    with socket.socket(socket.AF_UNIX) as node:  # no device: as root a command could replace it
        node.bind(str(folder / "socket"))
    (folder / "text.txt").write_text("some text\n")
    (folder / "junk").write_bytes(bytes(range(256)) * 20)
    (folder / "catalogue.csv").write_text("name,ra,dec,r90\nS1,10.5,-20.25,1\n")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xe9t\xe9.bin")).write_bytes(b"\xff" * 100)
    done = mxtvhf("process", folder / "alert.xml", folder / "packets.bin", "--out", folder / "products")
    assert done.returncode == 0, done.stderr
    for name in ("events.fits", "report.json"):
        (folder / name).write_bytes((folder / "products" / name).read_bytes())
    return folder


@pytest.fixture
def quick(inputs, tmp_path, monkeypatch):
    """Prevent long computations and started programs, and make Airflow and NATS unreachable."""
    for name in (
        "mxtvhf.intake.listen.listen",
        "mxtvhf.operation.deployment.cluster.run",
        "mxtvhf.operation.stack.demo.run",
        "mxtvhf.simulator.gp.serve",
    ):
        monkeypatch.setattr(name, lambda *_, **__: 0)
    monkeypatch.setattr("mxtvhf.operation.database.airflow_database", no_database)
    for entry in inputs.iterdir():
        (tmp_path / entry.name).symlink_to(entry)
    monkeypatch.chdir(tmp_path)
    secrets = tmp_path / "var" / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "passwords.json").write_text('{"admin": "word", "intake": "word"}')
    away = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("MXTVHF_STATE", str(tmp_path / "var"))
    monkeypatch.setenv("MXTVHF_AIRFLOW_URL", f"http://{away}")
    monkeypatch.setenv("MXTVHF_NATS_URL", f"nats://{away}")


@contextmanager
def no_database(_settings):
    raise Failure("no database here")
    yield


def check(arguments):
    """Run a command like a user, and check that it succeeds or ends with a status and one line."""
    with warnings.catch_warnings(record=True) as warned:  # pytest would make errors of them, Python lines
        warnings.simplefilter("default")
        for hidden in (DeprecationWarning, PendingDeprecationWarning, ResourceWarning):
            warnings.simplefilter("ignore", hidden)
        done = mxtvhf(*arguments)
    told = f"{arguments}: {done.returncode}\n{done.stdout[-300:]}\n{done.stderr}"
    assert "internal error" not in done.stderr, told
    assert done.returncode in (0, 1, 2), told
    if done.returncode:
        assert not warned, (told, [str(warning.message) for warning in warned])
        *lines, last = done.stderr.split("\n")
        assert not last, told
        # A configuration file has a line for each of its faults.
        assert len(lines) == 1 or all(re.match("mxtvhf: [^ ]+: [a-z_.]+: missing", line) for line in lines), (
            told
        )
        for line in lines:
            assert re.match(r"mxtvhf( [a-z-]+){0,2}: \S", line), told
            assert line.isprintable(), told
            assert "[Errno" not in line, told
            assert "Input should" not in line, told
    return done


def test_every_command_has_a_valid_call():
    assert SOUND.keys() == COMMANDS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("name", SOUND)
def test_a_wrong_argument_is_one_line(name, kind, quick):
    for number, (_, arguments) in enumerate(calls(COMMANDS[name], SOUND[name], WRONG[kind])):
        if (number + list(WRONG).index(kind)) % SHARE == 0:
            check([*name.split(), *arguments])


@pytest.mark.parametrize("kind", WRONG)
def test_an_invalid_configuration_is_reported_by_all_commands(kind, quick):
    if WRONG[kind]:  # an empty MXTVHF_CONFIG is none
        assert check(["--config", WRONG[kind], "catalogue", "list"]).returncode == 2
