"""Files with all texts of an announcement."""

from __future__ import annotations

from pathlib import Path

from mxtvhf.models.files import sha256_of, write_atomically
from mxtvhf.models.product import Product
from mxtvhf.reporting.announcement.chat import message
from mxtvhf.reporting.announcement.circular import circular
from mxtvhf.reporting.announcement.content import Announcement
from mxtvhf.reporting.announcement.gcn_notice import gcn_notice
from mxtvhf.reporting.announcement.voevent import voevent

FILES = {
    "voevent": "voevent.xml",
    "gcn_notice": "gcn_notice.json",
    "circular": "circular.txt",
    "message": "message.txt",
}


def texts(announced: Announcement) -> dict[str, bytes]:
    """Return all texts; the same announcement gives the same bytes."""
    return {
        "voevent": voevent(announced),
        "gcn_notice": gcn_notice(announced),
        "circular": circular(announced),
        "message": message(announced).encode() + b"\n",
    }


def write_texts(announced: Announcement, folder: Path) -> dict[str, Product]:
    """Write all texts into a folder, each atomically; the returned paths are relative to it."""
    products = {}
    for name, content in texts(announced).items():
        write_atomically(folder / FILES[name], content)
        products[name] = Product(path=FILES[name], sha256=sha256_of(content))
    return products
