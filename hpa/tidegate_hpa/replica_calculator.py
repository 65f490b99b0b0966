"""What one metric asks for, from pods and figures.

Source: kubernetes v1.35.0, pkg/controller/podautoscaler/replica_calculator.go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from . import labels
from .errors import MetricError
from .machine import MAX_INT64, ceil_to_int64, quotient, saturate, total, truncated
from .proposal import Proposal, Sample, calc_replicas, get_usage_ratio_replica_count, per_pod, pods_in_words
from .requests import calculate_requests
from .usage import (
    PodGroups,
    PodMetric,
    Utilization,
    get_metric_usage_ratio,
    get_resource_utilization_ratio,
    group_pods,
    tally,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .autoscaler import MetricSpec
    from .labels import Selector
    from .metrics_client import MetricsClient
    from .pods import Pod
    from .settings import Settings, Tolerances

_UNREADY = "did not receive metrics for targeted pods (pods might be unready)"
_NO_PODS = "no pods returned by selector while calculating replica count"


@dataclass(frozen=True)
class ReplicaCalculator:
    """The calculator as it stands before one HPA at one moment (ReplicaCalculator).

    Args:
        metrics: what the metrics APIs answer.
        pods: the pods that the target's selector finds.
        namespace: the HPA's.
        selector: the target's.
        tolerances: the HPA's.
        settings: the controller's.
        now: nanoseconds since 1970.
    """

    metrics: MetricsClient
    pods: Sequence[Pod]
    namespace: str
    selector: Selector
    tolerances: Tolerances
    settings: Settings
    now: int

    def get_resource_replicas(
        self, current_replicas: int, target_utilization: int, resource: str, container: str
    ) -> Proposal:
        """Return the replicas that bring utilisation to its target, in per cent of the request (GetResourceReplicas).

        Raises:
            MetricError: no figures, no pods, or a pod without a request.
        """
        metrics = self._resource_metric(resource, container)
        groups = self._group(metrics, resource)
        try:
            requests = calculate_requests(self.pods, container, resource)
            fallback = max(100, target_utilization)
            sample = Sample(
                ready_count=len(groups.ready),
                measured=tally(_counted(metrics, groups), requests),
                missing=tally(dict.fromkeys(groups.missing, 0), requests),
                missing_usage=total(truncated(requests[name] * fallback, 100) for name in groups.missing),
                unready=tally(dict.fromkeys(groups.unready, 0), requests),
            )
            ratio_of = partial(get_resource_utilization_ratio, target_utilization=target_utilization)
            proposal = calc_replicas(current_replicas, sample, ratio_of, self.tolerances)
        except MetricError as error:
            raise MetricError(str(error), groups) from None
        return replace(proposal, groups=groups)

    def get_raw_resource_replicas(
        self, current_replicas: int, target_usage: int, resource: str, container: str
    ) -> Proposal:
        """Return the replicas that bring average usage to its target in milli-units (GetRawResourceReplicas).

        Raises:
            MetricError: no figures or no pods.
        """
        metrics = self._resource_metric(resource, container)
        return self.calc_plain_metric_replicas(metrics, current_replicas, target_usage, resource)

    def get_metric_replicas(self, current_replicas: int, target_usage: int, spec: MetricSpec) -> Proposal:
        """Return the replicas that bring a Pods metric's average to its target (GetMetricReplicas).

        Raises:
            MetricError: no figures or no pods.
        """
        selector = _parsed(spec)
        try:
            metrics = self.metrics.get_raw_metric(spec.name, self.namespace, self.selector, selector)
        except MetricError as error:
            raise error.within(f"unable to get metric {spec.name}") from None
        return self.calc_plain_metric_replicas(metrics, current_replicas, target_usage, "")

    def calc_plain_metric_replicas(
        self, metrics: Mapping[str, PodMetric], current_replicas: int, target_usage: int, resource: str
    ) -> Proposal:
        """Return the replicas that bring the average of pods' figures to its target (calcPlainMetricReplicas).

        Raises:
            MetricError: no pods, or no figure of a pod that counts.
        """
        groups = self._group(metrics, resource)
        sample = Sample(
            ready_count=len(groups.ready),
            measured=tally(_counted(metrics, groups)),
            missing=tally(dict.fromkeys(groups.missing, 0)),
            missing_usage=total(target_usage for _ in groups.missing),
            unready=tally(dict.fromkeys(groups.unready, 0)),
        )
        ratio_of = partial(get_metric_usage_ratio, target_usage=target_usage)
        return replace(calc_replicas(current_replicas, sample, ratio_of, self.tolerances), groups=groups)

    def get_object_metric_replicas(self, current_replicas: int, target_usage: int, spec: MetricSpec) -> Proposal:
        """Return the replicas that bring an object's value to its target (GetObjectMetricReplicas).

        Raises:
            MetricError: no value, or no pods.
        """
        usage = self._object_metric(spec)
        return self._by_value(current_replicas, usage, target_usage)

    def get_object_per_pod_metric_replicas(
        self, status_replicas: int, target_average_usage: int, spec: MetricSpec
    ) -> Proposal:
        """Return the replicas among which an object's value comes to its target (GetObjectPerPodMetricReplicas).

        Raises:
            MetricError: no value.
        """
        usage = self._object_metric(spec)
        average = ceil_to_int64(quotient(usage, status_replicas))
        return per_pod(status_replicas, usage, target_average_usage, self.tolerances, average)

    def get_external_metric_replicas(self, current_replicas: int, target_usage: int, spec: MetricSpec) -> Proposal:
        """Return the replicas that bring an external sum to its target (GetExternalMetricReplicas).

        Raises:
            MetricError: no value, or no pods.
        """
        usage = 0
        for value in self._external_metric(spec):
            if value > 0 and usage > MAX_INT64 - value:
                usage = MAX_INT64
                break
            usage = saturate(usage + value)
        return self._by_value(current_replicas, usage, target_usage)

    def get_external_per_pod_metric_replicas(
        self, status_replicas: int, target_usage_per_pod: int, spec: MetricSpec
    ) -> Proposal:
        """Return the replicas among which an external sum comes to its target (GetExternalPerPodMetricReplicas).

        The controller takes a sum below zero for one that left int64, and so for the highest there is.

        Raises:
            MetricError: no value.
        """
        usage = 0
        for value in self._external_metric(spec):
            usage += value
            if not 0 <= usage <= MAX_INT64:
                usage = MAX_INT64
                break
        overflowed = float(usage) >= float(MAX_INT64)
        average = MAX_INT64 if overflowed else ceil_to_int64(quotient(usage, status_replicas))
        return per_pod(status_replicas, usage, target_usage_per_pod, self.tolerances, average)

    def get_ready_pods_count(self) -> int:
        """Return how many of the target's pods run and are ready (getReadyPodsCount).

        Raises:
            MetricError: it has no pods.
        """
        if not self.pods:
            raise MetricError(_NO_PODS)
        return sum(pod.phase == "Running" and pod.ready is not None and pod.ready.status == "True" for pod in self.pods)

    def _by_value(self, current_replicas: int, usage: int, target_usage: int) -> Proposal:
        ratio = quotient(usage, target_usage)
        try:
            replicas = get_usage_ratio_replica_count(
                current_replicas, ratio, self.get_ready_pods_count, self.tolerances
            )
        except MetricError as error:
            raise error.within("unable to calculate ready pods") from None
        words = f"ratio of that to the target {ratio:g}"
        if current_replicas == 0:
            words += f", with no pod yet, rounded up → {replicas}"
        elif self.tolerances.is_within(ratio):
            words += f", within the tolerance, {self.tolerances}"
        else:
            words += (
                f", times {pods_in_words(self.get_ready_pods_count())} that run and are ready, rounded up → {replicas}"
            )
        return Proposal(replicas, Utilization(ratio, 0, usage), (words,))

    def _group(self, metrics: Mapping[str, PodMetric], resource: str) -> PodGroups:
        if not self.pods:
            raise MetricError(_NO_PODS)
        groups = group_pods(self.pods, metrics, resource, self.settings, self.now)
        if not metrics.keys() - groups.excluded:
            raise MetricError(_UNREADY, groups)
        return groups

    def _resource_metric(self, resource: str, container: str) -> dict[str, PodMetric]:
        try:
            return self.metrics.get_resource_metric(resource, self.namespace, self.selector, container)
        except MetricError as error:
            raise error.within(f"unable to get metrics for resource {resource}") from None

    def _object_metric(self, spec: MetricSpec) -> int:
        selector = _parsed(spec)
        try:
            return self.metrics.get_object_metric(spec.name, self.namespace, spec.described, selector)
        except MetricError as error:
            _, kind, name = spec.described
            # The controller's format has its arguments in this order
            raise MetricError(f"unable to get metric {spec.name}: {kind} on {self.namespace} {name}/{error}") from None

    def _external_metric(self, spec: MetricSpec) -> Sequence[int]:
        selector = _parsed(spec)
        try:
            return self.metrics.get_external_metric(spec.name, self.namespace, selector)
        except MetricError as error:
            asked = f"{self.namespace}/{spec.name}/{spec.shown_selector()}"
            raise error.within(f"unable to get external metric {asked}") from None


def _parsed(spec: MetricSpec) -> Selector:
    try:
        return labels.from_object(spec.selector)
    except labels.SelectorError as error:
        raise MetricError(str(error)) from None


def _counted(metrics: Mapping[str, PodMetric], groups: PodGroups) -> dict[str, int]:
    """The figures that are left (removeMetricsForPods)."""
    excluded = groups.excluded
    return {name: metric.value for name, metric in metrics.items() if name not in excluded}
