"""Plots of the desk as inline SVG, in the light or dark colours of the page.

A chart holds its marks in data units and converts them to pixels of the view box; the template
``chart.html.j2`` draws them. Matplotlib draws the plots of the report, but its import would take a second in
the API server.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, isfinite, log10

WIDTH, HEIGHT = 480.0, 280.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 10.0, 8.0, 44.0
"""Margins for tick labels and axis labels, px of the view box."""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """Axis with its label (unit included) and its limits."""

    words: str
    low: float
    high: float
    is_log: bool = False
    names: tuple[tuple[float, str], ...] = ()
    """Ticks with their labels, instead of round numbers."""

    def part(self, value: float) -> float:
        """Return the place of a value between the limits, 0 to 1."""
        if self.is_log:
            return (log10(max(value, self.low * 1e-3)) - log10(self.low)) / (
                log10(self.high) - log10(self.low)
            )
        return (value - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Ticks within the limits, as value and label."""
        if self.names:
            return list(self.names)
        return [
            (one, f"{one:.6g}") for one in (log_ticks if self.is_log else even_ticks)(self.low, self.high)
        ]


def even_ticks(low: float, high: float) -> list[float]:
    """Return about five round numbers between two limits: 1, 2 or 5 times a power of ten apart."""
    rough = (high - low) / 5.0
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= rough * 0.999)
    return [number * step for number in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return the decades between two limits, and 2 and 5 times them over less than 2.5 decades."""
    decades = range(floor(log10(low)), ceil(log10(high)) + 1)
    factors = (1.0,) if log10(high / low) >= 2.5 else (1.0, 2.0, 5.0)
    every = (factor * 10.0**decade for decade in decades for factor in factors)
    return [one for one in every if low * 0.999 <= one <= high * 1.001]


@dataclass(frozen=True)
class Series:
    """Marks of one kind, with their label in the legend."""

    name: str
    style: str
    """Class in the style sheet, which sets colour and line style."""
    dots: Points = ()
    errors: Sequence[tuple[float, float, float]] = ()
    """Error bars: x, lower and upper end."""
    lines: Sequence[Points] = ()
    bars: Sequence[tuple[float, float, float]] = ()
    """Bars from zero: left side, right side, height."""


@dataclass(frozen=True)
class Chart:
    """Plot with one panel."""

    title: str
    description: str
    """Text alternative for screen readers."""
    across: Axis
    upward: Axis
    series: tuple[Series, ...] = field(default=())

    def x(self, value: float) -> float:
        """Return the column of a value, px."""
        return round(LEFT + (WIDTH - LEFT - RIGHT) * self.across.part(value), 1)

    def y(self, value: float) -> float:
        """Return the row of a value, px; values outside the panel end at its edge."""
        part = min(max(self.upward.part(value), 0.0), 1.0)
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part, 1)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height, px."""
        return WIDTH, HEIGHT

    @property
    def frame(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom edge of the panel, px."""
        return LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM

    def path(self, points: Points) -> str:
        """Return a line through points as the ``d`` attribute of a path."""
        return "M" + "L".join(f"{self.x(x)} {self.y(y)}" for x, y in points)

    def bar(self, left: float, right: float, height: float) -> str:
        """Return a bar as the ``d`` attribute of a path."""
        return self.path([(left, 0.0), (left, height), (right, height), (right, 0.0)]) + "Z"


def limits(values: Iterable[float], *, margin: float = 0.06, zero: bool = False) -> tuple[float, float]:
    """Return limits around finite values with a margin; never an empty range.

    Parameters
    ----------
    values
        Values that must lie inside; others than finite ones are ignored.
    margin
        Fraction of the range that is added on each side.
    zero
        True if zero must lie inside; as the lowest value it gets no margin.
    """
    finite = [value for value in values if isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    span = (high - low) or abs(high) or 1.0
    return (low if zero and low == 0.0 else low - margin * span), high + margin * span
