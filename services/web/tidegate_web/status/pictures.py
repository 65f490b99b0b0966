"""Pictures of the history as SVG: lines over ten minutes. The same ones serve a page without JavaScript and a live one.

An SVG is stretched to its card, so it holds lines only; words stand beside it as HTML, where they keep their size.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from tidegate_web.status.history import SAMPLES

GRAIN_S = 2
"""Seconds that become one point of a line: what a screen can show of ten minutes, and half the bytes."""

WIDTH = SAMPLES
HEIGHT = 200
HEADROOM = 1.12
"""A line's top stays this much under the picture's."""

Point = tuple[float, float | None]
"""Seconds of the wall clock, and a value; None where there is none."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a picture.

    Attributes:
        name: What it shows.
        style: Class in the style sheet.
        points: Its values, in the order of time.
        stepped: Whether a value holds until the next, as a number of pods does.
    """

    name: str
    style: str
    points: Sequence[Point]
    stepped: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """An event on the time axis: when, and which class in the style sheet it has."""

    unix_s: float
    style: str
    title: str


@dataclass(frozen=True, slots=True)
class Axes:
    """What lines are drawn on.

    Attributes:
        floor: The upper edge is never below this value, so that noise around 0 does not fill the picture.
        limit: A value to draw a line at, where the picture reaches so high.
        marks: Events.
    """

    floor: float
    limit: float | None = None
    marks: Sequence[Mark] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn picture.

    Attributes:
        svg: The drawing.
        top: The value at its upper edge.
        described: What it shows, for those who cannot see it.
    """

    svg: str
    top: float
    described: str


def draw(lines: Sequence[Line], now: float, what: str, axes: Axes) -> Picture:
    """Draw lines over the ten minutes that end now.

    Args:
        lines: What to draw; the last one is on top.
        now: Seconds of the wall clock at the right edge.
        what: What the picture shows, for its description.
        axes: What they are drawn on.
    """
    largest = max((value for line in lines for _, value in line.points if value is not None), default=0.0)
    top = nice(max(largest * HEADROOM, axes.floor))
    parts = [f'<path class="grid" d="M0 {y}H{WIDTH}"/>' for y in range(0, HEIGHT + 1, HEIGHT // 4)]
    parts += [f'<path class="grid" d="M{x} 0V{HEIGHT}"/>' for x in range(0, WIDTH + 1, WIDTH // 5)]
    for mark in axes.marks:
        if (x := _x(mark.unix_s, now)) >= 0:
            parts.append(
                f'<path class="mark {mark.style}" d="M{x:.0f} 0V{HEIGHT}"><title>{_text(mark.title)}</title></path>'
            )
    if axes.limit is not None and axes.limit <= top:
        y = _y(axes.limit, top)
        parts.append(f'<path class="limit" d="M0 {y:.0f}H{WIDTH}"/>')
    parts += [path for line in lines for path in _paths(line, now, top)]
    described = f"{what}, the last ten minutes: {'; '.join(_describe(line) for line in lines)}"
    svg = (
        f'<svg class="picture" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{_text(described)}">{"".join(parts)}</svg>'
    )
    return Picture(svg, top, described)


def nice(value: float) -> float:
    """Round up to 1, 2, 3, 4, 5, 6 or 8 times a power of ten: a number that reads well on an axis."""
    power = 1.0
    while value > 10 * power:
        power *= 10
    while value <= power:
        power /= 10
    return next(step * power for step in (1, 2, 3, 4, 5, 6, 8, 10) if value <= step * power)


def thin(points: Iterable[Point]) -> list[Point]:
    """Join each grain's points into the largest: a peak stays visible. Grains are the clock's, so lines keep still."""
    thinned: list[Point] = []
    for grain, group in groupby(points, key=lambda point: point[0] // GRAIN_S):
        values = [value for _, value in group if value is not None]
        thinned.append(((grain + 1) * GRAIN_S, max(values) if values else None))
    return thinned


def _paths(line: Line, now: float, top: float) -> list[str]:
    """Draw a line with a paler area under it; a gap where it has no values, and a dot where one stands alone."""
    paths = []
    points = [(min(_x(at, now), WIDTH), value) for at, value in line.points if _x(at, now) >= 0]
    for there, group in groupby(points, key=lambda point: point[1] is not None):
        if not there:
            continue
        run = [(x, _y(value, top)) for x, value in group if value is not None]
        if len(run) == 1 and not line.stepped:
            ((x, y),) = run
            paths.append(f'<path class="dot {line.style}" d="M{x:.0f} {y:.1f}h0"/>')
            continue
        d = _steps(run) if line.stepped else "L".join(f"{x:.0f} {y:.1f}" for x, y in run)
        paths.append(
            f'<path class="area {line.style}" d="M{run[0][0]:.0f} {HEIGHT}L{d}V{HEIGHT}Z"/>'
            f'<path class="line {line.style}" d="M{d}"/>'
        )
    return paths


def _steps(run: Sequence[tuple[float, float]]) -> str:
    """Write a step at each change only."""
    (x, y), *rest = run
    d = f"{x:.0f} {y:.1f}"
    for x, later in rest:
        if later != y:
            d += f"H{x:.0f}V{later:.1f}"
            y = later
    return f"{d}H{x:.0f}"


def _x(unix_s: float, now: float) -> float:
    return WIDTH - (now - unix_s)


def _y(value: float, top: float) -> float:
    return HEIGHT * (1 - value / top)


def _describe(line: Line) -> str:
    values = [value for _, value in line.points if value is not None]
    if not values:
        return f"{line.name} nothing yet"
    return f"{line.name} now {values[-1]:.4g}, least {min(values):.4g}, most {max(values):.4g}"


def _text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
