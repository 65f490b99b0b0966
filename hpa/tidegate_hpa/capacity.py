"""What a fleet of pods can serve, and how long it takes.

Throughput follows Gunther's Universal Scalability Law, waiting the M/M/c queue with Sakasegawa's approximation of the
probability that a request waits (1977): one queue in front of all pods, which the balancer's fewest outstanding calls
comes near to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

_P99 = 100.0


@dataclass(frozen=True)
class Capacity:
    """One pod, and how pods get in each other's way.

    Args:
        service_time_s: how long a pod works on one request.
        concurrency: how many requests a pod works on at a time.
        contention: USL's alpha, the share of work that all pods do one after the other.
        coherency: USL's beta, what every pair of pods costs.
        cpu_s: CPU seconds of one request.
        cpu_request_m: CPU that a pod requests, in millicores: utilisation is per cent of it.
        idle_cpu_m: CPU of a pod that does nothing, in millicores.
        max_pending: requests that a pod holds, worked on or waiting, before it sheds; None = all.
        measured: requests/s of a pod and requests pending in it, from no load on; where there are none, theory tells.
        measured_cores: the same of the cores that it uses, which a limit holds down; without any it is `cpu_s` each.
    """

    service_time_s: float
    concurrency: int = 1
    contention: float = 0.0
    coherency: float = 0.0
    cpu_s: float = 0.0
    cpu_request_m: int = 100
    idle_cpu_m: int = 0
    max_pending: int | None = None
    measured: tuple[tuple[float, float], ...] = ()
    measured_cores: tuple[tuple[float, float], ...] = ()

    def throughput(self, pods: int) -> float:
        """Return the requests per second that `pods` pods serve at most."""
        alone = self.concurrency / self.service_time_s
        return pods * alone / (1 + self.contention * (pods - 1) + self.coherency * pods * (pods - 1))

    def latency_p99(self, pods: int, rate: float, backlog: float = 0.0) -> float:
        """Return the seconds that 99 of 100 requests stay below.

        Args:
            pods: pods that serve.
            rate: requests per second that come in.
            backlog: requests that wait already.
        """
        limit = self.throughput(pods)
        if limit <= 0:
            return math.inf
        slots = pods * self.concurrency
        service = slots / limit
        if backlog > 0 or rate >= limit:
            return service + (backlog + max(0.0, rate - limit)) / limit
        waits = _waiting_share(rate / limit, slots)
        return service + max(0.0, math.log(_P99 * waits)) / (limit - rate) if waits > 0 else service

    def pending(self, pods: int, served: float) -> float:
        """Return the requests that are worked on, or wait for a moment, while no backlog builds up (Little's law).

        Args:
            pods: pods that serve.
            served: requests per second that they answer.
        """
        limit = self.throughput(pods)
        slots = pods * self.concurrency
        if served >= limit:
            return float(slots)
        if self.measured:
            return pods * _between((*self.measured, (limit / pods, float(self.concurrency))), served / pods)
        waiting = served * _waiting_share(served / limit, slots) / (limit - served)
        # What waits for longer than a second is the backlog's
        return slots * served / limit + min(waiting, served)

    def cores(self, pods: int, served: float) -> float:
        """Return the cores that all pods use together.

        Args:
            pods: pods that serve.
            served: requests per second that they answer.
        """
        if not self.measured_cores or not pods:
            return served * self.cpu_s
        last, most = self.measured_cores[-1]
        each = served / pods
        return pods * (most if each >= last else _between(self.measured_cores, each))

    def needed(self, rate: float, slo_s: float, maximum: int) -> int:
        """Return the fewest pods, up to `maximum`, that keep 99 of 100 requests within `slo_s` seconds."""
        return _needed(self, rate, slo_s, maximum)


def _between(points: tuple[tuple[float, float], ...], at: float) -> float:
    """Interpolate; the first point lies at 0, the last one beyond `at`."""
    right = next(place for place, (where, _) in enumerate(points) if where > at)
    (low, below), (high, above) = points[right - 1 : right + 1]
    return below + (above - below) * (at - low) / (high - low)


def _waiting_share(load: float, slots: int) -> float:
    return float(load ** (math.sqrt(2 * (slots + 1)) - 1))


@lru_cache(maxsize=100_000)
def _needed(capacity: Capacity, rate: float, slo_s: float, maximum: int) -> int:
    if rate <= 0:
        return 0
    low, high = 1, maximum
    while low < high:
        middle = (low + high) // 2
        enough = capacity.throughput(middle) > rate and capacity.latency_p99(middle, rate) <= slo_s
        low, high = (low, middle) if enough else (middle + 1, high)
    return low
