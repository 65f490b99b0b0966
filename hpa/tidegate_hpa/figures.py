"""The three metrics APIs, answered from objects that are given.

Source: kubernetes v1.35.0, pkg/controller/podautoscaler/metrics/client.go, and k8s.io/metrics v0.35.0,
pkg/client/custom_metrics/versioned_client.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from . import labels
from .errors import InputError, MetricError
from .machine import total
from .timestamps import NEVER, SECOND
from .usage import PodMetric

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Self

    from .labels import Selector
    from .node import Node
    from .pods import Pod

_CUSTOM: Final = "unable to fetch metrics from custom metrics API"
_DEFAULT_WINDOW: Final = 60 * SECOND


@dataclass(frozen=True)
class PodUsage:
    """A PodMetrics object: each container's usage in milli-units by resource, when and over which span."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    containers: tuple[tuple[str, Mapping[str, int]], ...]
    timestamp: int
    window: int

    @classmethod
    def from_object(cls, node: Node, namespace: str) -> Self:
        """Read it.

        Raises:
            InputError: a field has the wrong type.
        """
        metadata = node.required("metadata")
        timestamp, window = node.timestamp("timestamp"), node.duration("window")
        return cls(
            name=metadata.text("name"),
            namespace=namespace,
            labels=metadata.texts("labels"),
            containers=tuple((member.text("name"), _usage(member)) for member in node.members("containers")),
            timestamp=NEVER if timestamp is None else timestamp,
            window=window or 0,
        )

    def of_container(self, container: str, resource: str) -> int | None:
        """Return one container's usage (getContainerMetrics)."""
        for name, usage in self.containers:
            if name == container:
                return usage.get(resource)
        return None

    def of_pod(self, resource: str) -> int | None:
        """Return the sum over containers; None if one has no figure (getPodMetrics)."""
        values = [usage.get(resource) for _, usage in self.containers]
        known = [value for value in values if value is not None]
        return total(known) if known and len(known) == len(values) else None


def _usage(container: Node) -> dict[str, int]:
    usage = container.get("usage")
    if usage is None:
        return {}
    found = {name: usage.quantity(name) for name in usage.mapping()}
    return {name: value.milli() for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class ObjectValue:
    """A MetricValue object, custom.metrics.k8s.io v1beta1 or v1beta2. The value in milli-units."""

    metric: str
    kind: str
    name: str
    namespace: str
    value: int
    selector: Selector | None
    timestamp: int
    window: int

    @classmethod
    def from_object(cls, node: Node) -> Self:
        """Read it.

        Raises:
            InputError: a field has the wrong type, or there is no value.
        """
        described = node.required("describedObject")
        metric = node.get("metric")
        value, timestamp, window = node.quantity("value"), node.timestamp("timestamp"), node.integer("windowSeconds")
        if value is None:
            raise InputError(f"{node.path}: expected a value, found none")
        return cls(
            metric=metric.text("name") if metric else node.text("metricName"),
            kind=described.text("kind"),
            name=described.text("name"),
            namespace=described.text("namespace") or "default",
            value=value.milli(),
            selector=_own_selector(metric.get("selector") if metric else node.get("selector")),
            timestamp=NEVER if timestamp is None else timestamp,
            window=_DEFAULT_WINDOW if window is None else window * SECOND,
        )


def _own_selector(node: Node | None) -> Selector | None:
    if node is None:
        return None
    try:
        return labels.from_object(node)
    except labels.SelectorError as error:
        raise InputError(f"{node.path}: {error}") from None


@dataclass(frozen=True)
class ExternalValue:
    """An ExternalMetricValue object. The value in milli-units; no labels fit every selector."""

    metric: str
    labels: Mapping[str, str]
    value: int

    @classmethod
    def from_object(cls, node: Node) -> Self:
        """Read it.

        Raises:
            InputError: a field has the wrong type, or there is no value.
        """
        value = node.quantity("value")
        if value is None:
            raise InputError(f"{node.path}: expected a value, found none")
        return cls(node.text("metricName"), node.texts("metricLabels"), value.milli())


class Figures:
    """The metrics APIs' answers, a MetricsClient.

    Args:
        pods: needed where a figure says no labels of its own.
        usages: resource metrics.
        values: custom metrics.
        externals: external metrics.
    """

    def __init__(
        self,
        pods: Iterable[Pod],
        usages: Iterable[PodUsage],
        values: Iterable[ObjectValue],
        externals: Iterable[ExternalValue],
    ) -> None:
        self._labels = {(pod.namespace, pod.name): pod.labels for pod in pods}
        self._usages = tuple(usages)
        self._values = tuple(values)
        self._externals = tuple(externals)

    def get_resource_metric(
        self, resource: str, namespace: str, selector: Selector, container: str
    ) -> dict[str, PodMetric]:
        """Return usage by pod name, of pods that are gone too where their labels are still known."""
        asked = [usage for usage in self._usages if usage.namespace == namespace and self._fits(usage, selector)]
        if not asked:
            raise MetricError("no metrics returned from resource metrics API")
        found: dict[str, PodMetric] = {}
        for usage in asked:
            value = usage.of_container(container, resource) if container else usage.of_pod(resource)
            if value is not None:
                found[usage.name] = PodMetric(value, usage.timestamp, usage.window)
        return found

    def _fits(self, usage: PodUsage, selector: Selector) -> bool:
        own = usage.labels or self._labels.get((usage.namespace, usage.name))
        return own is not None and selector.matches(own)

    def get_raw_metric(
        self, metric: str, namespace: str, selector: Selector, metric_selector: Selector
    ) -> dict[str, PodMetric]:
        """Return a metric of the pods that the selector finds."""
        described = {
            name for (where, name), pod in self._labels.items() if where == namespace and selector.matches(pod)
        }
        asked = [
            value
            for value in self._matching(metric, "Pod", metric_selector)
            if value.namespace == namespace and value.name in described
        ]
        if not asked:
            raise MetricError("no metrics returned from custom metrics API")
        return {value.name: PodMetric(value.value, value.timestamp, value.window) for value in asked}

    def get_object_metric(
        self, metric: str, namespace: str, described: tuple[str, str, str], metric_selector: Selector
    ) -> int:
        """Return the one value of a metric that describes an object."""
        api_version, kind, name = described
        if kind == "Namespace" and "/" not in api_version:
            # The HPA's own namespace, whatever name it says; a namespace is in none
            values = [v for v in self._matching(metric, kind, metric_selector) if v.name == namespace]
        else:
            matching = self._matching(metric, kind, metric_selector)
            values = [v for v in matching if (v.namespace, v.name) == (namespace, name)]
        if len(values) != 1:
            count = f"{len(values)} results when we asked for exactly one"
            raise MetricError(f"{_CUSTOM}: the custom metrics API server returned {count}")
        return values[0].value

    def _matching(self, metric: str, kind: str, selector: Selector) -> Sequence[ObjectValue]:
        """Values of one metric; of several, those that say the asked selector come before those that say none."""
        named = [v for v in self._values if (v.metric, v.kind) == (metric, kind)]
        exact = [v for v in named if v.selector is not None and v.selector == selector]
        loose = [v for v in named if v.selector is None or not selector.requirements]
        return exact or loose

    def get_external_metric(self, metric: str, namespace: str, selector: Selector) -> Sequence[int]:  # noqa: ARG002 - the values name no namespace
        """Return every value of a metric whose labels match, and those without labels."""
        values = [
            value.value
            for value in self._externals
            if value.metric == metric and (not value.labels or selector.matches(value.labels))
        ]
        if not values:
            raise MetricError("no metrics returned from external metrics API")
        return values
