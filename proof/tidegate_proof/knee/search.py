"""Asks a replica for what a search wants to know."""

from collections.abc import Callable
from typing import Protocol

from tidegate_proof.record.knee import Knee, Search, Step
from tidegate_proof.record.plan import Slo
from tidegate_proof.verdict.searching import KneeError, Searching


class Measure(Protocol):
    """One replica under test."""

    async def __call__(self, offered_rps: float, duration_s: float) -> Step:
        """Offer a load for so long after a warm-up, and leave nothing under way."""


async def find(
    measure: Measure, slo: Slo, plan: Search, tell: Callable[[Step], None] = lambda _: None
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
    search = Searching(slo, plan)
    search.begin()
    while (load := search.next_load()) is not None:
        step = await measure(load, plan.duration_s)
        tell(step)
        search.take(step)
    return search.knee(), tuple(search.steps)


async def attempt(
    measure: Measure, slo: Slo, plan: Search, tell: Callable[[Step], None] = lambda _: None
) -> tuple[Knee | None, tuple[Step, ...], str | None]:
    """Find the knee; None, and the reason at the end, where `find` refuses. Arguments as of `find`."""
    try:
        return *await find(measure, slo, plan, tell), None
    except KneeError as error:
        return None, error.steps, str(error)
