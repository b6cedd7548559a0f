"""Numbers as circulars print them: as many digits as their errors allow."""

import pytest

from mxtvhf.analysis.model import Measurement
from mxtvhf.reporting.announcement.numbers import at_90, interval_text, quantity_text


@pytest.mark.parametrize(
    ("value", "low", "high", "unit", "text"),
    [
        (1.234e-10, 4.1e-11, 4.1e-11, "erg/cm^2/s", "(1.2 +- 0.4) x 10^-10 erg/cm^2/s"),
        (7.2e-11, 2.4e-11, 3.7e-11, "erg/cm^2/s", "7.2 (+3.7/-2.4) x 10^-11 erg/cm^2/s"),
        (1.31, 0.42, 0.44, "", "1.3 +- 0.4"),
        (2.03, 0.34, 0.37, "", "2.03 (+0.37/-0.34)"),
        (0.57, 0.08, 0.08, "counts/s", "(0.57 +- 0.08) counts/s"),
        (0.57, 0.096, 0.096, "counts/s", "(0.57 +- 0.10) counts/s"),
        (12345.0, 1500.0, 1500.0, "counts", "(1.23 +- 0.15) x 10^4 counts"),
        (123.0, 48.0, 48.0, "s", "(120 +- 50) s"),
        (0.0, 0.2, 0.2, "", "0.00 +- 0.20"),
        (-0.0012, 0.5, 0.5, "", "0.0 +- 0.5"),
        (0.004, 0.3, 0.3, "", "0.00 +- 0.30"),
        (1.0e-13, 4.0e-12, 4.0e-12, "", "(0 +- 4) x 10^-12"),
        (1.0e-12, None, None, "erg/cm^2/s", "1 x 10^-12 erg/cm^2/s"),
        (1.0e-12, None, 1e-13, "", "1 x 10^-12"),
    ],
)
def test_a_number_has_the_digits_of_its_errors(value, low, high, unit, text):
    assert interval_text(Measurement(value=value, error_low=low, error_high=high), unit) == text


def test_numbers_without_errors_have_two_digits():
    assert quantity_text(4.234e-12, "erg/cm^2/s") == "4.2 x 10^-12 erg/cm^2/s"
    assert quantity_text(9.96, "s") == "1.0 x 10^1 s"


def test_normal_errors_at_90_percent():
    wide = at_90(Measurement(value=3.0, error_low=1.0, error_high=None))
    assert (wide.value, wide.error_low, wide.error_high) == (3.0, 1.645, None)
