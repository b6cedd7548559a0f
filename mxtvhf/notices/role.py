"""The role of a notice, read from the root element of its VOEvent."""

from __future__ import annotations

from lxml import etree

BEGINNING = 16_384
"""Bytes in which the root element of a VOEvent begins."""


def is_test_notice(raw: bytes) -> bool | None:
    """Tell whether a notice says ``role="test"``.

    No more than the root element is parsed, so that a message about a run costs it nothing; the notice is
    validated by the run itself.

    Parameters
    ----------
    raw
        The VOEvent as received.

    Returns
    -------
    bool or None
        None where no VOEvent with a role can be read.
    """
    try:
        parser = etree.XMLPullParser(
            events=("start",), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
        )
        parser.feed(raw[:BEGINNING])
        _, root = next(iter(parser.read_events()))
    except (etree.XMLSyntaxError, StopIteration):
        return None
    role = root.get("role") if etree.QName(root).localname == "VOEvent" else None
    return None if role is None else role == "test"
