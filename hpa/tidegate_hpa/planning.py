"""From a measured knee to an HPA: target, bounds, behaviour, requests, and the limits of what is in front of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Final

from . import quantity
from .autoscaler import DEFAULT_SCALE_UP, Autoscaler, Behavior, MetricSpec, Policy, ScalingRules, Target, TargetRef
from .knee import fitted
from .score import score
from .simulation import simulate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .capacity import Capacity
    from .fleet import Delays
    from .knee import Knee
    from .score import Score
    from .signals import Signal

PENDING: Final = "pending-predictions"
_FIVE_M: Final = 5
_LEAST_HELD: Final = 4
EAGER: Final = ScalingRules(0, "Max", (Policy("Percent", 300, 15), Policy("Pods", 4, 15)))
_HEADROOMS: Final = (0.1, 0.3, 0.5, 0.7)
_WINDOWS_S: Final = (60, 300, 600)


@dataclass(frozen=True)
class Plan:
    """What is to be set.

    Args:
        knee: what it comes from.
        headroom: share of a replica's capacity that is left free at the target.
        min_replicas: the HPA's.
        max_replicas: the HPA's.
        down_window_s: how long it waits before it scales down.
        slo_s: what 99 of 100 requests are to keep.
        scale_up: how fast it goes up; fourfold within a sync if it is not said.
        on_pending: scale on pending predictions where they were measured, beside CPU; else on CPU alone.
        gateways: that share what the model servers are to hold; one, if the web tier may shrink to one.
    """

    knee: Knee
    headroom: float
    min_replicas: int
    max_replicas: int
    down_window_s: int
    slo_s: float
    scale_up: ScalingRules = EAGER
    on_pending: bool = True
    gateways: int = 1

    @property
    def rps_per_pod(self) -> float:
        """The load of a pod at its target."""
        return self.knee.capacity_within(self.slo_s) * (1 - self.headroom)

    @property
    def pending_target_m(self) -> int | None:
        """Rows pending for a pod, in thousandths: what the signal shows at that load; None if CPU alone decides.

        The signal counts what waits for model servers: there is none for gateways.
        """
        if not self.on_pending or self.knee.tier != "serving":
            return None
        pending = self.knee.at(self.rps_per_pod, "mean_pending")
        return None if pending is None else max(100, round(pending * self.knee.rows * 10) * 100)

    @property
    def cpu_request_m(self) -> int | None:
        """Millicores used at the knee, so that utilisation is a share of what a pod can do; None if nobody measured."""
        cores = self.knee.at(self.knee.capacity_rps, "cores_used")
        return None if not cores else _FIVE_M * math.ceil(1000 * cores / _FIVE_M)

    @property
    def cpu_target(self) -> int:
        """CPU in per cent of the request: the safety net where pending is the signal."""
        used, request = self.knee.at(self.rps_per_pod, "cores_used"), self.cpu_request_m
        return max(1, round(100_000 * used / request)) if used and request else 80

    @property
    def held_per_gateway(self) -> int:
        """Rows that a gateway lets in for each model server: its share of what one answers in half of the objective.

        What is let in is then answered in time while more pods come, and the rest is refused at once. It is four times
        what a pod is to hold at least, so that the signal can call for four times the fleet, as `EAGER` goes.
        """
        in_time = self.knee.capacity_within(self.slo_s) * self.slo_s / 2 * self.knee.rows
        signalled = 4 * (self.pending_target_m or 0) / 1000
        return max(_LEAST_HELD, math.ceil(max(in_time, signalled) / self.gateways))

    @property
    def at_work_per_gateway(self) -> int:
        """Of the rows held, those sent on: twice what a pod answers while a lone request takes, so that it never waits.

        The others stay in the gateway for whichever model server is free first. Sent ahead they would be joined to a
        call that one of them works through row by row, where joining saves nothing, while the others are idle.
        """
        lone_s = self.knee.steps[0].p50_s or self.slo_s
        answered = self.knee.capacity_within(self.slo_s) * lone_s * self.knee.rows
        return min(self.held_per_gateway, math.ceil(2 * answered / self.gateways))

    @property
    def behavior(self) -> Behavior:
        """Up as fast as `scale_up` says, down after the window."""
        return Behavior(self.scale_up, ScalingRules(self.down_window_s, "Max", (Policy("Percent", 100, 15),)))

    def capacity(self) -> Capacity:
        """Return the pod that the simulator runs."""
        return fitted(self.knee, self.cpu_request_m or 100)

    def autoscaler(self) -> Autoscaler:
        """Return the HPA: pending where it is measured, and CPU."""
        metrics: tuple[MetricSpec, ...] = ()
        if self.pending_target_m is not None:
            # The simulated signal counts requests
            target = self.pending_target_m // self.knee.rows
            spec = {"type": "AverageValue", "averageValue": quantity.canonical(target)}
            metrics = (MetricSpec("External", PENDING, Target("AverageValue", average_value=target, spec=spec)),)
        if self.cpu_request_m is not None:
            metrics = (*metrics, cpu(self.cpu_target))
        return _scaler(self.min_replicas, self.max_replicas, metrics, self.behavior)


def cpu(percent: int) -> MetricSpec:
    """Return a CPU metric with a target in per cent of the request."""
    spec = {"type": "Utilization", "averageUtilization": percent}
    return MetricSpec("Resource", "cpu", Target("Utilization", utilization=percent, spec=spec))


def default(percent: int, minimum: int, maximum: int) -> Autoscaler:
    """Return what most people have: CPU alone, no behavior."""
    return _scaler(minimum, maximum, (cpu(percent),), None)


def _scaler(minimum: int, maximum: int, metrics: tuple[MetricSpec, ...], behavior: Behavior | None) -> Autoscaler:
    return Autoscaler("planned", "default", TargetRef("Deployment", "planned"), minimum, maximum, metrics, behavior)


def pods_for(plan: Plan, rps: float) -> tuple[int, int]:
    """Return how many pods a steady load takes at the limit, and with the plan's headroom."""
    bare = plan.knee.capacity_within(plan.slo_s)
    return math.ceil(rps / bare), math.ceil(rps / plan.rps_per_pod)


@dataclass(frozen=True)
class Candidate:
    """A plan and how it did."""

    plan: Plan
    score: Score


def search(
    plan: Plan,
    arrivals: Sequence[float],
    delays: Delays,
    *,
    seed: int = 0,
    tell: Callable[[Candidate, int, int], None] = lambda *_: None,
) -> list[Candidate]:
    """Simulate a grid of minima, headrooms, windows, ways up and signals; return what came out, in that order.

    Args:
        plan: what stays the same: knee, maximum, objective.
        arrivals: requests per second.
        delays: measured ones.
        seed: of start times and phases.
        tell: told of each as it comes, with how many there were and how many there are to be.
    """
    capacity = plan.capacity()
    quiet = sorted(arrivals)[len(arrivals) // 10]
    floor = max(1, math.ceil(quiet / plan.knee.capacity_rps))
    minima = sorted({plan.min_replicas, max(plan.min_replicas, floor), max(plan.min_replicas, floor + 1)})
    found: list[Candidate] = []
    # Without either there is nothing to scale on
    signals_on = [pending for pending in (True, False) if replace(plan, on_pending=pending).autoscaler().metrics]
    grid = list(product(minima, _HEADROOMS, _WINDOWS_S, (EAGER, DEFAULT_SCALE_UP), signals_on))
    for minimum, headroom, window, up, pending in grid:
        tried = replace(plan, min_replicas=minimum, headroom=headroom, down_window_s=window)
        tried = replace(tried, scale_up=up, on_pending=pending)
        start = max(minimum, capacity.needed(arrivals[0], plan.slo_s, plan.max_replicas))
        signals: dict[str, Signal] = {PENDING: "pending"}
        scaler = tried.autoscaler()
        trajectory = simulate(arrivals, capacity, delays, scaler, replicas=start, signals=signals, seed=seed)
        bounds = (plan.min_replicas, plan.max_replicas)
        found.append(Candidate(tried, score(trajectory, capacity, delays, plan.slo_s, bounds)))
        tell(found[-1], len(found), len(grid))
    return found


def pareto(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return those that no other beats in both late seconds and pod-hours, cheapest first."""
    front: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: (c.score.pod_hours, c.score.violation_s)):
        if not front or candidate.score.violation_s < front[-1].score.violation_s:
            front.append(candidate)
    return front


def choose(candidates: Sequence[Candidate], pod_hours: float) -> Candidate:
    """Return the one with the fewest late seconds for no more than `pod_hours`; the cheapest if all cost more."""
    affordable = [candidate for candidate in candidates if candidate.score.pod_hours <= pod_hours]
    if affordable:
        return min(affordable, key=lambda c: (c.score.violation_s, c.score.pod_hours))
    return min(candidates, key=lambda c: (c.score.pod_hours, c.score.violation_s))
