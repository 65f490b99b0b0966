"""From what metrics ask for to what is done: stabilisation, rate limits, bounds.

Source: kubernetes v1.35.0, pkg/controller/podautoscaler/horizontal.go.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Final

from .machine import MAX_INT32, MIN_INT32, converted_to_int32, wrapped_int32
from .memory import Memory, Recommendation, get_replicas_change_per_period, stored
from .timestamps import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .autoscaler import Behavior, Policy, ScalingRules
    from .memory import ScaleEvent

SCALE_UP_LIMIT_FACTOR: Final = 2.0
SCALE_UP_LIMIT_MINIMUM: Final = 4.0

_WITHIN: Final = ("DesiredWithinRange", "the desired count is within the acceptable range")
_UP_LIMIT: Final = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
_DOWN_LIMIT: Final = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
_TOO_MANY: Final = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
_TOO_FEW: Final = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
_READY: Final = ("ReadyForNewScale", "recommended size matches current size")
_UP_STABILIZED: Final = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
_DOWN_STABILIZED: Final = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)

Reason = tuple[str, str]


@dataclass(frozen=True)
class Bounds:
    """What the target runs at, and between what it may."""

    current: int
    minimum: int
    maximum: int


@dataclass(frozen=True)
class Normalized:
    """A recommendation on its way.

    Args:
        recommendation: what the metrics ask for.
        stabilized: after the windows.
        limited: after rate limits and bounds.
        able_to_scale: reason and message of the condition AbleToScale.
        scaling_limited: reason and message of the condition ScalingLimited.
        memory: with the recommendation stored.
    """

    recommendation: int
    stabilized: int
    limited: int
    able_to_scale: Reason
    scaling_limited: Reason
    memory: Memory


def normalize_desired_replicas(
    memory: Memory, bounds: Bounds, recommendation: int, downscale_stabilization: int
) -> Normalized:
    """Normalise without a behavior (normalizeDesiredReplicas)."""
    stabilized, memory = stabilize_recommendation(memory, recommendation, downscale_stabilization)
    limited, limit = convert_desired_replicas_with_rules(bounds, stabilized)
    able = _DOWN_STABILIZED if stabilized != recommendation else _READY
    return Normalized(recommendation, stabilized, limited, able, limit, memory)


def normalize_desired_replicas_with_behaviors(
    memory: Memory, bounds: Bounds, recommendation: int, behavior: Behavior
) -> Normalized:
    """Normalise with a behavior whose windows are both set (normalizeDesiredReplicasWithBehaviors)."""
    stabilized, reason, memory = stabilize_recommendation_with_behaviors(
        memory, bounds.current, recommendation, behavior
    )
    limited, limit = convert_desired_replicas_with_behavior_rate(memory, bounds, stabilized, behavior)
    able = reason if stabilized != recommendation else _READY
    return Normalized(recommendation, stabilized, limited, able, limit, memory)


def maybe_init_scale_down_stabilization_window(behavior: Behavior, seconds: int) -> Behavior:
    """Give scaling down the controller's window where the HPA names none (maybeInitScaleDownStabilizationWindow)."""
    if behavior.scale_down.stabilization_window_seconds is not None:
        return behavior
    return replace(behavior, scale_down=replace(behavior.scale_down, stabilization_window_seconds=seconds))


def stabilize_recommendation(memory: Memory, recommendation: int, window: int) -> tuple[int, Memory]:
    """Return the highest of the window (nanoseconds), and the memory with the new one (stabilizeRecommendation)."""
    recent = memory.recommendations or ()
    highest = max([recommendation, *(r.replicas for r in recent if r.age_ns <= window)])
    entries = stored(recent, Recommendation(recommendation), lambda entry: entry.age_ns > window)
    return highest, replace(memory, recommendations=entries)


def stabilize_recommendation_with_behaviors(
    memory: Memory, current_replicas: int, recommendation: int, behavior: Behavior
) -> tuple[int, Reason, Memory]:
    """Keep what runs between the windows' lowest and highest recommendation (stabilizeRecommendationWithBehaviors)."""
    recent = memory.recommendations or ()
    up = (behavior.scale_up.stabilization_window_seconds or 0) * SECOND
    down = (behavior.scale_down.stabilization_window_seconds or 0) * SECOND
    lowest = min([recommendation, *(r.replicas for r in recent if r.age_ns < up)])
    highest = max([recommendation, *(r.replicas for r in recent if r.age_ns < down)])
    stabilized = min(max(current_replicas, lowest), highest)
    entries = stored(recent, Recommendation(recommendation), lambda entry: entry.age_ns > max(up, down))
    reason = _UP_STABILIZED if recommendation >= current_replicas else _DOWN_STABILIZED
    return stabilized, reason, replace(memory, recommendations=entries)


def convert_desired_replicas_with_rules(bounds: Bounds, desired: int) -> tuple[int, Reason]:
    """Apply bounds and the built-in limit upwards (convertDesiredReplicasWithRules)."""
    limit = calculate_scale_up_limit(bounds.current)
    allowed, reason = (limit, _UP_LIMIT) if bounds.maximum > limit else (bounds.maximum, _TOO_MANY)
    if desired < bounds.minimum:
        return bounds.minimum, _TOO_FEW
    if desired > allowed:
        return allowed, reason
    return desired, _WITHIN


def calculate_scale_up_limit(current_replicas: int) -> int:
    """Return twice what runs, or four (calculateScaleUpLimit)."""
    return converted_to_int32(max(SCALE_UP_LIMIT_FACTOR * current_replicas, SCALE_UP_LIMIT_MINIMUM))


def convert_desired_replicas_with_behavior_rate(
    memory: Memory, bounds: Bounds, desired: int, behavior: Behavior
) -> tuple[int, Reason]:
    """Apply bounds and the policies' limits (convertDesiredReplicasWithBehaviorRate)."""
    if desired > bounds.current:
        limit = calculate_scale_up_limit_with_scaling_rules(memory, bounds.current, behavior.scale_up)
        limit = max(limit, bounds.current)
        allowed, reason = (limit, _UP_LIMIT) if bounds.maximum > limit else (bounds.maximum, _TOO_MANY)
        if desired > allowed:
            return allowed, reason
    elif desired < bounds.current:
        limit = calculate_scale_down_limit_with_behaviors(memory, bounds.current, behavior.scale_down)
        limit = min(limit, bounds.current)
        allowed, reason = (limit, _DOWN_LIMIT) if bounds.minimum < limit else (bounds.minimum, _TOO_FEW)
        if desired < allowed:
            return allowed, reason
    return desired, _WITHIN


def calculate_scale_up_limit_with_scaling_rules(memory: Memory, current_replicas: int, rules: ScalingRules) -> int:
    """Return how far the policies let it go up (calculateScaleUpLimitWithScalingRules)."""
    if rules.select_policy == "Disabled":
        return current_replicas
    # Upwards the smallest change is the lowest number
    select, start = (min, MAX_INT32) if rules.select_policy == "Min" else (max, MIN_INT32)
    proposals = _proposals(rules.policies, memory, current_replicas, _up)
    return reduce(select, proposals, start)


def calculate_scale_down_limit_with_behaviors(memory: Memory, current_replicas: int, rules: ScalingRules) -> int:
    """Return how far the policies let it go down (calculateScaleDownLimitWithBehaviors)."""
    if rules.select_policy == "Disabled":
        return current_replicas
    # Downwards the smallest change is the highest number
    select, start = (max, MIN_INT32) if rules.select_policy == "Min" else (min, MAX_INT32)
    proposals = _proposals(rules.policies, memory, current_replicas, _down)
    return reduce(select, proposals, start)


def _proposals(
    policies: Sequence[Policy], memory: Memory, current_replicas: int, propose: Callable[[Policy, int], int | None]
) -> Iterator[int]:
    """Yield what each policy allows. One of a type that there is not repeats the one before: the controller's loop."""
    proposed = 0
    for policy in policies:
        began = period_start_replicas(policy, current_replicas, memory.scale_up_events, memory.scale_down_events)
        answer = propose(policy, began)
        proposed = proposed if answer is None else answer
        yield proposed


def period_start_replicas(
    policy: Policy, current_replicas: int, ups: Sequence[ScaleEvent], downs: Sequence[ScaleEvent]
) -> int:
    """Return how many replicas there were when the policy's period began, by the controller's own rescales."""
    added = get_replicas_change_per_period(policy.period_seconds, ups)
    removed = get_replicas_change_per_period(policy.period_seconds, downs)
    return wrapped_int32(current_replicas - added + removed)


def _up(policy: Policy, began: int) -> int | None:
    match policy.type:
        case "Pods":
            return wrapped_int32(began + policy.value)
        case "Percent":
            return converted_to_int32(math.ceil(float(began) * (1 + float(policy.value) / 100)))
    return None


def _down(policy: Policy, began: int) -> int | None:
    match policy.type:
        case "Pods":
            return wrapped_int32(began - policy.value)
        case "Percent":
            return converted_to_int32(float(began) * (1 - float(policy.value) / 100))
    return None
