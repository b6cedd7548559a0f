"""Text from elsewhere, made fit for a line of a log, a message or a terminal."""

from __future__ import annotations


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
    return line if longest is None or len(line) <= longest else f"{line[: longest - 3]}..."
