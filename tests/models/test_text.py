"""Untrusted text is shown on one line and can always be written."""

import io
import logging
import os

from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.models.text import LineFormatter, escaped, one_line

ANY_TEXT = st.text(st.characters(codec=None)) | st.binary().map(os.fsdecode)


@given(text=ANY_TEXT)
def test_any_text_becomes_one_printable_line_that_utf_8_can_hold(text):
    for line in (escaped(text), one_line(text), escaped(text, 20)):
        assert line.isprintable()
        line.encode()
    assert len(escaped(text, 20)) <= 20


def test_an_escaped_name_shows_its_bytes():
    assert escaped(os.fsdecode(b"caf\xe9 \x1b[2J\n.xml")) == r"caf\xe9 \x1b[2J\n.xml"
    assert escaped("été, naïve 中文") == "été, naïve 中文"


def test_a_log_has_one_line_for_each_message_and_a_traceback_below(caplog):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter("%(levelname)s %(message)s"))
    log = logging.Logger("test")  # separate from the loggers of the program
    log.addHandler(handler)
    log.error("name %s", "a\nERROR forged \x1b[2J\udce9")
    try:
        raise ValueError("\x07 bell")
    except ValueError:
        log.exception("it failed")
    first, second, *traceback = stream.getvalue().splitlines()
    assert (first, second) == (r"ERROR name a\nERROR forged \x1b[2J\xe9", "ERROR it failed")
    assert traceback[0].startswith("Traceback")
    assert traceback[-1] == r"ValueError: \x07 bell"
