"""One reconcile of one HorizontalPodAutoscaler.

Source: kubernetes v1.35.0, pkg/controller/podautoscaler/horizontal.go.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from . import labels
from .errors import ScaleError
from .memory import Memory, record_initial_recommendation, store_scale_event
from .metric_status import Condition, MetricResult, compute_replicas_for_metric
from .normalization import (
    Bounds,
    Normalized,
    maybe_init_scale_down_stabilization_window,
    normalize_desired_replicas,
    normalize_desired_replicas_with_behaviors,
)
from .replica_calculator import ReplicaCalculator
from .settings import Settings, tolerances_for_hpa
from .timestamps import SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .autoscaler import Autoscaler
    from .labels import Selector
    from .metrics_client import MetricsClient
    from .pods import Pod


@dataclass(frozen=True)
class Scale:
    """The target's scale: replicas asked for, replicas there, and the pods' selector as a string."""

    spec_replicas: int
    status_replicas: int
    selector: str


@dataclass(frozen=True)
class Surroundings:
    """What one reconcile can see.

    Args:
        scale: the target's; the error if it cannot be read.
        pods: all pods.
        metrics: what the metrics APIs answer.
        selecting: the pods' selectors of all HPAs, this one included, by namespace/name.
        now: nanoseconds since 1970.
    """

    scale: Scale | ScaleError
    pods: Sequence[Pod]
    metrics: MetricsClient
    selecting: Mapping[str, Selector]
    now: int


@dataclass(frozen=True)
class Reconciliation:
    """What came out.

    Args:
        hpa: whose it is.
        current_replicas: as in the target's spec; None if there is no target.
        desired_replicas: what it would write; the same as current where nothing was decided.
        metrics: one for each entry of the spec; none when they were not looked at.
        normalized: the recommendation on its way; None if it did not come to one.
        conditions: those that were set, by type.
        memory: the controller's afterwards.
        error: what the reconcile returns.
        rescale_reason: why it writes, as the event says it.
    """

    hpa: Autoscaler
    current_replicas: int | None
    desired_replicas: int | None
    metrics: tuple[MetricResult, ...] = ()
    normalized: Normalized | None = None
    conditions: tuple[Condition, ...] = ()
    memory: Memory = field(default_factory=Memory)
    error: str | None = None
    rescale_reason: str = ""

    @property
    def scaled(self) -> bool:
        """It would write."""
        return self.desired_replicas != self.current_replicas


class _ReplicasError(Exception):
    """Nothing could be decided: the error, the condition, and the metrics as far as they came."""

    def __init__(self, message: str, condition: Condition, metrics: tuple[MetricResult, ...] = ()) -> None:
        super().__init__(message)
        self.condition = condition
        self.metrics = metrics


def reconcile_autoscaler(
    hpa: Autoscaler, surroundings: Surroundings, memory: Memory, settings: Settings
) -> Reconciliation:
    """Decide how many replicas the target gets (reconcileAutoscaler). Nothing is written anywhere."""
    scale = surroundings.scale
    if isinstance(scale, ScaleError):
        message = f"the HPA controller was unable to get the target's current scale: {scale}"
        condition = Condition("AbleToScale", "False", "FailedGetScale", message)
        return Reconciliation(hpa, None, None, conditions=(condition,), memory=memory, error=scale.returned)
    found = Condition(
        "AbleToScale", "True", "SucceededGetScale", "the HPA controller was able to get the target's current scale"
    )
    current = scale.spec_replicas
    begun = Reconciliation(
        hpa, current, current, conditions=(found,), memory=record_initial_recommendation(memory, current)
    )
    if current == 0 and hpa.min_replicas != 0:
        message = "scaling is disabled since the replica count of the target is zero"
        return _with(begun, Condition("ScalingActive", "False", "ScalingDisabled", message))
    if current > hpa.max_replicas:
        return _rescaled(begun, hpa.max_replicas, "Current number of replicas above Spec.MaxReplicas")
    if current < hpa.min_replicas:
        return _rescaled(begun, hpa.min_replicas, "Current number of replicas below Spec.MinReplicas")
    return _by_metrics(begun, scale, surroundings, settings)


def _by_metrics(begun: Reconciliation, scale: Scale, surroundings: Surroundings, settings: Settings) -> Reconciliation:
    hpa, current = begun.hpa, scale.spec_replicas
    try:
        replicas, name, metrics, error = compute_replicas_for_metrics(hpa, scale, surroundings, settings)
    except _ReplicasError as failure:
        reference = f"{hpa.target.kind}/{hpa.namespace}/{hpa.target.name}"
        text = f"failed to compute desired number of replicas based on listed metrics for {reference}: {failure}"
        return replace(_with(begun, failure.condition), metrics=failure.metrics, error=text)
    recommendation = max(0, replicas)
    active = f"the HPA was able to successfully calculate a replica count from {name}"
    normalized = normalize(hpa, begun.memory, current, recommendation, settings)
    limited = "False" if normalized.limited == normalized.stabilized else "True"
    decided = replace(
        _with(
            begun,
            Condition("ScalingActive", "True", "ValidMetricFound", active),
            Condition("AbleToScale", "True", *normalized.able_to_scale),
            Condition("ScalingLimited", limited, *normalized.scaling_limited),
        ),
        metrics=metrics,
        normalized=normalized,
        memory=normalized.memory,
        error=error,
    )
    if normalized.limited == current:
        return decided
    above = f"{name if replicas > 0 else ''} above target"
    reason = above if recommendation > current else "All metrics below target" if recommendation < current else ""
    return _rescaled(decided, normalized.limited, reason)


def normalize(hpa: Autoscaler, memory: Memory, current: int, recommendation: int, settings: Settings) -> Normalized:
    """Stabilise a recommendation and keep it within limits, by the HPA's behavior if it has one."""
    bounds = Bounds(current, hpa.min_replicas, hpa.max_replicas)
    if hpa.behavior is None:
        return normalize_desired_replicas(memory, bounds, recommendation, settings.downscale_stabilization)
    behavior = maybe_init_scale_down_stabilization_window(hpa.behavior, settings.downscale_stabilization // SECOND)
    return normalize_desired_replicas_with_behaviors(memory, bounds, recommendation, behavior)


def _rescaled(begun: Reconciliation, desired: int, reason: str) -> Reconciliation:
    current = begun.current_replicas or 0
    message = f"the HPA controller was able to update the target scale to {desired}"
    return replace(
        _with(begun, Condition("AbleToScale", "True", "SucceededRescale", message)),
        desired_replicas=desired,
        memory=store_scale_event(begun.memory, begun.hpa.behavior, current, desired),
        rescale_reason=reason,
    )


def _with(begun: Reconciliation, *conditions: Condition) -> Reconciliation:
    """Set conditions: the last one of a type stands, in the place of the first (setCondition)."""
    by_type = {condition.type: condition for condition in begun.conditions}
    by_type.update((condition.type, condition) for condition in conditions)
    return replace(begun, conditions=tuple(by_type.values()))


def compute_replicas_for_metrics(
    hpa: Autoscaler, scale: Scale, surroundings: Surroundings, settings: Settings
) -> tuple[int, str, tuple[MetricResult, ...], str | None]:
    """Return the highest proposal, its metric, all results and the first error (computeReplicasForMetrics)."""
    selector = validate_and_parse_selector(hpa, scale.selector, surroundings)
    calculator = ReplicaCalculator(
        metrics=surroundings.metrics,
        pods=_selected(hpa.namespace, selector, surroundings.pods),
        namespace=hpa.namespace,
        selector=selector,
        tolerances=tolerances_for_hpa(hpa, settings),
        settings=settings,
        now=surroundings.now,
    )
    results = tuple(
        compute_replicas_for_metric(spec, scale.spec_replicas, scale.status_replicas, calculator)
        for spec in hpa.metrics
    )
    replicas, name = 0, ""
    for result in results:
        if result.proposal is not None and (replicas == 0 or result.proposal.replicas > replicas):
            replicas, name = result.proposal.replicas, result.description
    failed = [result for result in results if result.condition is not None]
    if not failed:
        return replicas, name, results, None
    error = f"invalid metrics ({len(failed)} invalid out of {len(results)}), first error is: {failed[0].error}"
    condition = failed[0].condition
    if condition is not None and (len(failed) >= len(results) or replicas < scale.spec_replicas):
        raise _ReplicasError(error, condition, results)
    return replicas, name, results, error


def validate_and_parse_selector(hpa: Autoscaler, text: str, surroundings: Surroundings) -> Selector:
    """Return the target's selector, if the pods that it finds are this HPA's alone (validateAndParseSelector)."""
    if not text:
        message = "the HPA target's scale is missing a selector"
        raise _ReplicasError("selector is required", Condition("ScalingActive", "False", "InvalidSelector", message))
    try:
        selector = labels.parse(text)
    except labels.SelectorError as error:
        message = f"couldn't convert selector into a corresponding internal selector object: {error}"
        raise _ReplicasError(message, Condition("ScalingActive", "False", "InvalidSelector", message)) from None
    pods = _selected(hpa.namespace, selector, surroundings.pods)
    keys = hpas_controlling_pods_under_selector(hpa.namespace, pods, surroundings.selecting)
    if len(keys) > 1:
        message = f"pods by selector {text} are controlled by multiple HPAs: [{' '.join(keys)}]"
        raise _ReplicasError(message, Condition("ScalingActive", "False", "AmbiguousSelector", message))
    return selector


def hpas_controlling_pods_under_selector(
    namespace: str, pods: Sequence[Pod], selecting: Mapping[str, Selector]
) -> list[str]:
    """Return which HPAs of the namespace select any of the pods (hpasControllingPodsUnderSelector)."""
    rivals = {key: selector for key, selector in selecting.items() if key.partition("/")[0] == namespace}
    return sorted(key for key, selector in rivals.items() if any(selector.matches(pod.labels) for pod in pods))


def _selected(namespace: str, selector: Selector, pods: Sequence[Pod]) -> tuple[Pod, ...]:
    return tuple(pod for pod in pods if pod.namespace == namespace and selector.matches(pod.labels))
