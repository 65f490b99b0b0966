"""Figures of pods: who is counted, and what they come to.

Source: kubernetes v1.35.0, pkg/controller/podautoscaler/{replica_calculator,metrics/utilization}.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import MetricError
from .machine import MAX_INT32, MIN_INT32, quotient, saturate, total, truncated
from .timestamps import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .pods import Pod
    from .settings import Settings


@dataclass(frozen=True)
class PodMetric:
    """One pod's figure in milli-units, when it was taken and over which span (nanoseconds)."""

    value: int
    timestamp: int = NEVER
    window: int = 0


PodMetrics = Mapping[str, PodMetric]


@dataclass(frozen=True)
class PodGroups:
    """Names of pods by what the controller makes of them.

    Args:
        ready: their figures count.
        unready: not counted; taken as using nothing when it scales up.
        missing: no figure; taken as using nothing on the way up, all of it on the way down.
        ignored: failed or being deleted; neither they nor their figures count.
    """

    ready: tuple[str, ...] = ()
    unready: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def excluded(self) -> frozenset[str]:
        """Pods whose figures are dropped before anything is computed."""
        return frozenset((*self.unready, *self.ignored))


def group_pods(pods: Iterable[Pod], metrics: PodMetrics, resource: str, settings: Settings, now: int) -> PodGroups:
    """Sort the target's pods into those that count and those that do not (groupPods).

    Args:
        pods: what the target's selector finds.
        metrics: figures by pod name.
        resource: "cpu" adds the rules of starting pods; "" for a Pods metric.
        settings: the two spans of a pod's start.
        now: nanoseconds since 1970.
    """
    groups: dict[str, list[str]] = {"ready": [], "unready": [], "missing": [], "ignored": []}
    for pod in pods:
        groups[_group(pod, metrics.get(pod.name), resource, settings, now)].append(pod.name)
    return PodGroups(**{name: tuple(sorted(members)) for name, members in groups.items()})


def _group(pod: Pod, metric: PodMetric | None, resource: str, settings: Settings, now: int) -> str:
    if pod.deleted or pod.phase == "Failed":
        return "ignored"
    if pod.phase == "Pending":
        return "unready"
    if metric is None:
        return "missing"
    return "unready" if resource == "cpu" and is_starting(pod, metric, settings, now) else "ready"


def is_starting(pod: Pod, metric: PodMetric, settings: Settings, now: int) -> bool:
    """Tell whether a pod's CPU figure is that of its start, which says nothing about load (within groupPods)."""
    if pod.ready is None or pod.start_time is None:
        return True
    unready, changed = pod.ready.status == "False", pod.ready.last_transition
    if pod.start_time + settings.cpu_initialization_period > now:
        return unready or metric.timestamp < changed + metric.window
    return unready and pod.start_time + settings.initial_readiness_delay > changed


@dataclass(frozen=True)
class Tally:
    """Figures summed over pods, in milli-units.

    Args:
        usage: the sum of figures.
        requests: the sum of requests of the pods that have a figure and are known.
        known: how many those are.
        entries: how many figures there are, those of pods that are gone included.
    """

    usage: int = 0
    requests: int = 0
    known: int = 0
    entries: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            total((self.usage, other.usage)),
            total((self.requests, other.requests)),
            self.known + other.known,
            self.entries + other.entries,
        )


def tally(values: Mapping[str, int], requests: Mapping[str, int] | None = None) -> Tally:
    """Sum figures by pod name; with `requests`, only of pods that are known there, as for utilisation."""
    if requests is None:
        return Tally(usage=total(values.values()), known=len(values), entries=len(values))
    known = [name for name in values if name in requests]
    return Tally(
        usage=total(values[name] for name in known),
        requests=total(requests[name] for name in known),
        known=len(known),
        entries=len(values),
    )


@dataclass(frozen=True)
class Utilization:
    """Ratio to the target, per cent of the requests, and the average in milli-units."""

    ratio: float
    percent: int
    average: int


def get_resource_utilization_ratio(figures: Tally, target_utilization: int) -> Utilization:
    """Return how usage stands to requests (GetResourceUtilizationRatio).

    Raises:
        MetricError: no figure belongs to a known pod, or the requests are zero.
    """
    if figures.requests == 0:
        raise MetricError("no metrics returned matched known pods")
    percent = saturate(truncated(figures.usage * 100, figures.requests), MIN_INT32, MAX_INT32)
    return Utilization(quotient(percent, target_utilization), percent, truncated(figures.usage, figures.known))


def get_metric_usage_ratio(figures: Tally, target_usage: int) -> Utilization:
    """Return how the average figure stands to the target (GetMetricUsageRatio). `percent` means nothing here."""
    average = truncated(figures.usage, figures.entries)
    return Utilization(quotient(average, target_usage), 0, average)
