"""Latency as a heat map: a column is a few seconds, a row a range of latencies; the darker the more of the answers."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from tidegate_proof.report import svg
from tidegate_proof.report.axes import WIDE, Frame, decades
from tidegate_proof.report.course import COLUMNS, Course, backdrop, grain, grouped, picture, points
from tidegate_proof.report.wording import count
from tidegate_proof.report.wording import latency as in_words

SHARES = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3)
"""A cell of level n holds more than SHARES[n - 1] of its column's answers."""

_HALF_DECADE = math.sqrt(10)

_NEVER_AT = 12
_NEVER_HIGH = 9
_TOP = 34
"""Room above the map, for the row of those that were never answered right."""


@dataclass(frozen=True, slots=True)
class Heat:
    """Answers counted by time and latency.

    Attributes:
        bin_s: Seconds of one bin of time.
        bounds_ns: Borders between the ranges of latency, rising.
        counts: For each bin of time the right answers in each range: up to the first border, between, above the last.
        never: For each bin of time the requests that got no right answer.
    """

    bin_s: int
    bounds_ns: Sequence[int]
    counts: Sequence[Sequence[int]]
    never: Sequence[int]


@dataclass(frozen=True, slots=True)
class Latency:
    """What the latency picture shows.

    Attributes:
        heat: All answers, counted.
        p50_ns: Of each second, from the intended start; None where nothing was answered.
        p99_ns: The same.
        slo_ns: The objective.
        quantile: That must lie within it.
    """

    heat: Heat
    p50_ns: Sequence[float | None]
    p99_ns: Sequence[float | None]
    slo_ns: float
    quantile: float


def latency(course: Course, shown: Latency) -> svg.Picture:
    """Draw the heat map, both quantiles over it, and the objective."""
    columns, column_s = _columns(shown.heat, course)
    low, high = _range(shown, columns)
    grain_s = course.grain_s
    lines = {"p50": grouped(shown.p50_ns, grain_s, max), "p99": grouped(shown.p99_ns, grain_s, max)}

    def draw(frame: Frame) -> Markup:
        frame = replace(frame, y_from=low, y_to=high, log_y=True, top=_TOP)
        return (
            backdrop(frame, course)
            + frame.rows(decades(low, high), in_words)
            + frame.times(12 if frame.width == WIDE else 6)
            + _cells(frame, columns, column_s, shown.heat.bounds_ns)
            + _never(frame, shown.heat, column_s)
            + Markup("").join(
                svg.path(svg.joined(points(frame, values, grain_s)), "line halo")
                + svg.path(svg.joined(points(frame, values, grain_s)), f"line {name}")
                for name, values in lines.items()
            )
            + svg.line(frame.left, frame.y(shown.slo_ns), frame.right_side, frame.y(shown.slo_ns), "line slo")
            + svg.text(
                frame.right_side - 4,
                frame.y(shown.slo_ns) - 5,
                f"objective {in_words(shown.slo_ns)}",
                style="slo-name",
                anchor="end",
            )
        )

    worst = max((value for value in shown.p99_ns if value is not None), default=None)
    described = (
        f"On a logarithmic axis. The objective is {in_words(shown.slo_ns)} for {100 * shown.quantile:g} % of a "
        f"second's requests; the largest p99 of a second was {in_words(worst)}."
    )
    legend = [("heat shade", "answers: few to many"), ("p50", "p50"), ("p99", "p99"), ("slo", "objective")]
    if any(shown.heat.never):
        legend.append(("never", "never answered right"))
    return picture(course.caption("latency", "Latency from the intended start", described, legend), course, 270, draw)


def _columns(heat: Heat, course: Course) -> tuple[list[list[int]], int]:
    """Join bins of time where there are more than a picture has columns."""
    size = max(1, math.ceil(grain(course.end_s, COLUMNS) / heat.bin_s))
    joined = [
        [sum(ranges) for ranges in zip(*heat.counts[index : index + size], strict=True)]
        for index in range(0, len(heat.counts), size)
    ]
    return joined, size * heat.bin_s


def _range(shown: Latency, columns: Sequence[Sequence[int]]) -> tuple[float, float]:
    """Find the ends of the axis: whole ranges that hold answers, with the objective inside."""
    bounds = shown.heat.bounds_ns
    used = sorted({index for column in columns for index, many in enumerate(column) if many})
    low = min(bounds[max(used[0] - 1, 0)], shown.slo_ns / 2) if used else shown.slo_ns / 10
    high = max(bounds[min(used[-1], len(bounds) - 1)], shown.slo_ns * 2) if used else shown.slo_ns * 10
    return max(low / 1.15, 1.0), high * 1.15


def _cells(frame: Frame, columns: Sequence[Sequence[int]], column_s: int, bounds: Sequence[int]) -> Markup:
    """Draw all cells: one path for each level, and neighbours of one level in a row as one box."""
    edges = [max(frame.y_from, bounds[0] / _HALF_DECADE), *bounds, bounds[-1] * _HALF_DECADE]
    boxes: dict[int, list[tuple[float, float, float, float]]] = defaultdict(list)
    totals = [sum(column) for column in columns]
    for row in range(len(bounds) + 1):
        upper, lower = frame.y(edges[row + 1]), frame.y(edges[row])
        start, level = 0, 0
        for index in range(len(columns) + 1):
            here = _level(columns[index][row], totals[index]) if index < len(columns) else 0
            if here != level:
                if level:
                    x = frame.x(start * column_s)
                    boxes[level].append((x, upper, frame.x(index * column_s) - x, lower - upper))
                start, level = index, here
    return Markup("").join(svg.path(svg.cells(boxes[level]), f"cell heat shade-{level}") for level in sorted(boxes))


def _never(frame: Frame, heat: Heat, column_s: int) -> Markup:
    """Draw the row of requests that got no right answer, above the map: they took longer than any that did."""
    size = column_s // heat.bin_s
    joined = [sum(heat.never[index : index + size]) for index in range(0, len(heat.never), size)]
    boxes = [
        (frame.x(index * column_s), _NEVER_AT, frame.x((index + 1) * column_s) - frame.x(index * column_s), _NEVER_HIGH)
        for index, many in enumerate(joined)
        if many
    ]
    if not boxes:
        return Markup("")
    label = svg.text(frame.left - 8, _NEVER_AT + _NEVER_HIGH, "never", style="tick", anchor="end")
    return label + svg.titled(svg.path(svg.cells(boxes), "cell never"), f"{count(sum(joined))} without a right answer")


def _level(many: int, of: int) -> int:
    return sum(many > share * of for share in SHARES) if many else 0
