"""Whether the files of a record can all be true at once: what each says that another one, or itself, contradicts."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise

import numpy as np

from tidegate_proof.record.folder import ARRIVALS, CLUSTER, GATEWAY, GENERATOR, PLAN, REQUESTS, Record
from tidegate_proof.record.plan import Plan
from tidegate_proof.record.requests import ERRORS, Int, Requests
from tidegate_proof.verdict.differences import Difference
from tidegate_proof.verdict.outcomes import OK, Mask


def contradictions(record: Record, counts: Sequence[int], intended_ns: Sequence[int]) -> Iterator[Difference]:
    """Find what cannot be in an honest record, whatever the cluster did.

    Args:
        record: Raw data.
        counts: Arrivals of each second, made again from the plan.
        intended_ns: Their times, the same.
    """
    yield from _of_plan(record.plan)
    yield from _of_arrivals(record.arrivals, counts)
    yield from _of_times(record, np.array(intended_ns, np.int64))
    yield from _of_rows(record)
    yield from _of_lines(record)
    yield from _of_looks(record)


def _of_plan(plan: Plan) -> Iterator[Difference]:
    ends = [0, *(phase.end_s for phase in plan.phases)]
    for phase, before in zip(plan.phases, ends, strict=False):
        if phase.start_s != before:
            yield Difference(PLAN, f"phases.{phase.name}.start_s", phase.start_s, before)
        if phase.end_s <= phase.start_s:
            yield Difference(PLAN, f"phases.{phase.name}.end_s", phase.end_s, f"more than {phase.start_s}")
    if ends[-1] != plan.duration_s:
        yield Difference(PLAN, "phases", f"end at {ends[-1]} s", f"{plan.duration_s} s")
    if ends[1:2] != [plan.warm_up_s] or plan.phases[0].measured:
        yield Difference(PLAN, "phases", "another first phase", f"{plan.warm_up_s} s of warm-up, not measured")
    for kind, names in (
        ("phases", [phase.name for phase in plan.phases]),
        ("thresholds", [t.name for t in plan.thresholds]),
    ):
        if len(set(names)) != len(names):
            yield Difference(PLAN, kind, names, "different names")


def _of_arrivals(recorded: Sequence[int], counts: Sequence[int]) -> Iterator[Difference]:
    if len(recorded) != len(counts):
        yield Difference(ARRIVALS, "seconds", len(recorded), len(counts))
    for second, (one, other) in enumerate(zip(recorded, counts, strict=False)):
        if one != other:
            yield Difference(ARRIVALS, f"requests of second {second}", one, other)
            return


def _of_times(record: Record, intended_ns: Int) -> Iterator[Difference]:
    requests = record.requests
    n = len(requests)
    if n > len(intended_ns) or (n < len(intended_ns) and record.partial is None):
        yield Difference(REQUESTS, "rows", n, len(intended_ns))
    n = min(n, len(intended_ns))
    yield from _first_row("id", requests.id[:n], np.arange(n))
    yield from _first_row("intended_ns", requests.intended_ns[:n], intended_ns[:n])


def _first_row(column: str, recorded: Int, recomputed: Int) -> Iterator[Difference]:
    wrong = np.flatnonzero(recorded != recomputed)
    if len(wrong):
        row = int(wrong[0])
        yield Difference(REQUESTS, f"{column} of row {row}", int(recorded[row]), int(recomputed[row]))


def _of_rows(record: Record) -> Iterator[Difference]:
    for rule, broken in _rules(record.requests, record.partial is not None):
        wrong = np.flatnonzero(broken)
        if len(wrong):
            row = int(wrong[0])
            yield Difference(REQUESTS, f"row {row}", _told(record.requests, row), rule)


def _rules(requests: Requests, partial: bool) -> Iterator[tuple[str, Mask]]:  # noqa: FBT001 a property of the record
    """Give what holds of every row, whatever gateways answer, and the rows of which it does not."""
    sent, answered = requests.sent_ns, requests.answered_ns
    is_sent, is_answered = sent >= 0, answered >= 0
    right, refused = requests.is_error(""), requests.is_error("refused")
    never = requests.is_error("undispatched")
    without = never | requests.is_error("connect") | requests.is_error("lost") | requests.is_error("timeout")
    due = refused | right & (not partial)  # a run that was broken off has requests under way
    told = (requests.pod >= 0) | (requests.backend >= 0) | (requests.seq >= 0)
    yield "sent at its time or later", is_sent & (sent < requests.intended_ns)
    yield "answered after it was sent", is_answered & (answered < sent)
    yield "sent, unless undispatched", is_sent == never
    yield "an answer, unless it failed without", (due & ~is_answered) | (without & is_answered)
    yield "a status with an answer only", (requests.status >= 0) != is_answered
    yield "200 when right", right & is_answered & (requests.status != OK)
    yield "another status than 200 when refused", refused & (requests.status == OK)
    yield "pod, backend and seq with an answer only", told & ~is_answered
    yield "no idle close when it was not sent", never & (requests.idle_closes > 0)


def _told(requests: Requests, row: int) -> str:
    columns = ("sent_ns", "answered_ns", "status", "pod", "backend", "seq", "idle_closes")
    values = {column: int(getattr(requests, column)[row]) for column in columns}
    told = [f"{column}={value}" for column, value in values.items() if value >= 0 or column == "idle_closes"]
    return " ".join([*told, f"error={ERRORS[requests.error[row]] or 'none'}"])


def _of_lines(record: Record) -> Iterator[Difference]:
    for name, times in (
        (CLUSTER, [event.t_ns for event in record.cluster]),
        (GATEWAY, [look.t_ns for look in record.gateway]),
        (GENERATOR, [look.t_ns for look in record.generator]),
    ):
        late = next((line for line, (one, other) in enumerate(pairwise(times), 2) if other < one), None)
        if late is not None:
            yield Difference(name, f"line {late} t_ns", times[late - 1], f"at least {times[late - 2]}")
    for line, event in enumerate(record.cluster, 1):
        if event.type == "CLOCK" and not _is_time(event.wall):
            yield Difference(CLUSTER, f"line {line} wall", event.wall, "RFC 3339 with an offset")
    for line, (one, other) in enumerate(pairwise(record.generator), 2):
        if other.cpu_s < one.cpu_s:
            yield Difference(GENERATOR, f"line {line} cpu_s", other.cpu_s, f"at least {one.cpu_s}")


def _is_time(wall: str | None) -> bool:
    try:
        return wall is not None and datetime.fromisoformat(wall).tzinfo is not None
    except ValueError:
        return False


def _of_looks(record: Record) -> Iterator[Difference]:
    """A gateway has one last word."""
    said: set[str] = set()
    for line, look in enumerate(record.gateway, 1):
        if look.final and look.pod in said:
            yield Difference(
                GATEWAY, f"line {line} final", look.final, f"false, since {look.pod} told its total before"
            )
        if look.clean and not look.final:
            yield Difference(GATEWAY, f"line {line} clean", look.clean, "false, since it is not final")
        if look.final:
            said.add(look.pod)
