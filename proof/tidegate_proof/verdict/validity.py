"""Whether a run can say anything: the generator kept up, the clocks did, and nothing was overlooked."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from tidegate_proof.record.folder import Record
from tidegate_proof.record.requests import Requests
from tidegate_proof.record.verdict import Figures, ValidityCheck

CLOCK_MS = 250
"""Wall clock and monotonic clock may part by so much over a run; more is a step of the wall clock, or a machine that
slept."""

CLOCK_EVERY_S = 30
"""The longest time without a CLOCK line; they come every 10 s."""

MILLISECOND = 10**6
SECOND = 10**9


def validity_of(record: Record, figures: Figures) -> tuple[ValidityCheck, ...]:
    """Check the conditions without which figures mean nothing."""
    limits, generator = record.plan.generator, figures.generator
    lag = None if generator.lag_ns is None else generator.lag_ns.p99 / MILLISECOND
    parted, silent = _clocks(record)
    return (
        _at_most("generator lag p99, ms", lag, limits.max_lag_ms),
        _at_most("generator busy, share of a core", generator.busy, limits.max_busy),
        _at_most("undispatched, share of arrivals", generator.undispatched_share, limits.max_undispatched_share),
        _at_most("clocks parted, ms", parted, CLOCK_MS),
        _at_most("without a CLOCK line, s", silent, CLOCK_EVERY_S),
        _at_most("gaps in watches", sum(event.type == "GAP" for event in record.cluster), 0),
        _at_most("answers that no gateway counts", sum(pod.twice for pod in figures.lost.by_pod.values()), 0),
        _at_most("right answers without a gateway's number", _unnumbered(record.requests), 0),
        _at_most("gateways without an exact total", sum(p.answered is None for p in figures.lost.by_pod.values()), 0),
        _at_most("answers of pods that no watch saw", _strangers(record.requests, figures), 0),
        _at_most("gateways not looked at", len(set(record.requests.pods) - {look.pod for look in record.gateway}), 0),
    )


def _unnumbered(requests: Requests) -> int:
    answered = (requests.answered_ns >= 0) & (requests.error == 0)
    return int((answered & (requests.seq <= 0)).sum())


def _strangers(requests: Requests, figures: Figures) -> int:
    told = int((requests.pod >= 0).sum() + (requests.backend >= 0).sum())
    return told - sum(share.requests for share in figures.pods.values())


def _at_most(name: str, value: float | None, limit: float) -> ValidityCheck:
    return ValidityCheck(name=name, value=value, limit=limit, passed=value is not None and value <= limit)


def _clocks(record: Record) -> tuple[float | None, float | None]:
    """Return by how much the clocks parted in ms, and the longest time without knowing in s."""
    ties = [(event.t_ns, event.wall) for event in record.cluster if event.type == "CLOCK" and event.wall is not None]
    if not ties:
        return None, None
    offsets = [_wall_ns(wall) - t_ns for t_ns, wall in ties]
    times = [min(0, ties[0][0]), *(t_ns for t_ns, _ in ties), max(ties[-1][0], record.plan.duration_s * SECOND)]
    return (max(offsets) - min(offsets)) / MILLISECOND, _longest(times) / SECOND


def _longest(times: Sequence[int]) -> int:
    return max(later - earlier for earlier, later in pairwise(times))


def _wall_ns(wall: str) -> int:
    since = datetime.fromisoformat(wall) - datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    return since // timedelta(microseconds=1) * 1000
