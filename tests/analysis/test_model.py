import pytest

from mxtvhf.analysis.model import Measurement, measurement_text


@pytest.mark.parametrize(
    ("measured", "unit", "text"),
    [
        ((2.034, 0.34, 0.37), "", "2.03 -0.34 +0.37"),
        ((7.245e-12, 2.43e-12, 3.69e-12), "erg/cm2/s", "(7.2 -2.4 +3.7)e-12 erg/cm2/s"),
        ((1e21, 0.0, 0.0), "1/cm2", "(1.0)e+21 1/cm2"),
        ((0.5, None, 0.2), "", "0.50 -? +0.20"),
        ((0.0, 0.1, 0.3), "", "0.00 -0.10 +0.30"),
        ((0.0, 0.0, 0.0), "", "0.0"),
        ((128.4, 11.2, 12.0), "counts/s", "128 -11 +12 counts/s"),
    ],
)
def test_measurement_text(measured, unit, text):
    value, low, high = measured
    assert measurement_text(Measurement(value=value, error_low=low, error_high=high), unit) == text
