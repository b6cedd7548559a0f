"""What the README shows runs as a reader would type it: its Python, and its shell lines.

Each shell block is run here, or by the test that is named for it, or it has a reason why not; a new block
must be given its place.
"""

import contextlib
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
from mxtvhf.errors import InvalidInput
from support.project import PROJECT

README = (PROJECT / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
BLOCKS = [
    re.sub(rf"^{indent}", "", block, flags=re.M)
    for indent, block in re.findall(r"^( *)```sh\n(.*?)^\1```", README, re.DOTALL | re.M)
]
HERE = "run by this test"
PLACES = {
    "make run": "reason: minutes; `make run` is tests/integration/test_up.py, `make test` runs this file",
    "mxtvhf simulate": HERE,
    "/auth/token": "tests/integration/test_rest.py::test_curl_lines_of_the_readme",
    "mxtvhf announce": HERE,
    "cp /tmp/burst": HERE,
    "mxtvhf backup": "tests/integration/test_operation.py::test_maintenance_lines_of_the_readme",
    "mxtvhf replay": "reason: replays an archive of days; each option is in tests/integration/test_replay.py",
    "mxtvhf log-queue": "reason: runs until Ctrl-C; tests/cli/test_messages.py follows a server with it",
    "mxtvhf catalogue": HERE,
    "mxtvhf process": HERE,
}
"""By what a block has in it: where it is run, or why not."""


def place_of(block):
    (place,) = {place for words, place in PLACES.items() if words in block}
    return place


def test_every_shell_block_is_run_or_has_a_reason():
    assert len(BLOCKS) == len(PLACES) == README.count("```sh\n")
    for block in BLOCKS:
        place = place_of(block)
        if not place.startswith((HERE, "reason: ")):
            path, _, test = place.partition("::")
            assert f"def {test}(" in (PROJECT / path).read_text()


def test_every_command_shown_exists_with_its_options():
    lines = [line for block in BLOCKS for line in block.splitlines() if ".venv/bin/mxtvhf " in line]
    assert len(lines) > 10
    for line in lines:
        _, *words = shlex.split(line.strip(), comments=True)
        # The files of the example need not be here.
        with contextlib.suppress(InvalidInput):
            context = typer.main.get_command(app).make_context("mxtvhf", words)
            while hasattr(context.command, "commands"):
                name, command, rest = context.command.resolve_command(
                    context, [*context._protected_args, *context.args]
                )
                context = command.make_context(name, rest, parent=context)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    """A folder in which the README's paths are as it says, with a processed burst as a run has it."""
    folder = tmp_path_factory.mktemp("readme")
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
    (folder / "my_catalogue.fits").write_bytes(catalogue())
    return folder


def catalogue():
    from io import BytesIO

    from astropy.table import Table

    table, file = Table({"name": ["S1"], "ra": [10.5], "dec": [-20.25], "r90": [1.0]}), BytesIO()
    for name, unit in {"ra": "deg", "dec": "deg", "r90": "arcsec"}.items():
        table[name].unit = unit
    table.write(file, format="fits")
    return file.getvalue()


@pytest.mark.slow
def test_the_shell_lines_run_one_after_the_other(sandbox):
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "MXTVHF_STATE": str(sandbox / "var")}
    said = ""
    for block in (block for block in BLOCKS if place_of(block) == HERE):
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
    for snippet in SNIPPETS:
        exec(snippet.replace("/tmp/products", f"{sandbox}/products"), names)  # noqa: S102
    assert len(SNIPPETS) == 2
    assert names["sharper"].r90 < names["found"].r90
    said = capsys.readouterr().out
    assert len(said.splitlines()) == 2
    assert re.match(r"RA \d+\.\d+ Dec [+-]\d+\.\d+ deg, R90 \d+ arcsec, TS \d+$", said.splitlines()[0])
    assert all(len(repr(names[name])) < 200 for name in ("events", "found", "sharper"))
