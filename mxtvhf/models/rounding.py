"""Round numbers for people to the digits that their errors allow.

Numbers of published texts are written through this module. Two digits of the error are kept (Particle Data
Group, "Introduction", section 5.3, without its exception for errors from 3.55 to 9.49); an error that would
become 10 by rounding counts as 10.
"""

from __future__ import annotations

from math import floor, isfinite, log10

ROUNDS_UP = 0.95
"""An error of at least 0.95 is written as 1.0, so it already has the next power of ten."""


def decimals(error: float) -> int:
    """Return the decimal places of a number that suit its error.

    Parameters
    ----------
    error
        Uncertainty of the number in the same unit; larger than 0.

    Returns
    -------
    int
        Decimal place of the second digit of the error: 2 for 0.34, 0 for 48, -1 for 480.
    """
    return 1 - floor(log10(error / ROUNDS_UP))


def rounded(value: float, error: float | None) -> float:
    """Round a number to the decimal places that its error allows.

    Parameters
    ----------
    value
        The number.
    error
        Its uncertainty in the same unit. If it is None, 0 or not finite, three digits of the number are kept.
    """
    if error is not None and error > 0.0 and isfinite(error):
        return round(value, decimals(error))
    return float(f"{value:.3g}")
