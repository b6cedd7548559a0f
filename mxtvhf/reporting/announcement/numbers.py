"""Format numbers with errors as in circulars: ``(1.2 +- 0.3) x 10^-10 erg/cm^2/s``, ``1.3 (+0.4/-0.5)``."""

from __future__ import annotations

from math import floor, log10

from mxtvhf.analysis.model import Measurement
from mxtvhf.models.rounding import decimals

ONE_DIGIT_FROM = 3.55
"""Leading digits of an error from which it has one digit; below, two (Particle Data Group)."""
PLAIN_POWERS = range(-2, 4)
"""Powers of ten of numbers that are printed without an exponent."""
SIGMAS_90 = 1.645
"""Half width of the 90 % interval of a normal distribution, standard deviations."""


def interval_text(measured: Measurement, unit: str = "") -> str:
    """Format a number with its interval.

    Parameters
    ----------
    measured
        Number with both errors, or without errors, which gives two digits.
    unit
        Unit to append.

    Returns
    -------
    str
        Equal errors as ``+- 0.4``, others as ``(+0.4/-0.5)``.
    """
    largest = max(abs(measured.value), measured.error_low or 0.0, measured.error_high or 0.0)
    power = floor(log10(largest)) if largest else 0
    power = 0 if power in PLAIN_POWERS else power
    scaled = measured.scaled(10.0**-power)
    if scaled.error_low and scaled.error_high:
        digits = _decimals(min(scaled.error_low, scaled.error_high))
        value, low, high = (
            f"{round(number, digits) + 0.0:.{max(0, digits)}f}"  # without a negative zero
            for number in (scaled.value, scaled.error_low, scaled.error_high)
        )
        text = f"{value} +- {low}" if low == high else f"{value} (+{high}/-{low})"
        if low == high and (power or unit):
            text = f"({text})"
    else:
        text = f"{scaled.value:.2g}"
    factor = f" x 10^{power}" if power else ""
    return f"{text}{factor} {unit}".rstrip()


def quantity_text(value: float, unit: str, digits: int = 2) -> str:
    """Format a number without an error: ``4.2 x 10^-12 erg/cm^2/s``."""
    mantissa, power = f"{value:.{digits - 1}e}".split("e")
    factor = "" if int(power) == 0 else f" x 10^{int(power)}"
    return f"{mantissa}{factor} {unit}"


def at_90(measured: Measurement) -> Measurement:
    """Return a number with 90 % errors instead of 68 % ones, for normal errors."""
    low, high = measured.error_low, measured.error_high
    return Measurement(
        value=measured.value,
        error_low=None if low is None else SIGMAS_90 * low,
        error_high=None if high is None else SIGMAS_90 * high,
    )


def _decimals(error: float) -> int:
    """Return the decimal places of a number with an error: one or two digits of the error."""
    leading = error / 10.0 ** floor(log10(error))
    return decimals(error) - (ONE_DIGIT_FROM <= leading < 9.5)
