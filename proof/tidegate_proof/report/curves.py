"""Two curves of capacity: what one replica carries (the knee), and what more of them carry together (efficiency)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from tidegate_proof.report import svg
from tidegate_proof.report.axes import Frame, decades, linear, span
from tidegate_proof.report.wording import digits, latency, rate, several, slug

WIDTH = 440
"""Of both pictures: two stand side by side where there is room."""

HEIGHT = 350


@dataclass(frozen=True, slots=True)
class KneeStep:
    """What one replica did at one rate: offered and good requests a second, p99, and whether the step counts."""

    offered_rps: float
    goodput_rps: float
    p99_ns: float | None
    valid: bool


@dataclass(frozen=True, slots=True)
class Usl:
    """Universal Scalability Law: X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1)).

    Source: N. J. Gunther, Guerrilla Capacity Planning, Springer 2007.
    """

    lambda_: float
    sigma: float
    kappa: float

    def at(self, pods: float) -> float:
        """Goodput of so many pods."""
        return self.lambda_ * pods / (1 + self.sigma * (pods - 1) + self.kappa * pods * (pods - 1))


def knee(steps: Sequence[KneeStep], capacity_rps: float, slo_ns: float, title: str) -> svg.Picture:
    """Draw goodput and p99 over the offered rate, on one axis, and the rate that was chosen as capacity.

    Args:
        steps: Of the search.
        capacity_rps: What one replica carries within the objective.
        slo_ns: The objective.
        title: Of the picture; unique on its page.
    """
    ordered = sorted(steps, key=lambda step: step.offered_rps)
    most = max([capacity_rps, *(step.offered_rps for step in ordered)])
    end, tick = span(most * 1.05, 5)
    latencies = [step.p99_ns for step in ordered if step.p99_ns]
    low, high = min([slo_ns / 4, *latencies]) / 1.3, max([slo_ns * 4, *latencies]) * 1.3
    upper = Frame(WIDTH, 190, 0, end, y_to=end, bottom=10)
    lower = Frame(WIDTH, HEIGHT, 0, end, y_from=low, y_to=high, top=206, bottom=40, log_y=True)
    drawn = _goodput(upper, ordered, tick) + _p99(lower, ordered, slo_ns)
    x = upper.x(capacity_rps)
    right = capacity_rps < 0.62 * end
    drawn += (
        lower.columns(linear(end, tick), digits, lines=False)
        + svg.text(
            (lower.left + lower.right_side) / 2,
            lower.height - 5,
            "offered, requests a second",
            style="tick",
            anchor="middle",
        )
        + svg.line(x, upper.top, x, lower.floor, "knee")
        + svg.text(
            x + (6 if right else -6),
            upper.floor - 8,
            f"capacity {rate(capacity_rps)}",
            style="strong halo-text",
            anchor=None if right else "end",
        )
    )
    described = (
        f"{several(len(ordered), 'step')}, up to {rate(most)} offered. One replica carries {rate(capacity_rps)} within "
        f"the objective of {latency(slo_ns)}."
    )
    legend = [("good dot", "goodput"), ("ideal", "all that was offered"), ("p99 dot", "p99"), ("slo", "objective")]
    caption = svg.Caption(slug(f"knee-{title}"), title, described, legend)
    return svg.Picture(caption, svg.drawing(caption, "w", (WIDTH, HEIGHT), drawn))


def _goodput(frame: Frame, steps: Sequence[KneeStep], tick: float) -> Markup:
    at = [(frame.x(step.offered_rps), frame.y(step.goodput_rps)) for step in steps]
    return (
        frame.rows(linear(frame.y_to, tick))
        + svg.text(frame.left + 4, frame.top + 12, "goodput, a second", style="tick halo-text")
        + svg.line(frame.x(0), frame.y(0), frame.x(frame.x_to), frame.y(frame.x_to), "line ideal")
        + svg.path(svg.joined(at), "line good")
        + _dots(steps, at, "good")
    )


def _p99(frame: Frame, steps: Sequence[KneeStep], slo_ns: float) -> Markup:
    known = [step for step in steps if step.p99_ns]
    at = [(frame.x(step.offered_rps), frame.y(step.p99_ns or 0)) for step in known]
    return (
        frame.rows(decades(frame.y_from, frame.y_to), latency)
        + svg.text(frame.left + 4, frame.top + 12, "p99 from the intended start", style="tick halo-text")
        + svg.line(frame.left, frame.y(slo_ns), frame.right_side, frame.y(slo_ns), "line slo")
        + svg.path(svg.joined(at), "line p99")
        + _dots(known, at, "p99")
    )


def _dots(steps: Sequence[KneeStep], at: Sequence[svg.Point], style: str) -> Markup:
    """Draw a dot for each step; hollow for one that does not count."""
    return Markup("").join(
        svg.titled(
            svg.element("circle", cx=x, cy=y, r=3.6, class_=f"dot {style}{'' if step.valid else ' hollow'}"),
            f"offered {rate(step.offered_rps)}: goodput {rate(step.goodput_rps)}, p99 {latency(step.p99_ns)}"
            f"{'' if step.valid else '; does not count'}",
        )
        for step, (x, y) in zip(steps, at, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Measured:
    """What so many ready pods did: right answers a second, and whether more was asked of them than that."""

    pods: int
    throughput_rps: float
    saturated: bool


def efficiency(measured: Sequence[Measured], one_rps: float | None, law: Usl | None) -> svg.Picture:
    """Draw throughput over the number of ready pods, what perfect scaling would give, and the fitted law.

    Args:
        measured: At least one.
        one_rps: What one pod does; None where nobody measured it.
        law: None where none was fitted.
    """
    ordered = sorted(measured, key=lambda point: point.pods)
    pods = ordered[-1].pods
    end, tick = span(max([(one_rps or 0) * pods, *(point.throughput_rps for point in ordered)]), 5)
    frame = replace(Frame(WIDTH, HEIGHT, 0, pods + 0.5, y_to=end), bottom=40)
    curve = [1 + (pods - 1) * index / 40 for index in range(41)] if law and pods > 1 else []
    drawn = (
        frame.rows(linear(end, tick))
        + svg.text(frame.left + 4, frame.top + 12, "right answers, a second", style="tick halo-text")
        + frame.columns(list(range(pods + 1)), digits)
        + svg.text((frame.left + frame.right_side) / 2, frame.height - 5, "ready pods", style="tick", anchor="middle")
        + (svg.line(frame.x(0), frame.y(0), frame.x(pods), frame.y(one_rps * pods), "line ideal") if one_rps else "")
        + (svg.path(svg.joined([(frame.x(many), frame.y(law.at(many))) for many in curve]), "line usl") if law else "")
        + Markup("").join(_measured(frame, point) for point in ordered)
    )
    described = "; ".join(f"{several(point.pods, 'pod')} gave {rate(point.throughput_rps)}" for point in ordered) + "."
    ideal = [("ideal", "perfect scaling")] if one_rps else []
    legend = [("good dot", "measured"), *ideal, *([("usl", "fitted law (USL)")] if law else [])]
    caption = svg.Caption("efficiency", "Throughput of more pods", described, legend)
    return svg.Picture(caption, svg.drawing(caption, "w", (WIDTH, HEIGHT), drawn))


def _measured(frame: Frame, point: Measured) -> Markup:
    """Draw a point; hollow where no more was asked of the pods."""
    style = f"dot good{'' if point.saturated else ' hollow'}"
    dot = svg.element("circle", cx=frame.x(point.pods), cy=frame.y(point.throughput_rps), r=4.5, class_=style)
    asked = "" if point.saturated else ", and no more was asked of them"
    return svg.titled(dot, f"{several(point.pods, 'pod')}: {rate(point.throughput_rps)}{asked}")
