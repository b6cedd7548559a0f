"""Messages of a run, and their way from the outbox through NATS."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from mxtvhf.reporting.messages import (
    IntakeMessage,
    ReportMessage,
    RunMessage,
    StepMessage,
    read_message,
)
from mxtvhf.reporting.messages.connection import connect
from mxtvhf.reporting.messages.publisher import forward_outbox
from mxtvhf.reporting.messages.subscriber import follow

BURST = "sb26051102"
ABOUT = {"burst_id": BURST, "run_id": f"{BURST}__1", "is_test": True}
NOW = datetime(2026, 5, 11, 12, tzinfo=UTC)
EXAMPLES = [
    RunMessage(**ABOUT, state="started"),
    RunMessage(burst_id=None, run_id="manual__1", state="failed", reason="task_failure"),
    StepMessage(**ABOUT, task_id="fits_feed", state="retrying", try_number=1, error="disk full"),
    ReportMessage(
        **ABOUT,
        status="final",
        sequence=1,
        is_retracted=False,
        headline="Position",
        best_position=None,
        verdicts={"consistent": 2},
        path="/data/report.json",
        sha256="ab",
    ),
    IntakeMessage(what="gap", source="NATS stream MXTVHF_IN", reason="sequence 5 to 7", lost=3),
]


def step(number, **more):
    return StepMessage(**ABOUT, **more, task_id=f"step_{number}", state="started", try_number=1)


@asynccontextmanager
async def forwarding(folder, url, **options):
    """Run a forwarder on the folder."""
    client, stop = await connect(url, name="test-forwarder"), asyncio.Event()
    task = asyncio.create_task(forward_outbox(folder, client, stop=stop, **options))
    try:
        yield client
    finally:
        stop.set()
        await task
        await client.close()


async def empty(outbox):
    while outbox.waiting():
        await asyncio.sleep(0.01)


async def stored(url, **options):
    client = await connect(url, name="test-reader")
    found = [read_message(raw) async for raw in follow(client, live=False, **options)]
    await client.close()
    return found
