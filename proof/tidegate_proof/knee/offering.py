"""Offers a load to a target by the engine, and sums it up as a step of the search."""

import asyncio
import itertools
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from time import monotonic_ns
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

import arrivals
from tidegate_proof.engine.account import Account
from tidegate_proof.engine.columns import Columns
from tidegate_proof.engine.generator import Generator, Limits
from tidegate_proof.engine.payload import Payload
from tidegate_proof.engine.target import Target
from tidegate_proof.record.knee import Step
from tidegate_proof.record.plan import GeneratorLimits, Slo
from tidegate_proof.record.requests import ABSENT, ERRORS, Requests

NS = 1_000_000_000

Schedule = Callable[[float, int, int], Sequence[int]]
"""From requests/s, seconds and a seed to intended times, in ns since the start, in order."""


def schedule(process: arrivals.Process) -> Schedule:
    """Return what makes the arrivals of a step, the same rate all the time."""

    def made(rate: float, seconds: int, seed: int) -> list[int]:
        counts = arrivals.counts([rate] * seconds, process=process, seed=seed)
        return arrivals.intended_ns(counts, process=process, seed=seed)

    return made


class Meter(Protocol):
    """Tells what the tier under test uses."""

    async def cores(self, start_ns: int, end_ns: int) -> float | None:
        """Return the processors used on average between two times of `time.monotonic_ns()`, which it waits for.

        None where nobody told.
        """


@dataclass(slots=True)
class Offering:
    """A `Measure` of one target.

    Attributes:
        target: Where to post.
        payloads: What to post, in turn.
        schedule: When.
        slo: What counts as good.
        warm_up_s: Seconds of the same load before each step.
        seed: Of the first step; the next one has the next seed.
        limits: How far the generator goes; it gets connections for the load that is offered.
        tolerances: Up to where the generator vouches for a step.
        meter: Of the tier under test.
    """

    target: Target
    payloads: Sequence[Payload]
    schedule: Schedule
    slo: Slo
    warm_up_s: int = 2
    seed: int = 1
    limits: Limits = field(default_factory=Limits)
    tolerances: GeneratorLimits = field(default_factory=GeneratorLimits)
    meter: Meter | None = None
    _made: "itertools.count[int]" = field(default_factory=itertools.count)

    async def __call__(self, offered_rps: float, duration_s: float) -> Step:
        """Offer a load, and wait until everything has ended.

        Raises:
            TargetError: The target has no address, or the system allows too few open files.
        """
        seconds = self.warm_up_s + ceil(duration_s)
        intended = self.schedule(offered_rps, seconds, self.seed + next(self._made))
        columns = Columns(intended, f"knee-{secrets.token_hex(4)}")
        generator = Generator(self.target, self.payloads, columns, self.limits.for_load(offered_rps))
        start_ns = monotonic_ns() + NS // 4  # connections come about meanwhile
        after_ns, end_ns = self.warm_up_s * NS, seconds * NS
        metering = asyncio.ensure_future(self._cores(start_ns + after_ns, start_ns + end_ns))
        try:
            await generator.run(start_ns)
            cores = await metering
        finally:
            metering.cancel()
        step = sum_up(
            columns.requests(),
            (after_ns, end_ns),
            offered_rps,
            self.slo,
            Account.of(columns, generator.looks, after_ns).faults(self.tolerances),
        )
        return replace(step, cores_used=cores)

    async def _cores(self, start_ns: int, end_ns: int) -> float | None:
        return None if self.meter is None else await self.meter.cores(start_ns, end_ns)


def sum_up(requests: Requests, window_ns: tuple[int, int], offered_rps: float, slo: Slo, faults: Sequence[str]) -> Step:
    """Sum up what became of the arrivals from the end of the warm-up to the end of the step.

    Args:
        requests: All of them, in order of intended time.
        window_ns: End of the warm-up, and of the step.
        offered_rps: What was asked for.
        slo: What counts as good.
        faults: Why the generator does not vouch for it.
    """
    first, last = np.searchsorted(requests.intended_ns, window_ns)
    rows = slice(int(first), int(last))
    intended, sent, answered = requests.intended_ns[rows], requests.sent_ns[rows], requests.answered_ns[rows]
    error = requests.error[rows]
    latency = np.sort((answered - intended)[(error == 0) & (answered != ABSENT)])
    duration_s = (window_ns[1] - window_ns[0]) / NS
    stays_ns = int((answered - sent)[answered != ABSENT].sum())
    return Step(
        offered_rps=offered_rps,
        goodput_rps=int(np.searchsorted(latency, slo.latency_ns, "right")) / duration_s,
        p50_ns=quantile(latency, 0.5, len(intended)),
        p95_ns=quantile(latency, 0.95, len(intended)),
        p99_ns=quantile(latency, 0.99, len(intended)),
        mean_pending=stays_ns / NS / duration_s,
        cores_used=None,
        duration_s=duration_s,
        n=len(intended),
        errors={ERRORS[code]: int(count) for code, count in enumerate(np.bincount(error)) if code and count},
        valid=not faults,
        faults=tuple(faults),
    )


def quantile(latency_ns: NDArray[np.int64], share: float, arrivals: int) -> int | None:
    """Return a quantile by nearest rank, where what was not answered right took for ever; None where it is that.

    Args:
        latency_ns: Of right answers, in order.
        share: Below 1.
        arrivals: All of them.
    """
    rank = max(ceil(share * arrivals), 1)
    return int(latency_ns[rank - 1]) if rank <= len(latency_ns) else None
