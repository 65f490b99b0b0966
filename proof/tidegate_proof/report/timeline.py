"""Pictures of a run over time: load, replicas, and what each pod got; all have the same time axis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from tidegate_proof.report import svg
from tidegate_proof.report.axes import WIDE, Frame, linear, pods_span, span
from tidegate_proof.report.course import (
    COLUMNS,
    Course,
    area,
    backdrop,
    grain,
    grouped,
    mean,
    picture,
    points,
)
from tidegate_proof.report.wording import count, digits, rate, seconds

MISSED = ("missed-mark", "objective missed")
UNMEASURED = ("unmeasured", "not measured")

_STRIP = 15
"""Height of one pod's row."""

_TIER_GAP = 20

_HEADROOM = 1.08
"""So that a line at the top does not touch what is marked there."""

TOLD = 20
"""Changes that a picture's description lists."""

LEVELS = 5
"""Shades of a pod's row."""


@dataclass(frozen=True, slots=True)
class Replicas:
    """How many pods of one tier there were, each as (seconds since the start, pods) at each change.

    Attributes:
        tier: Its name.
        desired: What the autoscaler asked for.
        ready: What could take requests.
        forecast: What the plan foresaw, when it did.
        oracle: What one who knew the load beforehand would have had.
    """

    tier: str
    desired: Sequence[tuple[float, int]]
    ready: Sequence[tuple[float, int]]
    forecast: Sequence[tuple[float, int]] | None = None
    oracle: Sequence[tuple[float, int]] | None = None


@dataclass(frozen=True, slots=True)
class PodRow:
    """What one pod answered.

    Attributes:
        name: Of the pod.
        tier: It belongs to.
        requests: In each bin since the start.
        bin_s: Seconds of a bin.
    """

    name: str
    tier: str
    requests: Sequence[int]
    bin_s: int


def load(course: Course, offered: Sequence[float], good: Sequence[float]) -> svg.Picture:
    """Draw requests offered in each second, and those among them that were answered well and in time."""
    grain_s = course.grain_s
    lines = [grouped(values, grain_s, mean) for values in (offered, good)]
    top, step = span(max(offered, default=0))

    def draw(frame: Frame) -> Markup:
        frame = replace(frame, y_to=top, top=30)
        asked, got = (points(frame, values, grain_s) for values in lines)
        return (
            backdrop(frame, course, named=True)
            + frame.rows(linear(top, step))
            + frame.times(12 if frame.width == WIDE else 6)
            + svg.path(area(frame, got), "area good")
            + svg.path(svg.joined(asked), "line offered")
            + svg.path(svg.joined(got), "line good")
        )

    described = (
        f"Offered at most {rate(max(offered, default=0))}; "
        f"{count(sum(good))} of {count(sum(offered))} requests were answered well and within the objective."
    )
    legend = [("offered", "offered"), ("good", "goodput"), MISSED, UNMEASURED]
    return picture(
        course.caption("load", "Requests offered and goodput, a second", described, legend), course, 240, draw
    )


def replicas(course: Course, tier: Replicas) -> svg.Picture:
    """Draw desired and ready pods of a tier, beside forecast and oracle where there are any."""
    optional = [("forecast", tier.forecast, "forecast"), ("oracle", tier.oracle, "oracle")]
    shown = [(style, steps, name) for style, steps, name in optional if steps]
    everything = [*tier.desired, *tier.ready, *(at for _, steps, _ in shown for at in steps)]
    top, step = pods_span(max((pods for _, pods in everything), default=1))

    def draw(frame: Frame) -> Markup:
        frame = replace(frame, y_to=top * _HEADROOM)
        ready = _steps(frame, tier.ready)
        below = f"{ready}V{svg.number(frame.floor)}H{svg.number(frame.x(tier.ready[0][0]))}z" if ready else ""
        return (
            backdrop(frame, course)
            + frame.rows(linear(top, step))
            + frame.times(12 if frame.width == WIDE else 6)
            + svg.path(below, f"area {tier.tier}")
            + Markup("").join(svg.path(_steps(frame, steps), f"line {style}") for style, steps, _ in shown)
            + svg.path(ready, f"line {tier.tier}")
            + svg.path(_steps(frame, tier.desired), "line desired")
        )

    changes = ", ".join(f"{pods} at {seconds(at)}" for at, pods in tier.ready[:TOLD]) or "none seen"
    legend = [("desired", "desired"), (tier.tier, "ready"), *((style, name) for style, _, name in shown)]
    described = f"Ready pods: {changes}{' and so on' if len(tier.ready) > TOLD else ''}."
    caption = course.caption(f"replicas-{tier.tier}", f"Pods of tier {tier.tier}", described, legend)
    return picture(caption, course, 130, draw)


def _steps(frame: Frame, steps: Sequence[tuple[float, float]]) -> str:
    return svg.stepped([(frame.x(at), frame.y(pods)) for at, pods in steps], frame.right_side)


def pods(course: Course, rows: Sequence[PodRow]) -> svg.Picture:
    """Draw a row for each pod, the darker the more requests it answered, tier by tier in the order of first answers."""
    tiers = {row.tier: [other for other in rows if other.tier == row.tier] for row in rows}
    height = 8 + len(tiers) * _TIER_GAP + len(rows) * _STRIP + 24
    merged = {row.name: _rates(row, course) for row in rows}
    most = {tier: max((max(merged[row.name], default=0) for row in of), default=0) for tier, of in tiers.items()}

    def draw(frame: Frame) -> Markup:
        frame = replace(frame, top=8)
        parts = [backdrop(frame, course), frame.times(12 if frame.width == WIDE else 6)]
        y = frame.top
        for tier, of in tiers.items():
            peak = f"{tier}, darkest at {rate(most[tier])}"
            parts.append(svg.text(frame.left + 4, y + 14, peak, style="phase"))
            y += _TIER_GAP
            for row in of:
                parts.append(_row(frame, course, row, y, (merged[row.name], most[tier])))
                y += _STRIP
        return Markup("").join(parts)

    described = "; ".join(f"{tier}: {', '.join(_tail(row) for row in of)}" for tier, of in tiers.items())
    legend = [(f"{tier} shade", f"requests a pod of tier {tier} answered") for tier in tiers]
    caption = course.caption("pods", "Requests of each pod over time", f"A row for each pod. {described}.", legend)
    return picture(caption, course, height, draw)


def _rates(row: PodRow, course: Course) -> list[float]:
    """Requests a second in each column."""
    size = max(1, grain(course.end_s, COLUMNS) // row.bin_s)
    return [value / row.bin_s for value in grouped(row.requests, size, mean) if value is not None]


def _row(frame: Frame, course: Course, row: PodRow, y: float, shown: tuple[Sequence[float], float]) -> Markup:
    """Draw a pod's row: one path for each shade."""
    rates, most = shown
    column_s = max(row.bin_s, grain(course.end_s, COLUMNS) // row.bin_s * row.bin_s)
    shades: Mapping[int, list[tuple[float, float, float, float]]] = {level: [] for level in range(1, LEVELS + 1)}
    for index, value in enumerate(rates):
        if value > 0:
            x = frame.x(index * column_s)
            level = min(LEVELS, 1 + int(LEVELS * value / most))
            shades[level].append((x, y + 1, frame.x((index + 1) * column_s) - x, _STRIP - 2))
    drawn = Markup("").join(
        svg.path(svg.cells(boxes), f"cell {row.tier} shade-{level}") for level, boxes in shades.items()
    )
    label = svg.text(frame.left - 8, y + _STRIP - 4, _tail(row), style="tick", anchor="end")
    total = sum(row.requests)
    return label + svg.titled(drawn, f"{row.name}: {count(total)} requests, at most {digits(max(rates, default=0))}/s")


def _tail(row: PodRow) -> str:
    """The end of a pod's name, which tells it from its siblings."""
    return row.name.rsplit("-", 1)[-1][-6:]
