"""A night on duty in a real browser: the next person decides, and everything is retracted later."""

from contextlib import suppress

import pytest
from playwright.sync_api import TimeoutError as PageTimeout
from playwright.sync_api import expect

from mxtvhf.notices.voevent import read_alert
from mxtvhf.notification.ledger import Ledger
from mxtvhf.operation.stack.airflow_config import user_passwords
from mxtvhf.operation.stack.processes import wait_until
from mxtvhf.reporting.announcement.model import Release
from mxtvhf.simulator.notices import write_notice
from support.arrivals import retraction_of
from support.browser import logged_in

pytestmark = [pytest.mark.integration, pytest.mark.browser]

BURST = "sb27060105"
STEP_MS = 5000
"""Of a step on a page that may change meanwhile."""
COMMENT = "Fades; no star there."
CORRECTION = "The position of ECLAIRs is safer."
RETRACTION = "SVOM found a particle event."


@pytest.fixture
def eve(browser, stack, settings):
    """The browser of eve, who uses the desk on a phone."""
    password = user_passwords(settings.home)["eve"]
    with logged_in(browser, stack.url, "eve", password, width=390, height=844) as page:
        yield page


def releases(settings):
    """Return the announcements with their folders, in their order."""
    paths = (settings.releases / BURST).glob("*/release.json")
    found = [(Release.model_validate_json(path.read_bytes()), path.parent) for path in paths]
    return sorted(found, key=lambda one: one[0].number)


def paged(pager, word):
    """Return the notifications of eve with a word in the title."""
    return [body for _, body in pager.got if BURST in body["title"] and word in body["title"]]


def test_the_next_person_decides_and_retracts(lay, arrivals, settings, mail, pager, webhook, eve):
    these = arrivals(BURST, role="observation")
    lay(BURST, wakeup_xml=these["wakeup_xml"], packets_bin=these["packets_bin"])
    wait_until(
        lambda: any(f"{BURST}: first position" in message["Subject"] for message in mail.got),
        what="a mail to ada about the first position",
        timeout=180,
    )
    # Ada does not answer.
    wait_until(lambda: paged(pager, "decision needed"), what="a message to eve", timeout=120)
    record = Ledger(settings.notifications).record(BURST)
    sent = next(one.time for one in record.attempts if one.state == "sent")
    written = next(one.raised for one in record.occurrences if one.event == "first_position")
    print(f"notified {(sent - written).total_seconds():.1f} s after the first position")
    asked = [one["Subject"] for one in mail.got if f"{BURST}: " in one["Subject"]]
    assert len([subject for subject in asked if "decision needed" in subject]) == 1
    (message,) = paged(pager, "decision needed")
    (link,) = (word for word in message["message"].split() if "/mxtvhf/desk/" in word)

    eve.goto(link)
    eve.get_by_role("button", name="I have it").click()
    expect(eve.locator("#duty")).to_contain_text("by Eve at")
    assert eve.evaluate("document.documentElement.scrollWidth") <= 390

    eve.goto(link.split("?")[0])
    eve.get_by_label("Comment").fill(COMMENT)
    lay(BURST, alert_xml=these["alert_xml"])
    newer = eve.locator("[data-hold]")
    expect(newer).to_contain_text("Your comment is kept.", timeout=120_000)
    expect(eve.get_by_label("Comment")).to_have_value(COMMENT)
    wait_until(lambda: approved(eve, settings), what="the announcement", timeout=240)
    ((announced, _),) = releases(settings)
    assert (announced.decision.decided_by, announced.decision.comment) == ("eve", COMMENT)
    wait_until(lambda: any(BURST in text for text in webhook.texts), what="a message to the chat", timeout=60)

    eve.get_by_text("Correct announcement 1").click()
    eve.get_by_label("Position to announce instead").select_option("eclairs-wakeup")
    second, event = changed(eve, settings, "Correct", CORRECTION)
    assert (second.position.origin, second.decision.comment) == ("ECLAIRs", CORRECTION)
    assert 'cite="supersedes"' in event
    assert announced.ivorn in event

    lay(BURST, retraction_xml=write_notice(retraction_of(read_alert(these["wakeup_xml"]))))
    wait_until(lambda: paged(pager, "retracted by SVOM"), what="a message about the retraction", timeout=120)
    expect(eve.locator("#banners")).to_contain_text("is out and must be retracted", timeout=120_000)
    third, event = changed(eve, settings, "Retract", RETRACTION)
    assert (third.is_retraction, third.decision.decided_by, third.number) == (True, "eve", 3)
    assert 'cite="retraction"' in event
    assert second.ivorn in event
    expect(eve.locator("#announced")).to_contain_text("It retracts announcement 2.")


def changed(page, settings, word, reason):
    """Correct or retract the announcement, and return the new announcement and its VOEvent."""
    before = len(releases(settings))
    form = page.locator(f"#{word.lower()}-form")
    form.locator("[name=reason]").fill(reason)
    form.get_by_role("button", name=word, exact=True).click()
    expect(page.locator("#change-text")).to_contain_text(reason)
    page.locator("#change-yes").click()
    wait_until(lambda: len(releases(settings)) > before, what=f"the announcement by {word}", timeout=120)
    expect(page.locator("#change")).to_be_hidden()
    release, folder = releases(settings)[-1]
    return release, (folder / "voevent.xml").read_text()


def approved(page, settings):
    """Approve the newest result, and repeat it if the page changed meanwhile."""
    if releases(settings):
        return True
    with suppress(PageTimeout):
        if page.locator("#confirm").is_visible():
            page.locator("#confirm-no").click(timeout=STEP_MS)
        if page.locator("[data-hold] [data-show-newer]").is_visible():
            page.locator("[data-hold] [data-show-newer]").click(timeout=STEP_MS)
        comment = page.get_by_label("Comment")
        if comment.is_visible() and comment.input_value(timeout=STEP_MS) != COMMENT:
            comment.fill(COMMENT, timeout=STEP_MS)
        page.get_by_role("button", name="Approve", exact=True).click(timeout=STEP_MS)
        page.locator("#confirm-yes").click(timeout=STEP_MS)
    page.wait_for_timeout(1000)
    return bool(releases(settings))
