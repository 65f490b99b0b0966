"""Queues whose capacity is known in closed form, in simulated time, as replicas under test."""

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tidegate_proof.record.knee import Step
from tidegate_proof.record.plan import Slo

NS = 1_000_000_000
WARM_UP = 0.2
"""Share of a step's duration that goes before it."""


@dataclass
class Queue:
    """First come, first served: Poisson arrivals, `servers` of them, room for `room` requests in all.

    Attributes:
        service: Draws a service time, in seconds.
        servers: How many serve.
        room: Most requests inside; more are refused at once.
        faults: What the generator says against itself at a load.
    """

    slo: Slo
    seed: int
    service: Callable[[random.Random], float]
    servers: int = 1
    room: float = math.inf
    faults: Callable[[float], tuple[str, ...]] = lambda _: ()
    offered: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._source = random.Random(self.seed)

    async def __call__(self, offered_rps: float, duration_s: float) -> Step:
        self.offered.append(offered_rps)
        begin_s, end_s = WARM_UP * duration_s, (1 + WARM_UP) * duration_s
        free = [0.0] * self.servers
        inside: list[float] = []
        latencies: list[float] = []
        refused, now_s, busy_s = 0, 0.0, 0.0
        while (now_s := now_s + self._source.expovariate(offered_rps)) < end_s:
            while inside and inside[0] <= now_s:
                heapq.heappop(inside)
            counted = now_s >= begin_s
            if len(inside) >= self.room:
                refused += counted
                continue
            took_s = self.service(self._source)
            leaves_s = max(now_s, free[0]) + took_s
            heapq.heapreplace(free, leaves_s)
            if self.room < math.inf:
                heapq.heappush(inside, leaves_s)
            if counted:
                latencies.append(leaves_s - now_s)
                busy_s += took_s
        return self._step(offered_rps, duration_s, np.array(latencies), refused, busy_s)

    def _step(self, offered_rps: float, duration_s: float, latencies: np.ndarray, refused: int, busy_s: float) -> Step:
        faults = self.faults(offered_rps)
        p50, p95, p99 = np.percentile(latencies, (50, 95, 99)) if latencies.size else (0, 0, 0)
        return Step(
            offered_rps=offered_rps,
            goodput_rps=float(np.sum(latencies * 1e3 <= self.slo.latency_ms)) / duration_s,
            p50_ns=int(p50 * NS),
            p95_ns=int(p95 * NS),
            p99_ns=int(p99 * NS),
            mean_pending=float(latencies.sum()) / duration_s,  # Little's law
            cores_used=busy_s / duration_s,
            duration_s=duration_s,
            n=len(latencies) + refused,
            errors={"refused": refused} if refused else {},
            valid=not faults,
            faults=faults,
        )


def exponential(rate: float) -> Callable[[random.Random], float]:
    return lambda source: source.expovariate(rate)


def constant(rate: float) -> Callable[[random.Random], float]:
    return lambda _: 1 / rate


def over(rate: float, servers: int, latency_s: float, load: float) -> float:
    """Share of an M/M/c queue's customers that are inside for longer than a time (Gross & Harris, 2.4)."""
    a = load / rate
    last = a**servers / math.factorial(servers) / (1 - a / servers)
    waits = last / (sum(a**k / math.factorial(k) for k in range(servers)) + last)  # Erlang's C
    gap = servers - 1 - a
    return math.exp(-rate * latency_s) * (1 + waits * (1 - math.exp(-rate * latency_s * gap)) / gap)


def over_with_constant_service(rate: float, latency_s: float, load: float) -> float:
    """The same for M/D/1 (Erlang 1909; Tijms, A First Course in Stochastic Models, 9.6)."""
    rho, t = load / rate, latency_s * rate - 1  # the wait, in service times
    terms = ((rho * (k - t)) ** k / math.factorial(k) * math.exp(-rho * (k - t)) for k in range(int(t) + 1))
    return 1 - (1 - rho) * sum(terms)


def refused_share(rate: float, room: int, load: float) -> float:
    """Share of an M/M/1/K queue's customers that find it full."""
    rho = load / rate
    return (1 - rho) * rho**room / (1 - rho ** (room + 1))


def capacity(missed: Callable[[float], float], most: float, ceiling: float) -> float:
    """Return the load at which a share that grows with the load reaches `most`, by halving."""
    low, high = 0.0, ceiling
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if missed(middle) <= most else (low, middle)
    return low
