"""Write the reference of the command line from the commands themselves, before Sphinx reads its pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from sphinx.application import Sphinx
from typer.cli import get_docs_for_click

from mxtvhf.cli.main import app as commands


def write_page(app: Sphinx) -> None:
    """Write ``reference/generated/cli.md``."""
    command = typer.main.get_command(commands)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name="mxtvhf", title="Command line")
    page = Path(app.srcdir) / "reference" / "generated" / "cli.md"
    page.parent.mkdir(exist_ok=True)
    page.write_text(text)


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the page when the builder has been chosen."""
    app.connect("builder-inited", write_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
