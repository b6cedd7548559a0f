"""The documentation's page of error messages has exactly the messages of the source."""

from __future__ import annotations

import ast

import pytest

from docs.error_messages import ERRORS, PAGE, SECTIONS, messages, raised, read_page

RENEW = f"run `python docs/error_messages.py`, then write the advice in {PAGE.name}"

SOURCE = """
READABLE = "FITS or CSV"

def check(path, is_folder, names):
    if is_folder:
        raise InvalidInput(f"{path}: is a {'folder' if is_folder else 'pipe'}; expected a file")
    cause = "no such file"
    if names:
        cause = f"not {READABLE}: line {names!r} has no end"
    def inner():
        return HTTPException(404, f"no run {path}")
    log(f"{path}: is read")
    if is_late:
        raise polling.given_up(f"{path}: no result, given up")
    raise InvalidInput(f"{path}: " + cause) from None
    raise ValueError(str(path))
"""


def test_texts_of_raised_and_returned_errors_are_found_with_their_alternatives():
    assert set(raised(ast.parse(SOURCE), ERRORS | {"InvalidInput"})) == {
        "…: is a …; expected a file",
        "…: no such file",
        "…: not FITS or CSV: line … has no end",
        "no run …",
        "…: no result, given up",
        "…",
    }


@pytest.fixture(scope="module")
def found():
    return messages()


def test_every_message_of_the_source_is_on_the_page(found):
    _, sections = read_page()
    missing = {
        heading: texts - sections[heading].advice.keys() if heading in sections else texts
        for heading, texts in found.items()
    }
    assert not any(missing.values()), RENEW + "".join(f"\n{h}: {t}" for h, t in missing.items() if t)


def test_every_message_of_the_page_is_in_the_source(found):
    _, sections = read_page()
    surplus = {h: section.advice.keys() - found.get(h, set()) for h, section in sections.items()}
    assert not any(surplus.values()), RENEW + "".join(f"\n{h}: {t}" for h, t in surplus.items() if t)


def test_the_page_has_the_sections_of_the_script_each_with_an_introduction():
    _, sections = read_page()
    assert list(sections) == list(SECTIONS)
    assert [heading for heading, section in sections.items() if not section.introduction] == []
