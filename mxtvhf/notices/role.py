"""Read role and identifier of a notice from the root element of its VOEvent."""

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
    role = _attribute(raw, "role")
    return None if role is None else role == "test"


def ivorn_of(raw: bytes) -> str | None:
    """Return the identifier of a notice; None if the input is not a VOEvent with one.

    Parameters
    ----------
    raw
        As for `is_test_notice`.
    """
    return _attribute(raw, "ivorn")


def _attribute(raw: bytes, name: str) -> str | None:
    """Return an attribute of the root element of a VOEvent; None if there is none."""
    try:
        parser = etree.XMLPullParser(
            events=("start",), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
        )
        parser.feed(raw[:BEGINNING])
        _, root = next(iter(parser.read_events()))
    except (etree.XMLSyntaxError, StopIteration):
        return None
    return root.get(name) if etree.QName(root).localname == "VOEvent" else None
