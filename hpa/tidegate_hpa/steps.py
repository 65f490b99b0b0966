"""A reconcile in words, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .horizontal import Reconciliation
    from .metric_status import MetricResult
    from .normalization import Normalized


def steps(reconciliation: Reconciliation) -> Iterator[str]:
    """Yield how the next number of replicas comes about."""
    hpa, current = reconciliation.hpa, reconciliation.current_replicas
    target = f"{hpa.target.kind} {hpa.target.name}"
    if current is None:
        yield f"{target}: {reconciliation.error}"
        return
    yield f"{target} runs at {current}; the HPA allows {hpa.min_replicas} to {hpa.max_replicas}"
    for result in reconciliation.metrics:
        yield from _metric(result)
    if reconciliation.normalized:
        yield from _normalized(reconciliation.normalized, current)
    elif reconciliation.error:
        yield f"nothing is decided: {reconciliation.error}"
    yield _outcome(reconciliation)


def _metric(result: MetricResult) -> Iterator[str]:
    spec = result.spec
    of = f" of container {spec.container}" if spec.container else ""
    title = f"{spec.type} metric {spec.name}{of}"
    if result.groups:
        left_out = "".join(
            f", {word} {', '.join(names)}"
            for word, names in (
                ("unready", result.groups.unready),
                ("missing", result.groups.missing),
                ("ignored", result.groups.ignored),
            )
            if names
        )
        yield f"{title}: {len(result.groups.ready)} pods count{left_out}"
    if result.proposal is None:
        yield f"{title}: {result.error}"
        return
    figures = ", ".join(f"{key} {value}" for key, value in (result.current or {}).items())
    yield f"{title}: {figures}; target {_target(result)}"
    for line in result.proposal.working:
        yield f"{title}: {line}"


def _target(result: MetricResult) -> str:
    target = result.spec.target.spec
    return ", ".join(f"{key} {value}" for key, value in target.items() if key != "type" and value is not None)


def _normalized(normalized: Normalized, current: int) -> Iterator[str]:
    yield f"the highest proposal is {normalized.recommendation}"
    reason, message = normalized.able_to_scale
    if normalized.stabilized != normalized.recommendation:
        yield f"stabilised to {normalized.stabilized} ({reason}: {message})"
    reason, message = normalized.scaling_limited
    if normalized.limited != normalized.stabilized:
        yield f"limited to {normalized.limited} ({reason}: {message})"
    elif normalized.limited != current:
        yield f"no limit stands in the way of {normalized.limited}"


def _outcome(reconciliation: Reconciliation) -> str:
    current, desired = reconciliation.current_replicas, reconciliation.desired_replicas
    if reconciliation.scaled:
        return f"{current} → {desired}: {reconciliation.rescale_reason}"
    disabled = next((c.message for c in reconciliation.conditions if c.reason == "ScalingDisabled"), "")
    return disabled or f"{current} replicas stay"
