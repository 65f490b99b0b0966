"""A load, a fleet and an HPA, second by second: what will the autoscaler do?"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .errors import MetricError
from .fleet import Delays, Fleet
from .horizontal import normalize
from .memory import Memory, record_initial_recommendation, store_scale_event
from .settings import Settings, tolerances_for_hpa
from .signals import Signal, Signals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .autoscaler import Autoscaler
    from .capacity import Capacity


@dataclass(frozen=True)
class Decision:
    """A rescale: when, in seconds, from and to how many replicas, and what held it back if something did."""

    second: float
    before: int
    after: int
    reason: str


@dataclass
class Trajectory:
    """What happened, one entry for each second of the arrivals.

    Args:
        offered: requests that came.
        replicas: what the Deployment was told.
        ready: pods that were Ready.
        pods: pods that cost something: starting, ready, draining.
        served: requests that were answered.
        queue: requests that waited.
        latency_s: what 99 of 100 requests stayed below.
        shed: requests that were refused.
        decisions: every rescale.
    """

    offered: Sequence[float]
    replicas: list[int] = field(default_factory=list)
    ready: list[int] = field(default_factory=list)
    pods: list[int] = field(default_factory=list)
    served: list[float] = field(default_factory=list)
    queue: list[float] = field(default_factory=list)
    latency_s: list[float] = field(default_factory=list)
    shed: list[float] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)

    def forecast(self) -> list[tuple[float, int]]:
        """Return the seconds at which the number of replicas changes, and what it is from then on."""
        start = [(0.0, self.replicas[0])] if self.replicas else []
        return start + [(decision.second, decision.after) for decision in self.decisions]


def simulate(  # noqa: PLR0913 - a simulation has that many parts; the last ones have defaults
    arrivals: Sequence[float],
    capacity: Capacity,
    delays: Delays,
    autoscaler: Autoscaler,
    *,
    replicas: int | None = None,
    signals: Mapping[str, Signal] | None = None,
    settings: Settings | None = None,
    seed: int = 0,
) -> Trajectory:
    """Return what an HPA makes of a load.

    Args:
        arrivals: requests in each second.
        capacity: what pods can do.
        delays: how long everything takes.
        autoscaler: the HPA.
        replicas: pods at the start, all of them serving; the HPA's minimum if it is not said.
        signals: what Pods, Object and External metrics show, by name; pending if it is not said.
        settings: the controller's flags; their defaults if they are not said. `delays` says the period.
        seed: of the pods' start times and of the phases of controller and metrics.

    Raises:
        InputError: the HPA scales on something of which the model knows nothing.
    """
    flags = settings or Settings()
    dice = random.Random(seed)  # noqa: S311 - phases need no secrecy
    fleet = Fleet(max(1, autoscaler.min_replicas) if replicas is None else replicas, delays, dice.randrange(2**32))
    figures = Signals(capacity, delays, signals or {}, dice.uniform(0, delays.metric_window_s))
    controller = _Controller(autoscaler, flags, dice.uniform(0, delays.sync_s), fleet.replicas)
    trajectory = Trajectory(arrivals)
    backlog = 0.0
    for second, offered in enumerate(arrivals):
        fleet.advance(second)
        limit = capacity.throughput(fleet.serving)
        latency = capacity.latency_p99(fleet.serving, offered, backlog)
        served = min(backlog + offered, limit)
        backlog += offered - served
        held = backlog if capacity.max_pending is None else min(backlog, capacity.max_pending * fleet.serving)
        shed, backlog = backlog - held, held
        figures.record(fleet, served, backlog + capacity.pending(fleet.serving, served), offered, second)
        trajectory.replicas.append(controller.replicas)
        trajectory.ready.append(fleet.ready)
        trajectory.pods.append(fleet.replicas + fleet.draining)
        trajectory.served.append(served)
        trajectory.queue.append(backlog)
        trajectory.latency_s.append(latency)
        trajectory.shed.append(shed)
        while controller.next_sync <= second + 1:
            trajectory.decisions += controller.sync(figures, fleet, delays.sync_s)
    return trajectory


class _Controller:
    """The HPA's loop over a fleet that is given as numbers: the same arithmetic as one reconcile over objects."""

    def __init__(self, hpa: Autoscaler, settings: Settings, phase: float, replicas: int) -> None:
        self._hpa = hpa
        self._settings = settings
        self._tolerances = tolerances_for_hpa(hpa, settings)
        self._memory = record_initial_recommendation(Memory(), replicas)
        self.replicas = replicas
        self.next_sync = phase

    def sync(self, figures: Signals, fleet: Fleet, period: float) -> list[Decision]:
        """Reconcile once; return the rescale, if there is one."""
        now, before = self.next_sync, self.replicas
        self.next_sync += period
        after, reason = self._desired(figures, fleet, now)
        if after != before:
            self._memory = store_scale_event(self._memory, self._hpa.behavior, before, after)
            self.replicas = after
            fleet.scale_to(after, now)
        self._memory = self._memory.older(period)
        return [Decision(now, before, after, reason)] if after != before else []

    def _desired(self, figures: Signals, fleet: Fleet, now: float) -> tuple[int, str]:
        hpa, current = self._hpa, self.replicas
        if current == 0 and hpa.min_replicas != 0:
            return 0, "ScalingDisabled"
        if current > hpa.max_replicas:
            return hpa.max_replicas, "TooManyReplicas"
        if current < hpa.min_replicas:
            return hpa.min_replicas, "TooFewReplicas"
        proposals, failed = [], 0
        for spec in hpa.metrics:
            try:
                proposals.append(figures.propose(spec, current, fleet, now, self._tolerances).replicas)
            except MetricError:
                failed += 1
        recommendation = max(proposals, default=-1)
        if not proposals or (failed and recommendation < current):
            return current, "FailedGetMetric"
        normalized = normalize(hpa, self._memory, current, recommendation, self._settings)
        self._memory = normalized.memory
        return normalized.limited, normalized.scaling_limited[0]
