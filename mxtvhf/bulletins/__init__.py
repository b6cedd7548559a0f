"""Bulletins: what MXT-VHF tells the world while it works, over NATS (``docs/messages.md``).

A process that has something to tell lays a bulletin into the outbox, a folder, without any network;
`mxtvhf.bulletins.forward` brings it to NATS, when NATS is there. Every Airflow process imports this package:
what needs a NATS client stands in the modules `forward` and `follow` alone.
"""

from mxtvhf.bulletins.model import (
    AnnouncementBulletin,
    Bulletin,
    IntakeBulletin,
    ReportBulletin,
    RunBulletin,
    StepBulletin,
    read_bulletin,
)
from mxtvhf.bulletins.outbox import Outbox

__all__ = [
    "AnnouncementBulletin",
    "Bulletin",
    "IntakeBulletin",
    "Outbox",
    "ReportBulletin",
    "RunBulletin",
    "StepBulletin",
    "read_bulletin",
]
