"""One metric of an HPA: what it proposes, or why it does not, in the controller's words.

Source: kubernetes v1.35.0, pkg/controller/podautoscaler/horizontal.go (computeReplicasForMetric and what it calls).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import labels, quantity
from .errors import MetricError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .autoscaler import MetricSpec
    from .proposal import Proposal
    from .replica_calculator import ReplicaCalculator
    from .usage import PodGroups, Utilization


@dataclass(frozen=True)
class Condition:
    """A condition of an HPA's status."""

    type: str
    status: str
    reason: str
    message: str


@dataclass(frozen=True)
class MetricResult:
    """A metric and what became of it.

    Args:
        spec: the entry of the HPA.
        proposal: None if it failed.
        description: how the controller's messages name it.
        current: what goes into the HPA's status; None if it failed.
        groups: how pods were classified; None if they were not.
        error: the whole error.
        condition: the condition that a failure proposes.
    """

    spec: MetricSpec
    proposal: Proposal | None = None
    description: str = ""
    current: Mapping[str, str | int] | None = None
    groups: PodGroups | None = None
    error: str | None = None
    condition: Condition | None = None


Answer = tuple["Proposal", str, "Mapping[str, str | int]"]


def compute_replicas_for_metric(
    spec: MetricSpec, spec_replicas: int, status_replicas: int, calculator: ReplicaCalculator
) -> MetricResult:
    """Compute one metric (computeReplicasForMetric). An error is part of the result."""
    rule = _RULES.get(spec.type)
    if rule is None:
        text = f'unknown metric source type "{spec.type}"'
        return MetricResult(spec, error=text, condition=_unable("InvalidMetricSourceType", text))
    try:
        proposal, description, current = rule(spec, spec_replicas, status_replicas, calculator)
    except _StatedError as error:
        return _failed(spec, error, error.stated)
    except MetricError as error:
        return _failed(spec, error, str(error))
    return MetricResult(spec, proposal, description, current, proposal.groups)


class _StatedError(MetricError):
    """An error whose condition says less than what is returned."""

    def __init__(self, message: str, stated: str, groups: PodGroups | None) -> None:
        super().__init__(message, groups)
        self.stated = stated


def _failed(spec: MetricSpec, error: MetricError, stated: str) -> MetricResult:
    subject = {
        "Resource": f"{spec.name} resource metric",
        "ContainerResource": f"{spec.container} container metric",
        "Pods": "pods metric",
        "Object": "object metric",
        "External": f"{spec.name} external metric",
    }[spec.type]
    return MetricResult(
        spec,
        groups=error.groups,
        error=f"failed to get {subject} value: {error}",
        condition=_unable(f"FailedGet{spec.type}Metric", stated),
    )


def _unable(reason: str, text: str) -> Condition:
    """Return the condition of a failed metric (getUnableComputeReplicaCountCondition)."""
    return Condition("ScalingActive", "False", reason, f"the HPA was unable to compute the replica count: {text}")


def _average(usage: Utilization, *, binary: bool = False) -> dict[str, str | int]:
    return {"averageValue": quantity.canonical(usage.average, binary=binary)}


def compute_status_for_resource_metric(
    spec: MetricSpec, spec_replicas: int, _status_replicas: int, calculator: ReplicaCalculator
) -> Answer:
    """A Resource or ContainerResource metric (computeStatusForResourceMetricGeneric)."""
    target, binary = spec.target, spec.name == "memory"
    if target.average_value is not None:
        try:
            proposal = calculator.get_raw_resource_replicas(
                spec_replicas, target.average_value, spec.name, spec.container
            )
        except MetricError as error:
            raise error.within(f"failed to get {spec.name} usage") from None
        return proposal, f"{spec.name} resource", _average(proposal.current, binary=binary)
    if target.utilization is None:
        raise MetricError(
            "invalid resource metric source: neither an average utilization target nor an average value (usage) "
            "target was set"
        )
    try:
        proposal = calculator.get_resource_replicas(spec_replicas, target.utilization, spec.name, spec.container)
    except MetricError as error:
        raise error.within(f"failed to get {spec.name} utilization") from None
    scope = "container resource" if spec.type == "ContainerResource" else "resource"
    description = f"{spec.name} {scope} utilization (percentage of request)"
    return (
        proposal,
        description,
        {"averageUtilization": proposal.current.percent, **_average(proposal.current, binary=binary)},
    )


def compute_status_for_pods_metric(
    spec: MetricSpec, spec_replicas: int, _status_replicas: int, calculator: ReplicaCalculator
) -> Answer:
    """A Pods metric (computeStatusForPodsMetric)."""
    if spec.target.average_value is None:
        raise MetricError("invalid pods metric source: no average value target was set")
    proposal = calculator.get_metric_replicas(spec_replicas, spec.target.average_value, spec)
    return proposal, f"pods metric {spec.name}", _average(proposal.current)


def compute_status_for_object_metric(
    spec: MetricSpec, spec_replicas: int, status_replicas: int, calculator: ReplicaCalculator
) -> Answer:
    """An Object metric (computeStatusForObjectMetric)."""
    target = spec.target
    _check(spec)
    if target.type == "Value" and target.value is not None:
        proposal = calculator.get_object_metric_replicas(spec_replicas, target.value, spec)
        current: dict[str, str | int] = {"value": quantity.canonical(proposal.current.average)}
        return proposal, f"{spec.described[1]} metric {spec.name}", current
    if target.type == "AverageValue" and target.average_value is not None:
        try:
            proposal = calculator.get_object_per_pod_metric_replicas(status_replicas, target.average_value, spec)
        except MetricError as error:
            text = f"failed to get {spec.name} object metric: {error}"
            raise _StatedError(text, str(error), error.groups) from None
        description = f"external metric {spec.name}({spec.shown_selector()})"
        return proposal, description, _average(proposal.current)
    raise MetricError("invalid object metric source: neither a value target nor an average value target was set")


def _check(spec: MetricSpec) -> None:
    """Raise at a selector that is none, before anything is asked."""
    try:
        labels.from_object(spec.selector)
    except labels.SelectorError as error:
        raise MetricError(str(error)) from None


def compute_status_for_external_metric(
    spec: MetricSpec, spec_replicas: int, status_replicas: int, calculator: ReplicaCalculator
) -> Answer:
    """An External metric (computeStatusForExternalMetric)."""
    target = spec.target
    description = f"external metric {spec.name}({spec.shown_selector()})"
    if target.average_value is not None:
        try:
            proposal = calculator.get_external_per_pod_metric_replicas(status_replicas, target.average_value, spec)
        except MetricError as error:
            text = f"failed to get {spec.name} external metric: {error}"
            raise _StatedError(text, str(error), error.groups) from None
        return proposal, description, _average(proposal.current)
    if target.value is not None:
        try:
            proposal = calculator.get_external_metric_replicas(spec_replicas, target.value, spec)
        except MetricError as error:
            text = f"failed to get external metric {spec.name}: {error}"
            raise _StatedError(text, str(error), error.groups) from None
        return proposal, description, {"value": quantity.canonical(proposal.current.average)}
    raise MetricError("invalid external metric source: neither a value target nor an average value target was set")


_RULES: dict[str, Callable[[MetricSpec, int, int, ReplicaCalculator], Answer]] = {
    "Resource": compute_status_for_resource_metric,
    "ContainerResource": compute_status_for_resource_metric,
    "Pods": compute_status_for_pods_metric,
    "Object": compute_status_for_object_metric,
    "External": compute_status_for_external_metric,
}
