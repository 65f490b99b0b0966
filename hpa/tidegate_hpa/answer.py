"""What `explain --output json` prints of one HPA."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import state
from .documents import plain
from .steps import steps
from .usage import PodGroups

if TYPE_CHECKING:
    from .horizontal import Reconciliation
    from .metric_status import MetricResult


def answer(reconciliation: Reconciliation) -> dict[str, object]:
    """Return one reconcile with every key of the contract (docs/reference/hpa-explain.md)."""
    normalized = reconciliation.normalized
    return {
        "name": reconciliation.hpa.name,
        "namespace": reconciliation.hpa.namespace,
        "currentReplicas": reconciliation.current_replicas,
        "desiredReplicas": reconciliation.desired_replicas,
        "scaled": reconciliation.scaled,
        "error": reconciliation.error,
        "metrics": [_metric(result) for result in reconciliation.metrics],
        "recommendation": normalized and normalized.recommendation,
        "stabilized": normalized and normalized.stabilized,
        "limited": normalized and normalized.limited,
        "reason": normalized and normalized.scaling_limited[0],
        "conditions": [
            {
                "type": condition.type,
                "status": condition.status,
                "reason": condition.reason,
                "message": condition.message,
            }
            for condition in reconciliation.conditions
        ],
        "steps": list(steps(reconciliation)),
        "state": state.written(reconciliation.memory),
    }


def _metric(result: MetricResult) -> dict[str, object]:
    groups = result.groups or PodGroups()
    return {
        "type": result.spec.type,
        "name": result.spec.name,
        "proposal": result.proposal and result.proposal.replicas,
        "current": result.current and dict(result.current),
        "target": plain(dict(result.spec.target.spec)),
        "ready": list(groups.ready),
        "unready": list(groups.unready),
        "missing": list(groups.missing),
        "ignored": list(groups.ignored),
        "error": result.error,
    }
