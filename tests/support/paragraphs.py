"""The paragraphs of a page, and the number of their sentences."""

import re
from html.parser import HTMLParser

BLOCKS = {"p", "li", "dd", "td", "th", "figcaption", "summary", "label", "legend", "h1", "h2", "h3", "dt"}
QUOTED = {"blockquote", "pre", "script", "style"}
"""Text of a person, a draft, or none for people."""
_END = re.compile(r"[.!?](?=\s+[A-Z0-9]|$)")


class Paragraphs(HTMLParser):
    """Text of each innermost block element of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._text: list[str] = []
        self._quoted = 0
        self.feed(page)

    def handle_starttag(self, tag: str, _: object) -> None:
        self._quoted += tag in QUOTED
        if tag in BLOCKS:
            self._close()

    def handle_endtag(self, tag: str) -> None:
        self._quoted -= tag in QUOTED
        if tag in BLOCKS:
            self._close()

    def handle_data(self, data: str) -> None:
        if not self._quoted:
            self._text.append(data)

    def _close(self) -> None:
        text = " ".join("".join(self._text).split())
        self._text = []
        if text:
            self.found.append(text)


def long_paragraphs(page: str, most: int = 3) -> list[str]:
    """Return the paragraphs of a page with more than ``most`` sentences."""
    return [text for text in Paragraphs(page).found if len(_END.findall(text)) > most]
