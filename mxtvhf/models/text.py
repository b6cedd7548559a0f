"""Text from elsewhere, made fit for a line of a log, a message or a terminal."""

from __future__ import annotations

import logging


def one_line(text: object, longest: int | None = None) -> str:
    """Return a text on one line that any terminal can show.

    Parameters
    ----------
    text
        Anything; its ``str`` is taken.
    longest
        Characters kept; a longer text ends with ``...``. None: all of them.

    Returns
    -------
    str
        White space, line breaks included, is one space; control characters are ``?``.
    """
    line = "".join(char if char.isprintable() else "?" for char in " ".join(str(text).split()))
    return _shortened(line, longest)


def escaped(text: object, longest: int | None = None) -> str:
    r"""Return a text on one line in which unprintable characters are escapes, so that a name can be found.

    Parameters
    ----------
    text
        Anything; its ``str`` is taken.
    longest
        Characters kept; a longer text ends with ``...``. None: all of them.

    Returns
    -------
    str
        Control characters are escapes such as ``\n`` and ``\x1b``; a byte of a file name that is not UTF-8,
        which Python holds as a surrogate (PEP 383), is ``\xe9``. UTF-8 and JSON can hold the result.
    """
    return _shortened("".join(char if char.isprintable() else _escape(char) for char in str(text)), longest)


def is_utf8(text: object) -> bool:
    """Tell whether UTF-8 can hold a text; it cannot hold a file name of other bytes (see `escaped`)."""
    try:
        str(text).encode()
    except UnicodeEncodeError:
        return False
    return True


class LineFormatter(logging.Formatter):
    """Formats each log message as one line, whatever it quotes; a traceback keeps its lines."""

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
