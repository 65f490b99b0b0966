"""From a ratio of usage to target to a number of replicas.

Source: kubernetes v1.35.0, pkg/controller/podautoscaler/replica_calculator.go. What the controller does pod by pod is
done on sums here, which come to the same: so thousands of pods cost no more than one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .machine import ceil_to_int32, quotient, total
from .usage import PodGroups, Tally, Utilization

if TYPE_CHECKING:
    from .settings import Tolerances

NOTHING = Tally()
RatioOf = Callable[[Tally], Utilization]


@dataclass(frozen=True)
class Sample:
    """What is known of the pods at one moment.

    Args:
        ready_count: pods whose figures count.
        measured: their figures, and those of pods that are gone.
        missing: pods without a figure, as using nothing.
        missing_usage: what those are taken to use when it would scale down, in milli-units.
        unready: pods that are not ready, as using nothing.
    """

    ready_count: int
    measured: Tally
    missing: Tally = NOTHING
    missing_usage: int = 0
    unready: Tally = NOTHING


@dataclass(frozen=True)
class Proposal:
    """What one metric asks for.

    Args:
        replicas: how many.
        current: the figure that goes into the HPA's status: per cent, average or value.
        working: how it came about, line by line.
        groups: the pods that were looked at; None where none were.
    """

    replicas: int
    current: Utilization
    working: tuple[str, ...] = ()
    groups: PodGroups | None = field(default=None, kw_only=True)


def pods_in_words(count: int) -> str:
    """Return a number of pods in words."""
    return f"{count} pod" if count == 1 else f"{count} pods"


def calc_replicas(current_replicas: int, sample: Sample, ratio_of: RatioOf, tolerances: Tolerances) -> Proposal:
    """Return the replicas that bring usage to its target (GetResourceReplicas and calcPlainMetricReplicas).

    Args:
        current_replicas: what stays when nothing is to be done.
        sample: the pods' figures.
        ratio_of: usage against target, of a tally.
        tolerances: how near to 1 a ratio counts as 1.

    Raises:
        MetricError: by `ratio_of`.
    """
    usage = ratio_of(sample.measured)
    scale_up_with_unready = sample.unready.entries > 0 and usage.ratio > 1.0
    if not scale_up_with_unready and sample.missing.entries == 0:
        if tolerances.is_within(usage.ratio):
            return Proposal(
                current_replicas,
                usage,
                (f"ratio of that to the target {usage.ratio:g}, within the tolerance, {tolerances}",),
            )
        replicas = ceil_to_int32(usage.ratio * float(sample.ready_count))
        counted = pods_in_words(sample.ready_count)
        words = f"ratio of that to the target {usage.ratio:g}, times {counted}, rounded up → {replicas}"
        return Proposal(replicas, usage, (words,))
    return _conservatively(current_replicas, sample, usage, ratio_of, tolerances)


def _conservatively(
    current_replicas: int, sample: Sample, usage: Utilization, ratio_of: RatioOf, tolerances: Tolerances
) -> Proposal:
    """The second look, with pods that have no figure of their own."""
    assumed, words = _assumed(sample, usage.ratio)
    ratio = ratio_of(assumed).ratio
    words = (f"ratio of that to the target {usage.ratio:g}", *words)
    if tolerances.is_within(ratio):
        return Proposal(current_replicas, usage, (*words, f"ratio then {ratio:g}, within the tolerance, {tolerances}"))
    if (usage.ratio < 1.0 < ratio) or (ratio < 1.0 < usage.ratio):
        return Proposal(
            current_replicas, usage, (*words, f"ratio then {ratio:g}, which is the other direction: nothing is done")
        )
    replicas = ceil_to_int32(ratio * float(assumed.entries))
    words = (*words, f"ratio then {ratio:g}, times {pods_in_words(assumed.entries)}, rounded up → {replicas}")
    if (ratio < 1.0 and replicas > current_replicas) or (ratio > 1.0 and replicas < current_replicas):
        return Proposal(current_replicas, usage, (*words, "which is against that direction: nothing is done"))
    return Proposal(replicas, usage, words)


def _assumed(sample: Sample, ratio: float) -> tuple[Tally, tuple[str, ...]]:
    """The figures with those that are assumed, and what was assumed."""
    figures = sample.measured
    words: tuple[str, ...] = ()
    if sample.missing.entries and ratio < 1.0:
        used = replace(sample.missing, usage=total((sample.missing.usage, sample.missing_usage)))
        figures, words = (
            figures + used,
            (f"missing pods ({sample.missing.entries}) are taken to use all that they may",),
        )
    elif sample.missing.entries and ratio > 1.0:
        figures, words = (
            figures + sample.missing,
            (f"missing pods ({sample.missing.entries}) are taken to use nothing",),
        )
    if sample.unready.entries and ratio > 1.0:
        figures += sample.unready
        words = (*words, f"unready pods ({sample.unready.entries}) are taken to use nothing")
    return figures, words


def get_usage_ratio_replica_count(
    current_replicas: int, usage_ratio: float, ready_pods: Callable[[], int], tolerances: Tolerances
) -> int:
    """Return the replicas for the ratio of an Object or External value (getUsageRatioReplicaCount).

    Args:
        current_replicas: at 0 the ratio itself is the number of pods.
        usage_ratio: value against target.
        ready_pods: counts pods that run and are ready; asked only outside the tolerance.
        tolerances: how near to 1 a ratio counts as 1.
    """
    if current_replicas == 0:
        return ceil_to_int32(usage_ratio)
    if tolerances.is_within(usage_ratio):
        return current_replicas
    return ceil_to_int32(usage_ratio * float(ready_pods()))


def per_pod(status_replicas: int, usage: int, target: int, tolerances: Tolerances, average: int) -> Proposal:
    """Return the replicas among which a total comes to its target (Get{Object,External}PerPodMetricReplicas).

    Args:
        status_replicas: pods that there are.
        usage: the total in milli-units.
        target: what one pod is to have of it.
        tolerances: how near to 1 a ratio counts as 1.
        average: what goes into the HPA's status.
    """
    ratio = quotient(usage, float(target) * float(status_replicas))
    current = Utilization(ratio, 0, average)
    if tolerances.is_within(ratio):
        return Proposal(
            status_replicas, current, (f"ratio of that to the target {ratio:g}, within the tolerance, {tolerances}",)
        )
    wanted = quotient(usage, target)
    replicas = ceil_to_int32(wanted)
    return Proposal(
        replicas, current, (f"the total is {wanted:g} times what one pod is to have, rounded up → {replicas}",)
    )
