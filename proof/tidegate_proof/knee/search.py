"""Looks for the knee by doubling the load, halving the bracket, and asking twice about both of its ends."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import sqrt
from typing import Protocol

from tidegate_proof.record.knee import Knee, Step
from tidegate_proof.record.plan import Slo

BACKLOG = 20
"""Seconds of a step for each second of the SLO's latency.

A load of 1/20 more than the capacity leaves a backlog that grows by 1/20 of a second in each: in a shorter step it
would not reach that latency, and 5 % too much would pass.
"""


QUANTILE = 0.99
"""What a step's latency is judged by."""


class KneeError(Exception):
    """There is no knee to be had; the text says why and what to do.

    Args:
        reason: The text.
        steps: What was measured until then.
    """

    def __init__(self, reason: str, steps: tuple[Step, ...]) -> None:
        super().__init__(reason)
        self.steps = steps


class Measure(Protocol):
    """One replica under test."""

    async def __call__(self, offered_rps: float, duration_s: float) -> Step:
        """Offer a load for so long after a warm-up, and leave nothing under way."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to search.

    Attributes:
        lowest_rps: First load; the SLO must be kept here.
        highest_rps: No more is offered.
        duration_s: Of each step, without warm-up.
        resolution: How wide the bracket may be, relative to its lower end.
        contradiction: How far a load that kept the SLO even once may lie above one that did not in most of its
            steps, relative to the latter.
        most_steps: After these the search is given up.
    """

    lowest_rps: float = 4.0
    highest_rps: float = 20_000.0
    duration_s: float = 10.0
    resolution: float = 0.03
    contradiction: float = 0.15
    most_steps: int = 40


async def find(
    measure: Measure, slo: Slo, plan: Plan, tell: Callable[[Step], None] = lambda _: None
) -> tuple[Knee, tuple[Step, ...]]:
    """Find the knee.

    Args:
        measure: The replica.
        slo: What must be kept; of its 99th percentile.
        plan: How to search.
        tell: Told of each step when it is over.

    Returns:
        The knee, and all steps in the order in which they were made.

    Raises:
        KneeError: The steps are too short for the SLO, the SLO is missed at the lowest load or kept at the highest,
            the generator does not vouch for a step, steps contradict each other, or there is no end to it.
    """
    if slo.quantile != QUANTILE:
        raise KneeError(f"expected an SLO of the {QUANTILE:.0%} quantile, came {slo.quantile:.4%}", ())
    if plan.duration_s < BACKLOG * slo.latency_ms / 1e3:
        raise KneeError(
            f"expected steps of at least {BACKLOG * slo.latency_ms / 1e3:g} s for a latency of {slo.latency_ms:g} ms, "
            f"came {plan.duration_s:g} s: a backlog would not show",
            (),
        )
    search = _Search(measure, slo, plan, tell)
    while (load := search.next_load()) is not None:
        await search.offer(load)
    return search.knee(), tuple(search.steps)


async def attempt(
    measure: Measure, slo: Slo, plan: Plan, tell: Callable[[Step], None] = lambda _: None
) -> tuple[Knee | None, tuple[Step, ...], str | None]:
    """Find the knee; None, and the reason at the end, where `find` refuses. Arguments as of `find`."""
    try:
        return *await find(measure, slo, plan, tell), None
    except KneeError as error:
        return None, error.steps, str(error)


@dataclass(slots=True)
class _Search:
    """All that is known; what to do next follows from it alone."""

    measure: Measure
    slo: Slo
    plan: Plan
    tell: Callable[[Step], None]
    steps: list[Step] = field(default_factory=list)
    votes: dict[float, list[bool]] = field(default_factory=dict)

    async def offer(self, load: float) -> None:
        """Measure, once more where the generator did not vouch for it."""
        step = await self._measured(load)
        if not step.valid:
            step = await self._measured(load)
        if not step.valid:
            raise self._refusal(
                f"the generator does not vouch for {load:.4g} requests/s, twice: {'; '.join(step.faults)}; "
                "give it a processor of its own, or look for the knee of a slower replica"
            )
        self.votes.setdefault(load, []).append(step.keeps(self.slo))

    async def _measured(self, load: float) -> Step:
        if len(self.steps) >= self.plan.most_steps:
            raise self._refusal(f"no knee after {len(self.steps)} steps: the results are too noisy; use longer steps")
        step = await self.measure(load, self.plan.duration_s)
        self.steps.append(step)
        self.tell(step)
        return step

    def next_load(self) -> float | None:
        """Say what to offer next; None when the knee is known.

        Raises:
            KneeError: There will be none.
        """
        split = next((load for load, votes in self.votes.items() if sum(votes) * 2 == len(votes)), None)
        if split is not None:
            return split
        if not self._failing():
            return self._higher()
        low, high = self._bracket()
        if low is None:
            return self._again(high) or self._refuse_lowest()
        if self._kept() > high * (1 + self.plan.contradiction):
            return self._again(high) or self._refuse_contradiction(high)
        if high > low * (1 + self.plan.resolution):
            return sqrt(low * high)
        return self._again(low) or self._again(high)

    def knee(self) -> Knee:
        """Say what was found."""
        low, high = self._bracket()
        assert low is not None  # noqa: S101 `next_load` ends with a bracket or raises
        kept = [step for step in self.steps if step.offered_rps == low and step.valid and step.keeps(self.slo)]
        return Knee(
            capacity_rps=low,
            low=low,
            high=high,
            p99_ns=max(step.p99_ns for step in kept if step.p99_ns is not None),
            mean_pending=_mean([step.mean_pending for step in kept]),
            cores_used=_mean([step.cores_used for step in kept]),
        )

    def _passing(self) -> list[float]:
        return [load for load, votes in self.votes.items() if sum(votes) * 2 > len(votes)]

    def _failing(self) -> list[float]:
        return [load for load, votes in self.votes.items() if sum(votes) * 2 < len(votes)]

    def _kept(self) -> float:
        """Return the highest load that kept the SLO at least once."""
        return max(load for load, votes in self.votes.items() if any(votes))

    def _bracket(self) -> tuple[float | None, float]:
        high = min(self._failing())
        return max((load for load in self._passing() if load < high), default=None), high

    def _higher(self) -> float:
        """Begin with the lowest load, or double the load, up to the highest."""
        if not self.votes:
            return self.plan.lowest_rps
        reached = max(self._passing())
        if reached >= self.plan.highest_rps:
            raise self._refusal(
                f"the SLO was kept at {reached:.4g} requests/s, the most that was to be offered: offer more"
            )
        return min(2 * reached, self.plan.highest_rps)

    def _again(self, load: float) -> float | None:
        """Ask a second time before a load's result is relied on."""
        return load if len(self.votes[load]) == 1 else None

    def _refuse_lowest(self) -> float:
        raise self._refusal(
            f"expected the SLO (p99 {self.slo.latency_ms:g} ms, success {self.slo.success:.3%}) to be kept at the "
            f"lowest load, came {self._last(min(self._failing()))}: allow more, or begin lower"
        )

    def _refuse_contradiction(self, high: float) -> float:
        raise self._refusal(
            f"the results contradict each other: the SLO was missed at {self._last(high)}, "
            f"yet it was kept once at {self._kept():.4g}; use longer steps on a quieter machine"
        )

    def _last(self, load: float) -> Step:
        return next(step for step in reversed(self.steps) if step.offered_rps == load)

    def _refusal(self, reason: str) -> KneeError:
        return KneeError(reason, tuple(self.steps))


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
