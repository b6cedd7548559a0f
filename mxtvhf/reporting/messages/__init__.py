"""Messages about runs, reports and announcements over NATS (``docs/reference/messages.md``).

A process queues its messages in the outbox, a folder, without network access; the module `publisher` sends
them to NATS. Every Airflow process imports this package, so only the modules `publisher` and `subscriber`
import a NATS client.
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
