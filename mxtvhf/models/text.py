"""Make untrusted text safe for a line of a log, a message or a terminal."""

from __future__ import annotations

import logging
import re

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9])")


def one_line(text: object, longest: int | None = None) -> str:
    """Return text as one line that any terminal can show.

    Parameters
    ----------
    text
        Any object; its ``str`` is used.
    longest
        Maximum number of characters; a longer text ends with ``...``. None means no limit.

    Returns
    -------
    str
        White space, including line breaks, becomes one space; control characters become ``?``.
    """
    line = "".join(char if char.isprintable() else "?" for char in " ".join(str(text).split()))
    return _shortened(line, longest)


def escaped(text: object, longest: int | None = None) -> str:
    r"""Return text as one line with unprintable characters escaped, so that a name can be found.

    Parameters
    ----------
    text
        Any object; its ``str`` is used.
    longest
        Maximum number of characters; a longer text ends with ``...``. None means no limit.

    Returns
    -------
    str
        Control characters become escapes such as ``\n`` and ``\x1b``; a byte of a file name that is not
        UTF-8, which Python represents as a surrogate (PEP 383), becomes ``\xe9``. The result can be encoded
        in UTF-8 and JSON.
    """
    return _shortened("".join(char if char.isprintable() else _escape(char) for char in str(text)), longest)


def sentences(text: str) -> list[str]:
    """Return the sentences of a text; one ends at a full stop before a capital letter or a digit."""
    return [one for one in (part.strip() for part in _SENTENCE_END.split(text)) if one]


def is_utf8(text: object) -> bool:
    """Return True if the text can be encoded in UTF-8; some file names cannot (see `escaped`)."""
    try:
        str(text).encode()
    except UnicodeEncodeError:
        return False
    return True


class LineFormatter(logging.Formatter):
    """Formats each log message as one line, whatever text it quotes; a traceback keeps its lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # of logging
        """Format the message without its traceback."""
        return escaped(super().formatMessage(record))

    def formatException(self, ei: object) -> str:  # noqa: N802  # of logging
        """Format the traceback, each line escaped."""
        return "\n".join(map(escaped, super().formatException(ei).split("\n")))  # type: ignore[arg-type]


def _escape(char: str) -> str:
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    return ascii(char)[1:-1]


def _shortened(line: str, longest: int | None) -> str:
    return line if longest is None or len(line) <= longest else f"{line[: longest - 3]}..."
