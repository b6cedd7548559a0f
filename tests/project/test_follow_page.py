"""``docs/follow.html`` in a real browser, over the WebSocket of a real NATS."""

import asyncio

import pytest
from playwright.async_api import async_playwright, expect

from mxtvhf.reporting.messages import RunMessage, StepMessage
from mxtvhf.reporting.messages.connection import connect
from support.browser import OPTIONS, PROGRAM
from support.project import PROJECT

pytestmark = [pytest.mark.browser, pytest.mark.service]

PAGE = PROJECT / "docs" / "follow.html"
ABOUT = {"burst_id": "sb26051102", "run_id": "sb26051102__1"}


def test_the_page_shows_messages_as_text_and_survives_a_restart_of_nats(nats_server):
    failed = StepMessage(
        **ABOUT,
        task_id="fits_feed",
        state="failed",
        try_number=1,
        is_test=True,
        error="<b>é</b> " + "x" * 900,
    )
    done = RunMessage(**ABOUT, state="succeeded", is_test=False)

    async def use(page):
        # The client's longest wait between two tries is 5 s, the page's 2 s.
        client = await connect(nats_server.url, name="test")
        await page.goto(f"{PAGE.as_uri()}?nats={nats_server.websocket_url}")
        await expect(page.locator("#state")).to_contain_text("following mxtvhf.out.>")
        await client.publish(failed.subject, failed.model_dump_json().encode())
        row = page.locator("tr.failed")
        await expect(row).to_contain_text("<b>é</b> xxx")
        await expect(row).to_contain_text("TEST")
        nats_server.kill()
        await expect(page.locator("#state")).to_contain_text("no connection")
        nats_server.start()
        await expect(page.locator("#state")).to_contain_text("following")
        while not client.is_connected:
            await asyncio.sleep(0.05)
        for _ in range(200):
            await client.publish(done.subject, done.model_dump_json().encode())
        await expect(page.locator("tr.succeeded")).to_have_count(200)
        assert await page.locator("tr.succeeded", has_text="TEST").count() == 0
        await client.close()

    async def browse():
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=PROGRAM, args=OPTIONS)
            page = await browser.new_page()
            page.set_default_timeout(30_000)
            expect.set_options(timeout=30_000)
            await use(page)
            await browser.close()

    asyncio.run(browse())
