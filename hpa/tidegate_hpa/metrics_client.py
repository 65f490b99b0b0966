"""What the controller asks the metrics APIs (metrics/interfaces.go of kubernetes v1.35.0's podautoscaler)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .labels import Selector
    from .usage import PodMetric


class MetricsClient(Protocol):
    """Answers in milli-units. Each method raises MetricError for an empty answer, in the controller's words."""

    def get_resource_metric(
        self, resource: str, namespace: str, selector: Selector, container: str
    ) -> dict[str, PodMetric]:
        """Return a resource's usage by pod name, of one container if one is named."""

    def get_raw_metric(
        self, metric: str, namespace: str, selector: Selector, metric_selector: Selector
    ) -> dict[str, PodMetric]:
        """Return a Pods metric by pod name."""

    def get_object_metric(
        self, metric: str, namespace: str, described: tuple[str, str, str], metric_selector: Selector
    ) -> int:
        """Return the metric of one object, given as apiVersion, kind and name."""

    def get_external_metric(self, metric: str, namespace: str, selector: Selector) -> Sequence[int]:
        """Return every value of an external metric whose labels match."""
