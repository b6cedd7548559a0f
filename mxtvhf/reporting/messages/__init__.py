"""Messages: what MXT-VHF tells the world while it works, over NATS (``docs/reference/messages.md``).

A process that has something to tell puts a message into the outbox, a folder, without any network;
the module `publisher` brings it to NATS, when NATS is there. Every Airflow process imports this package:
what needs a NATS client stands in the modules `publisher` and `subscriber` alone.
"""

from mxtvhf.reporting.messages.model import (
    AnnouncementMessage,
    CircularMessage,
    IntakeMessage,
    OutgoingMessage,
    ReportMessage,
    RunMessage,
    StepMessage,
    read_message,
)
from mxtvhf.reporting.messages.outbox import Outbox

__all__ = [
    "AnnouncementMessage",
    "CircularMessage",
    "IntakeMessage",
    "Outbox",
    "OutgoingMessage",
    "ReportMessage",
    "RunMessage",
    "StepMessage",
    "read_message",
]
