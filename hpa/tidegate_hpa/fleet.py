"""Pods over time, by number: starting, ready, serving, draining."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True)
class Delays:
    """What lies between a load and the pod that serves it, in seconds.

    Args:
        sync_s: the controller's period.
        metric_window_s: the span over which a figure is averaged, and how often a new CPU figure comes.
        metric_age_s: how old an Object, Pods or External figure is when the controller reads it.
        pod_start_s: from the decision until a pod is Ready, the median.
        pod_start_spread: standard deviation of its logarithm.
        creation_per_s: pods that the controller manager creates in a second (20 requests a second by default).
        discovery_s: from Ready until requests arrive.
        drain_s: how long a pod goes on after it was told to stop; it takes no new request.
    """

    sync_s: float = 15.0
    metric_window_s: float = 15.0
    metric_age_s: float = 0.0
    pod_start_s: float = 5.0
    pod_start_spread: float = 0.0
    creation_per_s: float = 20.0
    discovery_s: float = 1.0
    drain_s: float = 5.0


class Fleet:
    """A Deployment's pods. Time is whole seconds and only goes on.

    Args:
        replicas: pods that serve already at second 0.
        delays: how long things take.
        seed: of the start times.
    """

    def __init__(self, replicas: int, delays: Delays, seed: int) -> None:
        self._delays = delays
        self._random = random.Random(seed)  # noqa: S311 - start times need no secrecy
        self._starting: list[float] = []
        self._discovered: deque[float] = deque()
        self._ready: deque[tuple[float, int]] = deque([(-1e9, replicas)]) if replicas else deque()
        self._draining: deque[tuple[float, int]] = deque()
        self._next_creation = 0.0
        self.ready = replicas
        self.serving = replicas
        self.draining = 0

    @property
    def starting(self) -> int:
        """Pods that are there and not Ready yet."""
        return len(self._starting)

    @property
    def replicas(self) -> int:
        """Pods that the Deployment counts."""
        return self.ready + len(self._starting)

    def ready_since(self, moment: float) -> int:
        """Return how many pods have been Ready since `moment` or longer."""
        return sum(count for since, count in self._ready if since <= moment)

    def scale_to(self, replicas: int, now: float) -> None:
        """Create or remove pods: those that start go first, then the youngest."""
        for _ in range(replicas - self.replicas):
            self._next_creation = max(now, self._next_creation + 1 / self._delays.creation_per_s)
            start = self._delays.pod_start_s * self._random.lognormvariate(0.0, self._delays.pod_start_spread)
            self._starting.append(self._next_creation + start)
        self._starting.sort(reverse=True)
        surplus = self.replicas - replicas
        if surplus > 0:
            dropped = min(surplus, len(self._starting))
            del self._starting[:dropped]
            self._remove(surplus - dropped, now)

    def _remove(self, count: int, now: float) -> None:
        if count <= 0:
            return
        self.ready -= count
        self.draining += count
        self._draining.append((now + self._delays.drain_s, count))
        left = count
        while left:
            since, there = self._ready.pop()
            if there > left:
                self._ready.append((since, there - left))
            left -= min(there, left)
        while self._discovered and self.serving + len(self._discovered) > self.ready:
            self._discovered.pop()
        self.serving = min(self.serving, self.ready)

    def advance(self, now: float) -> None:
        """Let time pass until `now`."""
        became = 0
        while self._starting and self._starting[-1] <= now:
            self._discovered.append(self._starting.pop() + self._delays.discovery_s)
            became += 1
        if became:
            self.ready += became
            self._ready.append((now, became))
        while self._discovered and self._discovered[0] <= now:
            self._discovered.popleft()
            self.serving += 1
        while self._draining and self._draining[0][0] <= now:
            self.draining -= self._draining.popleft()[1]
