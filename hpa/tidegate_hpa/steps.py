"""A reconcile in words, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .horizontal import Reconciliation
    from .metric_status import MetricResult
    from .normalization import Normalized
    from .usage import PodGroups

_NAMED = 5


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
        yield f"nothing is decided: {_undecided(reconciliation)}"
    yield _outcome(reconciliation)


def _undecided(reconciliation: Reconciliation) -> str:
    """Why, without the metrics' own errors, which stand above."""
    every = len(reconciliation.metrics)
    failed = sum(result.error is not None for result in reconciliation.metrics)
    if not every:
        return str(reconciliation.error)
    if failed == every:
        return "no metric could be computed"
    return f"{failed} of {every} metrics failed, and one that failed may need the replicas that the others do not"


def _metric(result: MetricResult) -> Iterator[str]:
    spec = result.spec
    of = f" of container {spec.container}" if spec.container else ""
    aim = _target(result)
    yield f"{spec.type} metric {spec.name}{of}" + (f", target {aim}" if aim else "")
    if result.groups:
        yield from _groups(result.groups)
    if result.proposal is None:
        yield f"  fails: {result.error}"
        return
    yield f"  now {_figures(result.current or {})}"
    for line in result.proposal.working:
        yield f"  {line}"
    yield f"  so it asks for {result.proposal.replicas}"


def _groups(groups: PodGroups) -> Iterator[str]:
    """Who counts, and who is left out and why (groupPods)."""
    yield f"  pods that count: {len(groups.ready)}"
    for word, why, names in (
        ("unready", "pending, or its CPU is still that of its start", groups.unready),
        ("missing", "there is no figure of it", groups.missing),
        ("ignored", "it failed or is being deleted", groups.ignored),
    ):
        if names:
            yield f"  {word} ({why}): {_named(names)}"


def _named(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _target(result: MetricResult) -> str:
    target = result.spec.target.spec
    return _figures({key: value for key, value in target.items() if key != "type" and value is not None})


def _figures(figures: Mapping[str, object]) -> str:
    return ", ".join(f"{key} {value}{' %' * (key == 'averageUtilization')}" for key, value in figures.items())


def _normalized(normalized: Normalized, current: int) -> Iterator[str]:
    yield f"the highest that a metric asks for is {normalized.recommendation}"
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
    return disabled or f"it stays at {current}"
