import pytest

from mxtvhf.models.position import Position
from support.positions import place


@pytest.mark.parametrize(
    ("ra", "dec", "r90", "degrees", "sexagesimal"),
    [
        (212.5, -12.73, 48.0, "212.5000 -12.7300", "14:10:00.0 -12:43:48"),
        (359.99996, -0.00001, 48.0, "0.0000 +0.0000", "00:00:00.0 +00:00:00"),
        (359.999994, 89.99999, 4.0, "359.99999 +89.99999", "00:00:00.00 +90:00:00.0"),
        (359.999996, 0.0, 4.0, "0.00000 +0.00000", "00:00:00.00 +00:00:00.0"),
        (10.0, 5.0, 0.36, "10.000000 +5.000000", "00:40:00.000 +05:00:00.00"),
        (10.00004, 5.0, None, "10.0000 +5.0000", "00:40:00.0 +05:00:00"),
    ],
)
def test_the_error_radius_determines_the_digits(
    ra: float, dec: float, r90: float | None, degrees: str, sexagesimal: str
) -> None:
    found: Position = place(ra, dec, r90)
    assert (" ".join(found.degrees_text), " ".join(found.sexagesimal_text)) == (degrees, sexagesimal)
