"""People with webhooks, and a notifier with a clock controlled by the test."""

from contextlib import ExitStack

import pytest

from mxtvhf.operation.stack.processes import wait_until
from support.duty import Installation
from support.webhook_server import WebhookServer


@pytest.fixture
def installation(tmp_path):
    return Installation(tmp_path)


@pytest.fixture
def phones(installation, tmp_path):
    """Return a webhook for each person."""
    with ExitStack() as stack:
        found = {}
        for tag in ("ada", "bob", "eve"):
            (tmp_path / tag).mkdir()
            found[tag] = stack.enter_context(WebhookServer(tmp_path / tag))
            installation.channel(tag, found[tag])
        yield found


@pytest.fixture
def at():
    """Run a round at a time, and wait until the outcomes of its messages are recorded at the same time."""

    def rounds(notifier, moment):
        notifier.round(moment)

        def is_done():
            notifier.round(moment)
            return not notifier.is_sending

        wait_until(is_done, what="the messages", timeout=60)

    return rounds
