"""A real headless Chromium."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

# The browser's engine without windows, menus and profiles, which took more time than the pages of the tests.
PROGRAM = "/usr/bin/chromium-headless-shell"
# No sandbox: the tests also run as root; the rest keeps the browser from calling anyone.
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Debian's headless shell of Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=OPTIONS)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, url: str) -> Iterator[Page]:
    """Open an empty window that shares nothing with other windows."""
    with browser.new_page(base_url=url) as page:
        page.set_default_timeout(30_000)
        yield page


@contextmanager
def logged_in(
    browser: Browser, url: str, user: str, password: str, *, width: int, height: int
) -> Iterator[Page]:
    """Open an empty window of somebody who is logged in, without the pages of the login."""
    context = browser.new_context(base_url=url, viewport={"width": width, "height": height})
    login = context.request.post("/auth/token", data={"username": user, "password": password})
    token = login.json()["access_token"]
    context.add_cookies([{"name": "_token", "value": token, "url": url, "httpOnly": True}])
    page = context.new_page()
    page.set_default_timeout(30_000)
    yield page
    context.close()
