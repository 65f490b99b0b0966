"""Two curves of capacity: what one replica carries (the knee), and what more of them carry together (efficiency)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from tidegate_proof.report import svg
from tidegate_proof.report.axes import Frame, decades, linear, span
from tidegate_proof.report.wording import digits, latency, rate, several

WIDTH = 460
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


def knee(steps: Sequence[KneeStep], capacity_rps: float, slo_ns: float) -> svg.Picture:
    """Draw goodput and p99 over the offered rate, on one axis, and the rate that was chosen as capacity.

    Args:
        steps: Of the search.
        capacity_rps: What one replica carries within the objective.
        slo_ns: The objective.
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
    caption = svg.Caption("knee", "Knee of one replica", described, legend)
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


def efficiency(measured: Sequence[tuple[int, float]], fit: Usl | None) -> svg.Picture:
    """Draw goodput over the number of ready pods, what perfect scaling would give, and the fitted law.

    Args:
        measured: Pods, and goodput a second.
        fit: The law; None where there were too few points for one.
    """
    ordered = sorted(measured)
    pods, first = max(many for many, _ in ordered), ordered[0][1] / ordered[0][0]
    one = fit.lambda_ if fit else first
    end, tick = span(max([one * pods, *(goodput for _, goodput in ordered)]), 5)
    frame = replace(Frame(WIDTH, HEIGHT, 0, pods + 0.5, y_to=end), bottom=40)
    curve = [1 + (pods - 1) * index / 40 for index in range(41)] if pods > 1 else []
    fitted = svg.joined([(frame.x(many), frame.y(fit.at(many))) for many in curve]) if fit else ""
    drawn = (
        frame.rows(linear(end, tick))
        + svg.text(frame.left + 4, frame.top + 12, "goodput, a second", style="tick halo-text")
        + frame.columns(list(range(pods + 1)), digits)
        + svg.text((frame.left + frame.right_side) / 2, frame.height - 5, "ready pods", style="tick", anchor="middle")
        + svg.line(frame.x(0), frame.y(0), frame.x(pods), frame.y(one * pods), "line ideal")
        + svg.path(fitted, "line usl")
        + Markup("").join(_measured(frame, many, goodput, one) for many, goodput in ordered)
    )
    pods, goodput = ordered[-1]
    share = 100 * goodput / (one * pods)
    described = f"{several(pods, 'pod')} gave {rate(goodput)}, {share:.0f} % of {pods} times one."
    legend = [("good dot", "measured"), ("ideal", "perfect scaling"), *([("usl", "fitted law (USL)")] if fit else [])]
    caption = svg.Caption("efficiency", "Goodput of more pods", described, legend)
    return svg.Picture(caption, svg.drawing(caption, "w", (WIDTH, HEIGHT), drawn))


def _measured(frame: Frame, pods: int, goodput: float, one: float) -> Markup:
    dot = svg.element("circle", cx=frame.x(pods), cy=frame.y(goodput), r=4.5, class_="dot good")
    return svg.titled(dot, f"{several(pods, 'pod')}: {rate(goodput)}, efficiency {100 * goodput / (one * pods):.0f} %")
