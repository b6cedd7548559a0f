"""The message about a report, from its file."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from mxtvhf.models.files import sha256_of
from mxtvhf.reporting.messages.model import ReportMessage


def report_message(path: Path, *, url: str | None = None) -> ReportMessage:
    """Read ``report.json`` and return the message about it.

    Parameters
    ----------
    path
        File of the report.
    url
        Address of its folder; None if unknown.
    """
    raw = path.read_bytes()
    report: dict[str, Any] = json.loads(raw)
    names = ("burst_id", "run_id", "is_test", "is_replay", "status", "sequence", "is_retracted", "headline")
    return ReportMessage(
        **{name: report[name] for name in names},
        best_position=report["best_position"],
        verdicts=dict(Counter(pair["verdict"] for pair in report["crosscheck"])),
        path=str(path.resolve()),
        sha256=sha256_of(raw),
        url=f"{url}/report.json" if url else None,
        page_url=f"{url}/report.html" if url else None,
    )
