"""How good a trajectory was: what was late, what it cost, and what an oracle would have done."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .capacity import Capacity
    from .fleet import Delays
    from .simulation import Trajectory

_HOUR = 3600


@dataclass(frozen=True)
class Score:
    """Figures of one trajectory. Elasticity after Herbst et al. (SPEC Research Group, 2013).

    Args:
        violation_s: seconds in which a request in a hundred or more was late, or one was refused.
        pod_hours: what was paid for, starting and draining pods too.
        oracle_pod_hours: the least that keeps the objective, with the same start times and minimum.
        shed: requests that were refused.
        under: theta U, pods that were missing on average, as a share of those needed.
        over: theta O, pods too many on average, as a share of those needed.
        under_time: tau U, share of the time with too few.
        over_time: tau O, share of the time with too many.
        adaptations_per_h: changes of the number of replicas.
        most_replicas: the highest number.
    """

    violation_s: int
    pod_hours: float
    oracle_pod_hours: float
    shed: float
    under: float
    over: float
    under_time: float
    over_time: float
    adaptations_per_h: float
    most_replicas: int


def score(trajectory: Trajectory, capacity: Capacity, delays: Delays, slo_s: float, bounds: tuple[int, int]) -> Score:
    """Return the figures of a trajectory.

    Args:
        trajectory: what happened.
        capacity: what pods can do.
        delays: the oracle's pods take as long to start.
        slo_s: seconds within which 99 of 100 requests have to be answered.
        bounds: the oracle's fewest and most pods.
    """
    seconds = len(trajectory.offered)
    minimum, maximum = bounds
    needed = [max(minimum, capacity.needed(rate, slo_s, maximum)) for rate in trajectory.offered]
    late = sum(
        latency > slo_s or shed > 0
        for latency, shed, offered in zip(trajectory.latency_s, trajectory.shed, trajectory.offered, strict=True)
        if offered > 0 or shed > 0
    )
    gaps = [(ready - need) / max(1, need) for ready, need in zip(trajectory.ready, needed, strict=True)]
    changes = sum(one != other for one, other in pairwise(trajectory.replicas))
    return Score(
        violation_s=late,
        pod_hours=sum(trajectory.pods) / _HOUR,
        oracle_pod_hours=sum(oracle(needed, delays.pod_start_s + delays.discovery_s)) / _HOUR,
        shed=sum(trajectory.shed),
        under=-sum(gap for gap in gaps if gap < 0) / seconds,
        over=sum(gap for gap in gaps if gap > 0) / seconds,
        under_time=sum(gap < 0 for gap in gaps) / seconds,
        over_time=sum(gap > 0 for gap in gaps) / seconds,
        adaptations_per_h=changes * _HOUR / seconds,
        most_replicas=max(trajectory.replicas),
    )


def oracle(needed: Sequence[int], lead_s: float) -> list[int]:
    """Return the pods that one who knows the future pays for: each is started `lead_s` seconds before its need."""
    ahead = round(lead_s)
    paid: list[int] = [0] * len(needed)
    window: deque[int] = deque()
    for second in range(len(needed) - 1, -1, -1):
        while window and needed[window[-1]] <= needed[second]:
            window.pop()
        window.append(second)
        while window[0] > second + ahead:
            window.popleft()
        paid[second] = needed[window[0]]
    return paid
