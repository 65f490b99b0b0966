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
    from collections.abc import Callable, Iterator, Sequence

    from .capacity import Capacity
    from .fleet import Delays
    from .knee import Knee
    from .score import Score
    from .signals import Signal

PENDING: Final = "pending-predictions"
_FIVE_M: Final = 5
_LEAST_QUEUED: Final = 3
EAGER: Final = ScalingRules(0, "Max", (Policy("Percent", 300, 15), Policy("Pods", 4, 15)))
_HEADROOMS: Final = (0.1, 0.3, 0.5, 0.7)
_WINDOWS_S: Final = (60, 300, 600)
PLAIN_CPU: Final = (80, 50)


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
        plain_cpu: a CPU target in per cent, and nothing else: no pending, no behavior, whatever the headroom; None if
            the target comes from the headroom.
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
    plain_cpu: int | None = None

    def plainly(self, cpu_percent: int) -> Plan:
        """Return the same bounds with what most people have: CPU alone, no behavior."""
        headroom = 1 - cpu_percent / 100
        return replace(self, headroom=headroom, down_window_s=300, on_pending=False, plain_cpu=cpu_percent)

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
        if self.plain_cpu is not None:
            return self.plain_cpu
        used, request = self.knee.at(self.rps_per_pod, "cores_used"), self.cpu_request_m
        return max(1, round(100_000 * used / request)) if used and request else 80

    @property
    def sent_per_gateway(self) -> int:
        """Rows that a gateway sends on for each model server: its share of what keeps one busy.

        That is twice what a pod answers while a lone request takes, and at least twice what it is to hold at its
        target, so that the signal can call for twice the fleet. Sent ahead, more would be joined to a call that one pod
        works through row by row, where joining saves nothing, while the others are idle.
        """
        lone_s = self.knee.steps[0].p50_s or self.slo_s
        answered = self.knee.capacity_within(self.slo_s) * lone_s * self.knee.rows
        return math.ceil(2 * max(answered, (self.pending_target_m or 0) / 1000) / self.gateways)

    @property
    def queued_per_gateway(self) -> int:
        """Rows that wait in a gateway for whichever model server is free first, however many there are.

        With those sent on to one pod they are the gateway's share of what it answers in half of the objective: what is
        let in is then answered in time while more pods come, and the rest is refused at once. More pods empty the queue
        faster, and need no longer one.
        """
        in_time = self.knee.capacity_within(self.slo_s) * self.slo_s / 2 * self.knee.rows / self.gateways
        return max(_LEAST_QUEUED, math.ceil(in_time) - self.sent_per_gateway)

    @property
    def behavior(self) -> Behavior | None:
        """Up as fast as `scale_up` says, down after the window."""
        if self.plain_cpu is not None:
            return None
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

    Plain CPU targets come first, so that the best of what was tried is no worse than what most people have.

    Args:
        plan: what stays the same: knee, maximum, objective.
        arrivals: requests per second.
        delays: measured ones.
        seed: of start times and phases.
        tell: told of each as it comes, with how many there were and how many there are to be.
    """
    found: list[Candidate] = []
    grid = list(_grid(plan, sorted(arrivals)[len(arrivals) // 10]))
    for tried in grid:
        found.append(Candidate(tried, scored(plan, tried.autoscaler(), arrivals, delays, seed=seed)))
        tell(found[-1], len(found), len(grid))
    return found


def _grid(plan: Plan, quiet_rps: float) -> Iterator[Plan]:
    floor = max(1, math.ceil(quiet_rps / plan.knee.capacity_rps))
    minima = sorted({plan.min_replicas, max(plan.min_replicas, floor), max(plan.min_replicas, floor + 1)})
    if plan.cpu_request_m is not None:
        for minimum, percent in product(minima, PLAIN_CPU):
            yield replace(plan, min_replicas=minimum).plainly(percent)
    # Without either there is nothing to scale on
    signals_on = [pending for pending in (True, False) if replace(plan, on_pending=pending).autoscaler().metrics]
    for minimum, headroom, window, up, pending in product(
        minima, _HEADROOMS, _WINDOWS_S, (EAGER, DEFAULT_SCALE_UP), signals_on
    ):
        tried = replace(plan, min_replicas=minimum, headroom=headroom, down_window_s=window)
        yield replace(tried, scale_up=up, on_pending=pending)


def scored(plan: Plan, scaler: Autoscaler, arrivals: Sequence[float], delays: Delays, *, seed: int = 0) -> Score:
    """Return how an HPA does on a load.

    Args:
        plan: the pod, the objective, and the bounds of the oracle.
        scaler: the HPA.
        arrivals: requests per second.
        delays: measured ones.
        seed: of start times and phases.
    """
    capacity = plan.capacity()
    start = max(scaler.min_replicas, capacity.needed(arrivals[0], plan.slo_s, plan.max_replicas))
    signals: dict[str, Signal] = {PENDING: "pending"}
    trajectory = simulate(arrivals, capacity, delays, scaler, replicas=start, signals=signals, seed=seed)
    return score(trajectory, capacity, delays, plan.slo_s, (plan.min_replicas, plan.max_replicas))


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
