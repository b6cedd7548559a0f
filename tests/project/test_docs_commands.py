"""What README and documentation show runs as a reader would type it: their Python, and their shell lines.

Each shell block is run here, or by the test that is named for it, or it has a reason why not; a new block
must be given its place.
"""

import contextlib
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from mxtvhf import process_burst, scenario_of, write_scenario
from mxtvhf.cli.main import app
from mxtvhf.cli.services import up
from mxtvhf.errors import InvalidInput
from support.project import PROJECT

HERE = "run by this test"
CONTAINERS = "reason: needs a Docker engine; `make test-containers` runs these services"
REST = "tests/integration/test_rest.py::test_curl_lines_of_the_docs"
MAINTENANCE = "tests/integration/test_operation.py::test_maintenance_lines_of_the_docs"
MAKE_RUN = "reason: minutes; `make run` is tests/integration/test_up.py, `make test` runs this file"
START = "tests/integration/test_rest.py::test_start_waits_and_its_exit_status_shows_a_missing_result"
SETTINGS = "reason: only sets variables; tests/integration/test_live.py starts a listener with them"
PAST_RUNS = "reason: needs the products of many runs; tests/cli/test_every_command.py"
PLACES = {
    "README.md": [MAKE_RUN, HERE],
    "CONTRIBUTING.md": [MAKE_RUN],
    "docs/tutorials/first-burst.md": [MAKE_RUN, HERE, START, HERE],
    "docs/how-to/start-a-run.md": [HERE, START, REST, HERE, HERE],
    "docs/how-to/add-a-catalogue.md": [HERE, HERE],
    "docs/how-to/back-up-and-recover.md": [MAINTENANCE, CONTAINERS, MAINTENANCE, CONTAINERS, MAINTENANCE],
    "docs/how-to/connect-nats-and-gcn.md": [
        SETTINGS,
        "reason: a program of NATS; tests/integration/test_live.py publishes so",
    ],
    "docs/how-to/deploy.md": [
        CONTAINERS, CONTAINERS, CONTAINERS,
        "reason: minutes; the Dockerfile runs the same, and `make test-containers` builds it",
        "reason: needs a cluster; tests/project/test_kubernetes.py checks the files",
    ],
    "docs/how-to/install.md": [MAKE_RUN, "reason: minutes; tests/project/test_install.py"],
    "docs/how-to/monitor.md": [MAINTENANCE, "reason: writes into /etc; the login is that of " + REST],
    "docs/how-to/plan-the-follow-up.md": [HERE, HERE],
    "docs/how-to/replace-the-calibration.md": [PAST_RUNS, PAST_RUNS],
    "docs/how-to/replay.md": ["reason: replays an archive of days; tests/integration/test_replay.py"],
    "docs/how-to/use-the-real-packet-layout.md": ["reason: `make test` runs these tests"],
    "docs/explanation/security.md": [
        "reason: a program of NATS; tests/intake/test_signatures.py signs and publishes so"
    ],
    "docs/reference/calibration.md": [HERE],
    "docs/reference/messages.md": [SETTINGS],
    "docs/reference/rest.md": [REST, "reason: each command is in tests/integration/test_rest.py"],
}  # fmt: skip
"""Where the shell blocks of each page are run, in their order, or why they are not."""


def blocks_of(page, language):
    """Return the blocks of a page in a language, without the indent of a list."""
    text = (PROJECT / page).read_text()
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", text, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def pages():
    paths = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *(PROJECT / "docs").rglob("*.md")]
    return [str(path.relative_to(PROJECT)) for path in paths if "generated" not in path.parts]


def test_every_shell_block_is_run_or_has_a_reason():
    assert {page: len(blocks) for page in pages() if (blocks := blocks_of(page, "sh"))} == {
        page: len(places) for page, places in PLACES.items()
    }
    for place in {place for places in PLACES.values() for place in places}:
        if place.startswith("tests/"):
            path, _, test = place.partition("::")
            assert f"def {test}(" in (PROJECT / path).read_text()


def test_every_command_shown_is_one_with_these_options():
    blocks = [block for page in PLACES for block in blocks_of(page, "sh")]
    joined = [block.replace("\\\n", " ") for block in blocks]
    lines = [line for block in joined for line in block.splitlines() if ".venv/bin/mxtvhf " in line]
    assert len(lines) > 10
    for line in lines:
        _, *words = shlex.split(line.strip().partition(" && ")[0], comments=True)
        # The files of the example need not be here.
        with contextlib.suppress(InvalidInput):
            context = typer.main.get_command(app).make_context("mxtvhf", words)
            while hasattr(context.command, "commands"):
                name, command, rest = context.command.resolve_command(
                    context, [*context._protected_args, *context.args]
                )
                context = command.make_context(name, rest, parent=context)


def test_no_command_uses_the_burst_of_the_demo():
    """Its notices would mix with those of the demo, another simulation, and change the verdict."""
    demo = inspect.signature(up).parameters["burst"].default
    for page in PLACES:
        for block in blocks_of(page, "sh"):
            assert demo not in block, page


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    """A folder in which the paths of the docs are as they say, with a processed burst as a run has it."""
    folder = tmp_path_factory.mktemp("docs")
    command = folder / ".venv" / "bin" / "mxtvhf"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m mxtvhf "$@"\n')
    command.chmod(0o755)
    write_scenario(scenario_of("sb26030704", seed=7), str(folder / "first"))
    process_burst(
        str(folder / "first/alert.xml"), str(folder / "first/packets.bin"), str(folder / "products")
    )
    run = folder / "var" / "products" / "sb26030704" / "sb26030704__1"
    shutil.copytree(folder / "products", run)
    (folder / "var" / "inbox").mkdir()
    (folder / "slew.fits").write_bytes(catalogue())
    return folder


def catalogue():
    from io import BytesIO

    from astropy.table import Table

    columns = {"name": ["S1"], "ra": [10.5], "dec": [-20.25], "error": [4.0], "flux": [1.5]}
    table, file = Table(columns), BytesIO()
    for name, unit in {"ra": "deg", "dec": "deg", "error": "arcsec"}.items():
        table[name].unit = unit
    table.write(file, format="fits")
    return file.getvalue()


@pytest.mark.slow
def test_the_shell_lines_run_one_after_the_other(sandbox):
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "MXTVHF_STATE": str(sandbox / "var")}
    said = ""
    shown = [
        pair for page, places in PLACES.items() for pair in zip(blocks_of(page, "sh"), places, strict=True)
    ]
    for block in [block for block, place in shown if place == HERE]:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.replace("/tmp/", f"{sandbox}/")],
            cwd=sandbox, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (block, done.stderr)
        said += done.stdout
    assert "4U 1702-429" in said
    assert "consistent" in said
    assert {path.name for path in (sandbox / "var" / "inbox").iterdir()} >= {"packets.bin"}
    assert Path(sandbox / "products" / "report.json").exists()


@pytest.mark.slow
def test_the_notebook_examples_run_on_a_processed_burst(sandbox, capsys):
    names = {}
    snippets = blocks_of("docs/how-to/use-from-python.md", "python")
    for snippet in snippets:
        exec(snippet.replace("/tmp/products", f"{sandbox}/products"), names)  # noqa: S102
    assert len(snippets) == 2
    assert names["sharper"].r90 < names["found"].r90
    said = capsys.readouterr().out
    assert len(said.splitlines()) == 2
    assert re.match(r"RA \d+\.\d+ Dec [+-]\d+\.\d+ deg, R90 \d+ arcsec, TS \d+$", said.splitlines()[0])
    assert all(len(repr(names[name])) < 200 for name in ("events", "found", "sharper"))
