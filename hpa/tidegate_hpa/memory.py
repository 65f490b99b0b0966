"""What the controller remembers of one HPA between syncs: recommendations and its own rescales.

Source: kubernetes v1.35.0, pkg/controller/podautoscaler/horizontal.go. Ages are seconds before now: the clock stays
outside. They are compared in nanoseconds, as fine as the controller's clock is: a sum of floats misses by less.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from .timestamps import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .autoscaler import Behavior, ScalingRules

Age = int | float


@dataclass(frozen=True)
class Recommendation:
    """What the metrics asked for, before it was stabilised."""

    replicas: int
    age: Age = 0

    @property
    def age_ns(self) -> int:
        """The age in nanoseconds."""
        return round(self.age * SECOND)


@dataclass(frozen=True)
class ScaleEvent:
    """A rescale that the controller did: how many replicas more, or fewer, above zero in both directions."""

    change: int
    age: Age = 0

    @property
    def age_ns(self) -> int:
        """The age in nanoseconds."""
        return round(self.age * SECOND)


@dataclass(frozen=True)
class Memory:
    """Entries in the order in which the controller stores them.

    Args:
        recommendations: None before the first sync.
        scale_up_events: rescales upwards.
        scale_down_events: rescales downwards.
    """

    recommendations: tuple[Recommendation, ...] | None = None
    scale_up_events: tuple[ScaleEvent, ...] = ()
    scale_down_events: tuple[ScaleEvent, ...] = ()

    def older(self, by: Age) -> Memory:
        """Return the same memory `by` seconds later."""
        recommendations = self.recommendations
        return Memory(
            None if recommendations is None else tuple(replace(r, age=r.age + by) for r in recommendations),
            tuple(replace(event, age=event.age + by) for event in self.scale_up_events),
            tuple(replace(event, age=event.age + by) for event in self.scale_down_events),
        )


def record_initial_recommendation(memory: Memory, current_replicas: int) -> Memory:
    """Let a fresh controller start from what runs (recordInitialRecommendation)."""
    if memory.recommendations is not None:
        return memory
    return replace(memory, recommendations=(Recommendation(current_replicas),))


Entry = TypeVar("Entry")


def stored(entries: Sequence[Entry], new: Entry, is_old: Callable[[Entry], bool]) -> tuple[Entry, ...]:
    """Put a new entry in the place of the last old one, else at the end."""
    places = [place for place, entry in enumerate(entries) if is_old(entry)]
    if not places:
        return (*entries, new)
    return (*entries[: places[-1]], new, *entries[places[-1] + 1 :])


def store_scale_event(memory: Memory, behavior: Behavior | None, previous: int, new: int) -> Memory:
    """Remember a rescale, which policies count; without a behavior nothing does (storeScaleEvent)."""
    if behavior is None:
        return memory
    if new > previous:
        longest = get_longest_policy_period(behavior.scale_up) * SECOND
        events = stored(memory.scale_up_events, ScaleEvent(new - previous), lambda event: event.age_ns > longest)
        return replace(memory, scale_up_events=events)
    longest = get_longest_policy_period(behavior.scale_down) * SECOND
    events = stored(memory.scale_down_events, ScaleEvent(previous - new), lambda event: event.age_ns > longest)
    return replace(memory, scale_down_events=events)


def get_longest_policy_period(rules: ScalingRules) -> int:
    """Return the longest period of a direction's policies in seconds (getLongestPolicyPeriod)."""
    return max((0, *(policy.period_seconds for policy in rules.policies)))


def get_replicas_change_per_period(period_seconds: int, events: Sequence[ScaleEvent]) -> int:
    """Return how many replicas the rescales of one direction within a period come to (getReplicasChangePerPeriod)."""
    return sum(event.change for event in events if event.age_ns < period_seconds * SECOND)
