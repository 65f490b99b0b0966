"""The sections that show what happened: over time, scale-up by scale-up, and how much one and more pods carried."""

from collections.abc import Iterator

from tidegate_proof.record.load_figures import PhaseFigures
from tidegate_proof.record.plan import TIERS
from tidegate_proof.record.scaling_figures import ScaleEvent
from tidegate_proof.report import curves, heat, reaction, timeline
from tidegate_proof.report.course import Course
from tidegate_proof.report.page import Pair, Part, Section, Words
from tidegate_proof.report.run import Run
from tidegate_proof.report.svg import Picture
from tidegate_proof.report.tables import Column, Noted, Table
from tidegate_proof.report.wording import MISSING, clock, count, digits, latency, percent, rate, seconds
from tidegate_proof.verdict.outcomes import SECOND


def over_time(run: Run) -> Section:
    """Show load, latency, pods and what each got on one time axis, and the figures of each phase."""
    lead = (
        "All pictures have the same time axis: minutes and seconds since the start of the run. A red strip at the "
        "upper edge, and the shade below it, mark seconds in which the objective was missed."
    )
    return Section(
        "course", "Over time", "What happened", lead, [*pictures(run, run.course), _phases(run), Words([_drawn(run)])]
    )


def pictures(run: Run, course: Course) -> list[Picture]:
    """Draw all pictures over time."""
    figures, slo = run.verdict.figures, run.record.plan.slo
    answers = heat.Heat(figures.heat.bin_s, figures.heat.bounds_ns, figures.heat.counts, figures.heat.never)
    shown = heat.Latency(answers, run.seconds.p50_ns, run.seconds.p99_ns, slo.latency_ns, slo.quantile)
    drawn = [timeline.load(course, run.seconds.arrivals, run.seconds.good), heat.latency(course, shown)]
    drawn += [timeline.replicas(course, run.replicas(tier)) for tier in reversed(TIERS) if tier in figures.replicas]
    return [*drawn, timeline.pods(course, run.rows)] if run.rows else drawn


def _drawn(run: Run) -> str:
    """Say how many seconds became one point."""
    grain_s = run.course.grain_s
    joined = f"Lines have a point for every {grain_s} s: the mean of rates, and the largest of the seconds' latencies"
    return (
        f"{'Lines have a point for each second' if grain_s == 1 else joined}. A latency line has a gap, and a table "
        "says never, where that share of the requests got no right answer. A column of the heat map is shaded by "
        "shares of its own answers: any, more than 0.3 %, 1 %, 3 %, 10 %, and 30 %. Spans in which the objective was "
        "missed, and all tables, are of every single second and request."
    )


def _phases(run: Run) -> Table:
    columns = [Column("Phase")] + [
        Column(title, number=True)
        for title in ("Offered", "Goodput", "Good", "p50", "p99", "p99.9", "p99 of service", "Missed")
    ]
    rows = [_phase(phase) for phase in run.verdict.figures.phases]
    return Table("Figures of each phase", columns, rows, heading="Phase by phase")


def _phase(phase: PhaseFigures) -> list[str | Noted]:
    offered = phase.arrivals / (phase.end_s - phase.start_s)
    failed = "; ".join(f"{count(many)} {word}" for word, many in sorted(phase.errors.items()))
    note = " · ".join(filter(None, ["" if phase.measured else "not measured", failed]))
    span = f"{clock(phase.start_s)} to {clock(phase.end_s)}"
    wanted, served = phase.latency_ns, phase.service_ns
    return [
        Noted(phase.name, f"{span}{' · ' if note else ''}{note}"),
        Noted(rate(offered), count(phase.arrivals)),
        Noted(rate(phase.goodput_rps), count(phase.good)),
        percent(phase.good / phase.arrivals if phase.arrivals else None),
        _quantile(wanted.p50),
        _quantile(wanted.p99),
        _quantile(wanted.p999),
        _quantile(served.p99),
        f"{phase.violation_s} s",
    ]


def _quantile(nanoseconds: int | None) -> str:
    return "never" if nanoseconds is None else latency(nanoseconds)


def scale_ups(run: Run) -> Section:
    """Show each scale-up's steps, and list all decisions."""
    events = run.verdict.figures.scale_events
    ups = [_scale_up(event) for event in events if event.replicas_to > event.replicas_from]
    lead = (
        "From the change of the load to the first answer of each new pod. Moments are those at which the watch or the "
        "answer arrived at the load generator, on its one clock."
    )
    parts: list[Part] = [reaction.reaction(ups)] if ups else []
    return Section("reaction", "Scale-ups", "How long each scale-up took", lead, [*parts, _decisions(run)])


def _scale_up(event: ScaleEvent) -> reaction.ScaleUp:
    zero = event.decided_ns if event.load_change_ns is None else event.load_change_ns

    def since(at: int | None) -> float | None:
        return None if at is None else (at - zero) / SECOND

    moments = zip(event.pods, event.created_ns, event.ready_ns, event.first_answer_ns, strict=True)
    return reaction.ScaleUp(
        tier=event.tier,
        before=event.replicas_from,
        after=event.replicas_to,
        zero_s=zero / SECOND,
        load_changed=event.load_change_ns is not None,
        decided_s=(event.decided_ns - zero) / SECOND,
        pods=[reaction.NewPod(name, *map(since, times)) for name, *times in moments],
        slo_back_s=since(event.slo_back_ns),
    )


def _decisions(run: Run) -> Table:
    titles = ("Decided", "After the change", "First pod created", "First Ready", "First answer", "Met again")
    columns = [Column("Decision"), *(Column(title, number=True) for title in titles)]
    rows = [list(_decision(event)) for event in run.verdict.figures.scale_events]
    return Table("Decisions of the autoscalers", columns, rows, "No autoscaler changed its mind.", "All decisions")


def _decision(event: ScaleEvent) -> Iterator[str | Noted]:
    up = event.replicas_to > event.replicas_from
    change = f"{event.tier} {event.replicas_from} → {event.replicas_to}"
    gone = [at for at in event.gone_ns if at is not None]
    yield Noted(change, f"last pod gone at {clock(max(gone) / SECOND)}") if gone and not up else change
    yield clock(event.decided_ns / SECOND)
    zero = event.load_change_ns
    moments = (
        event.decided_ns,
        min(event.created_ns, default=None) if up else None,
        min((at for at in event.ready_ns if at is not None), default=None) if up else None,
        min((at for at in event.first_answer_ns if at is not None), default=None) if up else None,
        event.slo_back_ns if up else None,
    )
    for at in moments:
        yield MISSING if at is None or zero is None else seconds((at - zero) / SECOND)


def capacity(run: Run, knee: Picture | None) -> Section:
    """Show what one replica carries, and how throughput grows with more."""
    found = run.verdict.figures.efficiency
    law = curves.Usl(found.usl.lambda_rps, found.usl.sigma, found.usl.kappa) if found.usl else None
    points = [curves.Measured(point.n, point.throughput_rps, point.saturated) for point in found.points]
    drawn = [
        picture for picture in (knee, curves.efficiency(points, found.one_rps, law) if points else None) if picture
    ]
    lead = "The capacity of one replica was measured before the run, with the other tier larger than needed."
    words = []
    if found.usl:
        parts = f"contention {digits(found.usl.sigma)}, coherence {digits(found.usl.kappa)}"
        words.append(f"The fitted law explains {percent(found.usl.r2)} of the variance: {parts}.")
    if found.reason:
        words.append(f"No law was fitted: {found.reason}.")
    if any(not point.saturated for point in found.points):
        words.append("Hollow points: no more was asked of so many pods than they did, so that they may carry more.")
    if points:
        words.append(
            "Points count right answers however late, and so lie above the capacity, which keeps the objective."
        )
    used = run.record.plan.knee
    if used is None:
        lead = "Nobody measured the capacity of one replica before this run."
    else:
        words.append(f"One replica carries {rate(used.capacity_rps)}, by the knee.json with sha256 {used.sha256}.")
    return Section(
        "capacity",
        "Capacity",
        "Capacity of one replica, and of more",
        lead,
        [*([Pair(drawn)] if drawn else []), _efficiency(run), Words(words)],
    )


def _efficiency(run: Run) -> Table:
    points = run.verdict.figures.efficiency.points
    columns = [
        Column("Ready pods"),
        Column("Right answers", number=True),
        Column("Efficiency", number=True),
        Column("Asked for more"),
    ]
    rows = [
        [
            str(point.n),
            rate(point.throughput_rps),
            percent(point.efficiency) if point.saturated else f"at least {percent(point.efficiency)}",
            "yes" if point.saturated else "no",
        ]
        for point in points
    ]
    return Table("Efficiency", columns, rows, "No number of pods was ready long enough.")
