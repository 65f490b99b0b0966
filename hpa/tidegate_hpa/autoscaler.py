"""A HorizontalPodAutoscaler as the controller sees it: read, with the API server's defaults filled in.

Source: kubernetes v1.35.0, pkg/apis/autoscaling/v2/defaults.go.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from . import labels
from .errors import InputError
from .machine import MAX_INT32, MIN_INT32

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .node import Node

_MEMBER: Final[Mapping[str, str]] = {
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
}
DEFAULT_CPU_UTILIZATION: Final = 80


@dataclass(frozen=True)
class Target:
    """What a metric is to be. Quantities in milli-units; `spec` as it was written."""

    type: str
    utilization: int | None = None
    average_value: int | None = None
    value: int | None = None
    spec: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class MetricSpec:
    """One entry of `spec.metrics`.

    Args:
        type: Resource, ContainerResource, Pods, Object or External; another one fails when it is computed.
        name: the resource's or the metric's name.
        container: of a ContainerResource metric.
        selector: of a Pods, Object or External metric, unread: an error in it is that metric's alone.
        described: apiVersion, kind and name of an Object metric's object.
    """

    type: str
    name: str
    target: Target
    container: str = ""
    selector: Node | None = None
    described: tuple[str, str, str] = ("", "", "")

    def shown_selector(self) -> str:
        """Return the selector as the controller's messages show it."""
        return labels.shown(self.selector)


@dataclass(frozen=True)
class Policy:
    """At most `value` pods, or per cent of the pods, in `period_seconds`."""

    type: str
    value: int
    period_seconds: int


@dataclass(frozen=True)
class ScalingRules:
    """One direction of `spec.behavior`, complete but for the window, None = the controller's."""

    stabilization_window_seconds: int | None
    select_policy: str
    policies: tuple[Policy, ...]
    tolerance: float | None = None


@dataclass(frozen=True)
class Behavior:
    """`spec.behavior`, both directions complete."""

    scale_up: ScalingRules
    scale_down: ScalingRules


DEFAULT_SCALE_UP: Final = ScalingRules(0, "Max", (Policy("Pods", 4, 15), Policy("Percent", 100, 15)))
DEFAULT_SCALE_DOWN: Final = ScalingRules(None, "Max", (Policy("Percent", 100, 15),))


@dataclass(frozen=True)
class TargetRef:
    """What is scaled."""

    kind: str
    name: str
    api_version: str = ""


@dataclass(frozen=True)
class Autoscaler:
    """A HorizontalPodAutoscaler with its defaults."""

    name: str
    namespace: str
    target: TargetRef
    min_replicas: int
    max_replicas: int
    metrics: tuple[MetricSpec, ...]
    behavior: Behavior | None = None

    @property
    def key(self) -> str:
        """namespace/name."""
        return f"{self.namespace}/{self.name}"


def from_object(node: Node, namespace: str) -> Autoscaler:
    """Read a HorizontalPodAutoscaler, autoscaling/v2 or v1, and set its defaults.

    Nothing that the API server's validation would refuse is refused.

    Raises:
        InputError: a field has the wrong type, or what an entry needs is not there.
    """
    metadata, spec = node.required("metadata"), node.required("spec")
    reference = spec.required("scaleTargetRef")
    if not metadata.text("name"):
        raise InputError(f"{metadata.path}: expected a name, found none")
    minimum = _int32(spec, "minReplicas")
    return Autoscaler(
        name=metadata.text("name"),
        namespace=namespace,
        target=TargetRef(reference.text("kind"), reference.text("name"), reference.text("apiVersion")),
        min_replicas=1 if minimum is None else minimum,
        max_replicas=_int32(spec, "maxReplicas") or 0,
        metrics=tuple(map(_metric, spec.members("metrics"))) or (_default_metric(node, spec),),
        behavior=_behavior(spec.get("behavior")),
    )


def _int32(node: Node, key: str) -> int | None:
    value = node.integer(key)
    if value is not None and not MIN_INT32 <= value <= MAX_INT32:
        raise InputError(f"{node.path}.{key}: expected an integer of 32 bits, got {value}")
    return value


def _default_metric(node: Node, spec: Node) -> MetricSpec:
    """CPU at 80 % of the request, or what autoscaling/v1 asks for; v2 has no such field."""
    asked = _int32(spec, "targetCPUUtilizationPercentage") if node.text("apiVersion") == "autoscaling/v1" else None
    utilization = asked or DEFAULT_CPU_UTILIZATION
    target = Target("Utilization", utilization, spec={"type": "Utilization", "averageUtilization": utilization})
    return MetricSpec("Resource", "cpu", target)


def _metric(node: Node) -> MetricSpec:
    kind = node.text("type")
    member = _MEMBER.get(kind)
    if member is None:
        return MetricSpec(kind, "", Target(""))
    source = node.required(member)
    aim = source.get("target")
    target = _target(aim) if aim else Target("")
    if kind in {"Resource", "ContainerResource"}:
        return MetricSpec(kind, source.text("name"), target, source.text("container"))
    metric, described = source.get("metric"), source.get("describedObject")
    return MetricSpec(
        kind,
        metric.text("name") if metric else "",
        target,
        selector=metric.get("selector") if metric else None,
        described=(
            (described.text("apiVersion"), described.text("kind"), described.text("name"))
            if described
            else ("", "", "")
        ),
    )


def _target(node: Node) -> Target:
    average, value = node.quantity("averageValue"), node.quantity("value")
    return Target(
        type=node.text("type"),
        utilization=_int32(node, "averageUtilization"),
        average_value=average.milli() if average else None,
        value=value.milli() if value else None,
        spec=node.mapping(),
    )


def _behavior(node: Node | None) -> Behavior | None:
    """SetDefaults_HorizontalPodAutoscalerBehavior: none, or both directions complete."""
    if node is None:
        return None
    return Behavior(
        generate_hpa_scaling_rules(node.get("scaleUp"), DEFAULT_SCALE_UP),
        generate_hpa_scaling_rules(node.get("scaleDown"), DEFAULT_SCALE_DOWN),
    )


def generate_hpa_scaling_rules(node: Node | None, default: ScalingRules) -> ScalingRules:
    """Fill what is not said from the default, field by field (GenerateHPAScaleUpRules and …DownRules)."""
    if node is None:
        return default
    window, tolerance = _int32(node, "stabilizationWindowSeconds"), node.quantity("tolerance")
    return replace(
        default,
        stabilization_window_seconds=default.stabilization_window_seconds if window is None else window,
        select_policy=node.text("selectPolicy") or default.select_policy,
        policies=tuple(map(_policy, node.members("policies"))) if node.get("policies") else default.policies,
        tolerance=tolerance.approximate() if tolerance else None,
    )


def _policy(node: Node) -> Policy:
    return Policy(node.text("type"), _int32(node, "value") or 0, _int32(node, "periodSeconds") or 0)
