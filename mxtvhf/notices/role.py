"""Whether an alert is a test, told from the first tag of its VOEvent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lxml import etree

from mxtvhf.archive.inputs import MAX_ALERT_BYTES, source_bytes
from mxtvhf.errors import InvalidInput

BEGINNING = 16_384
"""Bytes in which the root element of a VOEvent begins."""


def is_test_alert(source: str, roots: Sequence[Path]) -> bool | None:
    """Tell whether an alert says ``role="test"``.

    No more than the root element is read, so that a message about a run costs it nothing; the alert is
    checked by the run itself.

    Parameters
    ----------
    source
        File URI, path, or the XML itself, as in ``RunConf.alert``.
    roots
        Folders below which a file may be read.

    Returns
    -------
    bool or None
        None where no VOEvent with a role can be read.
    """
    try:
        raw = source_bytes(source, MAX_ALERT_BYTES, roots)
        parser = etree.XMLPullParser(
            events=("start",), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
        )
        parser.feed(raw[:BEGINNING])
        _, root = next(iter(parser.read_events()))
    except (InvalidInput, etree.XMLSyntaxError, StopIteration):
        return None
    role = root.get("role") if etree.QName(root).localname == "VOEvent" else None
    return None if role is None else role == "test"
