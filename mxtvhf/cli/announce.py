"""The command ``mxtvhf announce``, which writes drafts of an announcement and releases nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from mxtvhf.cli.arguments import given_report, input_file, output_folder, utf8_text


def announce(
    report: Annotated[Path, typer.Argument(parser=input_file, metavar="REPORT", help="report.json of a run")],
    by: Annotated[str, typer.Option(parser=utf8_text, metavar="NAME", help="name of the author")],
    out: Annotated[Path, typer.Option(parser=output_folder, metavar="FOLDER", help="folder for the drafts")],
    position: Annotated[
        str | None,
        typer.Option(
            parser=utf8_text, metavar="LABEL", help="label of the position; default: the best position"
        ),
    ] = None,
    comment: Annotated[
        str | None, typer.Option(parser=utf8_text, metavar="TEXT", help="comment to publish")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON for programs")] = False,
) -> None:
    """Write drafts of the VOEvent, GCN notice, circular and message about a report. Nothing is released."""
    from mxtvhf.reporting.announcement.drafts import write_texts
    from mxtvhf.reporting.announcement.question import decision_of
    from mxtvhf.reporting.announcement.release import announcement_of, next_reservation
    from mxtvhf.reporting.announcement.request import APPROVE

    found, digest = given_report(report)
    decision = decision_of(
        found,
        digest,
        options=[APPROVE],
        answers={"position": position, "comment": comment or ""},
        decided_by=by,
        decided_at=datetime.now(UTC),
    )
    announced = announcement_of(found, next_reservation(found, [], moment=found.written), decision)
    products = write_texts(announced, out)
    if as_json:
        print(json.dumps({name: product.model_dump() for name, product in products.items()}, indent=1))
        return
    for product in products.values():
        print(out / product.path)
