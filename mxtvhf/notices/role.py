"""Read the role of a notice from the root element of its VOEvent."""

from __future__ import annotations

from lxml import etree

BEGINNING = 16_384
"""Number of bytes within which the root element of a VOEvent begins."""


def is_test_notice(raw: bytes) -> bool | None:
    """Return True if the notice has ``role="test"``.

    Only the root element is parsed, so the check is fast; the run itself validates the notice.

    Parameters
    ----------
    raw
        The VOEvent as received.

    Returns
    -------
    bool or None
        None if the input is not a VOEvent with a role.
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
