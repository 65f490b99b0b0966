"""Looks for the knee by doubling the load, halving the bracket, and asking twice about both of its ends.

Every load follows from the steps before it: whoever has them can say what had to be asked, and what was found.
"""

from dataclasses import dataclass, field
from math import sqrt

from tidegate_proof.record.knee import Knee, Search, Step
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


@dataclass(slots=True)
class Searching:
    """A search: all that is known, from which follows what to do next.

    Attributes:
        slo: What must be kept; of its 99th percentile.
        plan: How to search.
        steps: In the order in which they were made.
        votes: Of each load, whether its steps kept the SLO; those that the generator vouches for.
    """

    slo: Slo
    plan: Search
    steps: list[Step] = field(default_factory=list)
    votes: dict[float, list[bool]] = field(default_factory=dict)

    def begin(self) -> None:
        """Check what is asked for.

        Raises:
            KneeError: The SLO is of another quantile, or the steps are too short for it.
        """
        slo, plan = self.slo, self.plan
        if slo.quantile != QUANTILE:
            raise self._refusal(f"expected an SLO of the {QUANTILE:.0%} quantile, came {slo.quantile:.4%}")
        if plan.duration_s < BACKLOG * slo.latency_ms / 1e3:
            raise self._refusal(
                f"expected steps of at least {BACKLOG * slo.latency_ms / 1e3:g} s for a latency of "
                f"{slo.latency_ms:g} ms, came {plan.duration_s:g} s: a backlog would not show"
            )

    def take(self, step: Step) -> None:
        """Learn from a step.

        Raises:
            KneeError: The generator does not vouch for it, for the second time.
        """
        again = self._held_up
        self.steps.append(step)
        if step.valid:
            self.votes.setdefault(step.offered_rps, []).append(step.keeps(self.slo))
        elif again:
            raise self._refusal(
                f"the generator does not vouch for {step.offered_rps:.4g} requests/s, twice: {'; '.join(step.faults)}; "
                "give it a processor of its own, or look for the knee of a slower replica"
            )

    @property
    def _held_up(self) -> bool:
        """Whether the last step says nothing."""
        return bool(self.steps) and not self.steps[-1].valid

    def next_load(self) -> float | None:
        """Say what to offer next; None when the knee is known.

        Raises:
            KneeError: There will be none.
        """
        load = self.steps[-1].offered_rps if self._held_up else self._next()
        if load is not None and len(self.steps) >= self.plan.most_steps:
            raise self._refusal(f"no knee after {len(self.steps)} steps: the results are too noisy; use longer steps")
        return load

    def _next(self) -> float | None:
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
