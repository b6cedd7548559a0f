"""Bulletins: what MXT-VHF tells the world while it works, over NATS (``docs/messages.md``).

A process that has something to tell lays a bulletin into the outbox, a folder, without any network;
the module `publisher` brings it to NATS, when NATS is there. Every Airflow process imports this package:
what needs a NATS client stands in the modules `publisher` and `subscriber` alone.
"""

from mxtvhf.reporting.messages.model import (
    AnnouncementBulletin,
    Bulletin,
    IntakeBulletin,
    ReportBulletin,
    RunBulletin,
    StepBulletin,
    read_bulletin,
)
from mxtvhf.reporting.messages.outbox import Outbox

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
