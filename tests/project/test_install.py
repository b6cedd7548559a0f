"""The choice of a Python by ``tools/install.sh``, tested with imitations of interpreters on the PATH."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.project import PROJECT

TOOLS = ("sh", "awk", "cat", "cksum", "date", "df", "dirname", "mktemp", "rm", "sed", "tail", "uname")
PYENV_SHIM = "#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n"


@pytest.fixture
def commands(tmp_path):
    """Return the only folder on the PATH, with the programs of the scripts but without a Python."""
    folder = tmp_path / "commands"
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(shutil.which(tool))
    return folder


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def put_python(path: Path, version: str, *, venv: bool = True) -> Path:
    """Write an imitation of an interpreter without pip, for which `-m venv` fails."""
    return put(
        path,
        f"""#!/bin/sh
case "$*" in
*base_prefix*) echo "{version} /opt/{version}" ;;
*version_info*) echo {version} ;;
*ensurepip*) exit {0 if venv else 1} ;;
*) exit 1 ;;
esac
""",
    )


def run(script: str, *arguments: object, path: Path, **variables: object) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(path), **{name: str(value) for name, value in variables.items()}}
    program = [PROJECT / "tools" / script, *map(str, arguments)]
    return subprocess.run(program, env=environment, capture_output=True, text=True, check=False)


def found(commands: Path, *candidates: Path, **variables: object) -> str:
    done = run("find-python.sh", *candidates, path=commands, **variables)
    assert done.returncode == 0, done.stderr
    return os.path.relpath(done.stdout.strip(), commands)


def refusal(commands: Path, **variables: object) -> str:
    done = run("find-python.sh", path=commands, **variables)
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr.splitlines()[-1]


def test_the_newest_supported_python_is_taken(commands):
    for version in ("3.11", "3.12", "3.13", "3.14"):
        put_python(commands / f"python{version}", version)
    put_python(commands / "python3", "3.14")
    assert found(commands) == "python3.13"


def test_an_unusable_python_is_skipped(commands):
    put(commands / "python3.13", PYENV_SHIM)
    put_python(commands / "python3.12", "3.12", venv=False)
    put_python(commands / "python3.11", "3.11")
    assert found(commands) == "python3.11"


def test_python3_is_taken_when_its_version_is_supported(commands):
    put_python(commands / "python3", "3.12")
    assert found(commands) == "python3"


def test_an_environment_keeps_its_python_while_that_is_usable(commands, tmp_path):
    put_python(commands / "python3.13", "3.13")
    own = put_python(tmp_path / "venv" / "bin" / "python", "3.11")
    assert found(commands, own) == "../venv/bin/python"
    put_python(own, "3.10")
    assert found(commands, own) == "python3.13"


def test_python_names_another(commands):
    put_python(commands / "python3.13", "3.13")
    put_python(commands / "python3.12", "3.12")
    assert found(commands, PYTHON="python3.12") == "python3.12"


def test_uv_installs_a_python_if_none_is_usable(commands):
    put_python(commands / "python3", "3.10")
    put(
        commands / "uv",
        f"""#!/bin/sh
case "$*" in
"python install 3.13") ;;
"python find --managed-python 3.13") echo {commands}/from-uv ;;
*) exit 1 ;;
esac
""",
    )
    assert found(commands) == "from-uv"


def test_one_line_lists_the_unusable_pythons_if_uv_fails(commands):
    put(commands / "python3.13", PYENV_SHIM)
    put_python(commands / "python3.12", "3.12", venv=False)
    put_python(commands / "python3", "3.10")
    assert refusal(commands) == (
        "install: no usable Python: python3.13 does not run, python3.12 lacks ensurepip "
        "(on Debian and Ubuntu, install python3.12-venv), python3 is Python 3.10, and uv could not install "
        "one. MXT-VHF supports Python 3.13, 3.12, 3.11: install one, or set PYTHON to one."
    )


@pytest.mark.parametrize("version", ["2.7", "3.10", "3.14"])
def test_an_unsupported_python_is_rejected_in_one_line(commands, version):
    put_python(commands / "python3.13", "3.13")
    own = put_python(commands / "own", version)
    assert refusal(commands, PYTHON=own) == (
        f"install: PYTHON={own} is Python {version}. "
        "MXT-VHF supports Python 3.13, 3.12, 3.11: name one of these, or leave PYTHON out."
    )


def test_a_missing_python_is_rejected_in_one_line(commands):
    assert "PYTHON=python3.13 does not run." in refusal(commands, PYTHON="python3.13")


def test_an_environment_of_another_python_is_removed(commands, tmp_path):
    venv = tmp_path / "venv"
    put_python(venv / "bin" / "python", "3.11")
    (venv / "pyvenv.cfg").touch()
    new = put_python(commands / "new", "3.12")
    done = run("install.sh", path=commands, VENV=venv, PYTHON=new)
    assert done.returncode == 1
    assert f"Removing {venv}: its Python is not {new}" in done.stderr
    assert f"{new} could not make a virtual environment in {venv}" in done.stderr
    assert not venv.exists()


def test_systems_other_than_linux_are_rejected_in_one_line(commands):
    (commands / "uname").unlink()
    put(commands / "uname", "#!/bin/sh\necho Darwin\n")
    done = run("install.sh", path=commands)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "install: MXT-VHF runs on Linux only, this is Darwin: use a Linux machine or a container"
    )
