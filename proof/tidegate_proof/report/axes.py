"""Where a value lies on a picture, and the grid behind it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tidegate_proof.report import svg
from tidegate_proof.report.wording import clock, digits

WIDE = 960
NARROW = 420
"""Widths of the two drawings of each picture, in pixels of a page."""

_TIMES_S = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_ENOUGH_TICKS = 3
_MULTIPLES = (1, 2, 2.5, 5, 10)


def span(most: float, ticks: int = 4) -> tuple[float, float]:
    """Choose a linear axis from 0: its end and the step between ticks, both easy to read.

    Args:
        most: The largest value that must fit.
        ticks: About how many steps there should be.
    """
    rough = (most or 1) / ticks
    power = 10 ** math.floor(math.log10(rough))
    step = next(multiple * power for multiple in _MULTIPLES if rough <= multiple * power * (1 + 1e-9))
    return step * math.ceil(round((most or 1) / step, 9)), step


def pods_span(most: float) -> tuple[float, float]:
    """Choose an axis for whole pods."""
    step = max(1, math.ceil(most / 4))
    return step * max(1, math.ceil(most / step)), step


def time_step(duration_s: float, ticks: int) -> int:
    """Choose the seconds between ticks of a time axis."""
    return next((step for step in _TIMES_S if duration_s / step <= ticks), _TIMES_S[-1])


@dataclass(frozen=True, slots=True)
class Frame:
    """The rectangle that values are drawn in, and the scales of its sides.

    Attributes:
        width: Of the whole drawing.
        height: The same.
        left: Room for labels of the y axis.
        right: Room beside the rectangle.
        top: Room above it.
        bottom: Room for labels of the x axis.
        x_from: Value at the left side.
        x_to: Value at the right side.
        y_from: Value at the lower side.
        y_to: Value at the upper side.
        log_y: Whether y is logarithmic.
    """

    width: float
    height: float
    x_from: float
    x_to: float
    y_from: float = 0.0
    y_to: float = 1.0
    left: float = 54
    right: float = 14
    top: float = 12
    bottom: float = 24
    log_y: bool = False

    @property
    def right_side(self) -> float:
        """The x of the rectangle's right side."""
        return self.width - self.right

    @property
    def floor(self) -> float:
        """The y of the rectangle's lower side."""
        return self.height - self.bottom

    def x(self, value: float) -> float:
        """Place a value; one outside of the axis lies on its end."""
        share = (value - self.x_from) / (self.x_to - self.x_from)
        return self.left + min(max(share, 0.0), 1.0) * (self.right_side - self.left)

    def y(self, value: float) -> float:
        """Place a value; one outside of the axis lies on its end."""
        if self.log_y:
            share = math.log(max(value, self.y_from) / self.y_from) / math.log(self.y_to / self.y_from)
        else:
            share = (value - self.y_from) / (self.y_to - self.y_from)
        return self.floor - min(max(share, 0.0), 1.0) * (self.floor - self.top)

    def rows(self, values: Sequence[float], label: Callable[[float], str] = digits) -> Markup:
        """Draw a line across for each value, with its label."""
        return Markup("").join(
            svg.line(self.left, self.y(value), self.right_side, self.y(value), "grid")
            + svg.text(self.left - 8, self.y(value) + 4, label(value), style="tick", anchor="end")
            for value in values
        )

    def columns(self, values: Sequence[float], label: Callable[[float], str], *, lines: bool = True) -> Markup:
        """Draw the labels below, and a line upwards for each value where lines are wanted."""
        return Markup("").join(
            (svg.line(self.x(value), self.top, self.x(value), self.floor, "grid") if lines else Markup(""))
            + svg.text(self.x(value), self.floor + 17, label(value), style="tick", anchor="middle")
            for value in values
        )

    def times(self, ticks: int) -> Markup:
        """Draw a time axis: x is seconds."""
        step = time_step(self.x_to - self.x_from, ticks)
        values = [step * index for index in range(math.floor(self.x_to / step) + 1)]
        return self.columns([value for value in values if self.x(value) < self.right_side - 16], clock)


def linear(to: float, step: float) -> list[float]:
    """List the ticks of a linear axis from 0."""
    return [step * index for index in range(round(to / step) + 1)]


def decades(low: float, high: float) -> list[float]:
    """List the ticks of a logarithmic axis: powers of ten; with fewer than three of them inside, 1, 2 and 5 of each."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    tens = [10.0**power for power in powers if low <= 10.0**power <= high]
    if len(tens) >= _ENOUGH_TICKS:
        return tens
    return [many * 10.0**power for power in powers for many in (1, 2, 5) if low <= many * 10.0**power <= high]
