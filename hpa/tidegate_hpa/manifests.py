"""A plan as a kustomize component, each figure with where it comes from."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Final

import yaml

from . import quantity

if TYPE_CHECKING:
    from .autoscaler import ScalingRules
    from .planning import Plan

# Rows that TF Serving takes in a call if nobody says otherwise
_LARGEST_CALL: Final = 1000
_KEDA_BEHAVIOR: Final = "/spec/advanced/horizontalPodAutoscalerConfig/behavior"
_CONTAINERS = {"web": "web", "serving": "serving"}


def files(plan: Plan) -> dict[str, str]:
    """Return the component's files by name."""
    tier = plan.knee.tier
    patches = [_hpa(plan), _requests(plan)]
    if tier == "serving":
        patches += [_scaled_object(plan), _gateway(plan)]
    component = {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "patches": [patch for patch in patches if patch],
    }
    header = "".join(f"# {line}\n" for line in provenance(plan))
    written = {
        "kustomization.yaml": header + yaml.dump(component, Dumper=_Dumper, sort_keys=False, width=120),
        "plan.json": json.dumps(_record(plan), indent=1) + "\n",
    }
    if tier == "serving":
        written["batching_parameters.txt"] = header + batching(plan)
    return written


def provenance(plan: Plan) -> list[str]:
    """Return where the figures come from, line by line."""
    return [
        f"Planned from the knee of one {plan.knee.tier} replica, sha256 {plan.knee.sha256}:",
        f"{plan.knee.capacity_rps:.4g} requests/s within {plan.knee.slo_s * 1000:g} ms at the 99th percentile.",
        f"Objective {plan.slo_s * 1000:g} ms, {_aim(plan)}.",
    ]


def _aim(plan: Plan) -> str:
    if plan.plain_cpu is not None:
        return f"CPU alone at {plan.plain_cpu} % of what it uses there, and no behavior"
    return f"headroom {plan.headroom:.0%}: {plan.rps_per_pod:.4g} requests/s a pod"


def batching(plan: Plan) -> str:
    """Return TF Serving's batching parameters: calls as large as what is pending at the target, without waiting.

    A call with more rows, as gateways join them, is run in pieces: TF Serving refuses what is above `max_batch_size`.
    """
    pending = (plan.pending_target_m or 1000) / 1000
    size = 1 << (max(plan.knee.rows, round(pending)) - 1).bit_length()
    cores = max(1, round(plan.knee.at(plan.knee.capacity_rps, "cores_used") or 1))
    largest = max(_LARGEST_CALL, size)
    return (
        f"max_batch_size {{ value: {largest} }}\n"
        f"max_execution_batch_size {{ value: {size} }}\n"
        "enable_large_batch_splitting { value: true }\n"
        "batch_timeout_micros { value: 0 }\n"
        f"num_batch_threads {{ value: {cores} }}\n"
        f"max_enqueued_batches {{ value: {max(plan.sent_per_gateway, math.ceil(largest / size))} }}\n"
    )


class _Dumper(yaml.SafeDumper):
    """YAML that shows a patch as the lines that it is."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _record(plan: Plan) -> dict[str, object]:
    return {
        "tier": plan.knee.tier,
        "knee_sha256": plan.knee.sha256,
        "slo_s": plan.slo_s,
        "headroom": plan.headroom,
        "rps_per_pod": plan.rps_per_pod,
        "min_replicas": plan.min_replicas,
        "max_replicas": plan.max_replicas,
        "down_window_s": plan.down_window_s,
        "pending_target": None if plan.pending_target_m is None else quantity.canonical(plan.pending_target_m),
        "cpu_request_m": plan.cpu_request_m,
        "cpu_target": plan.cpu_target,
        "plain_cpu": plan.plain_cpu,
        "sent_per_gateway": plan.sent_per_gateway,
        "queued_per_gateway": plan.queued_per_gateway,
    }


def _patch(kind: str, name: str, body: dict[str, object]) -> dict[str, object]:
    return {"target": {"kind": kind, "name": name}, "patch": yaml.safe_dump(body, sort_keys=False, width=1000)}


def _rules(rules: ScalingRules) -> dict[str, object]:
    return {
        "stabilizationWindowSeconds": rules.stabilization_window_seconds,
        "selectPolicy": rules.select_policy,
        "policies": [{"type": p.type, "value": p.value, "periodSeconds": p.period_seconds} for p in rules.policies],
    }


def _behavior(plan: Plan) -> dict[str, object] | None:
    """The behavior; None takes away the one that is there."""
    behavior = plan.behavior
    if behavior is None:
        return None
    return {"scaleUp": _rules(behavior.scale_up), "scaleDown": _rules(behavior.scale_down)}


def _hpa(plan: Plan) -> dict[str, object]:
    name = f"tidegate-{plan.knee.tier}"
    target = {"type": "Utilization", "averageUtilization": plan.cpu_target}
    spec: dict[str, object] = {
        "minReplicas": plan.min_replicas,
        "maxReplicas": plan.max_replicas,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        "behavior": _behavior(plan),
    }
    metadata = {"name": name, "annotations": {"tidegate/plan": " ".join(provenance(plan))}}
    body: dict[str, object] = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata,
        "spec": spec,
    }
    return _patch("HorizontalPodAutoscaler", name, body)


def _deployment(name: str, container: dict[str, object]) -> dict[str, object]:
    body: dict[str, object] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
    return _patch("Deployment", name, body)


def _requests(plan: Plan) -> dict[str, object]:
    if plan.cpu_request_m is None:
        return {}
    requests = {"requests": {"cpu": f"{plan.cpu_request_m}m"}}
    return _deployment(
        f"tidegate-{plan.knee.tier}", {"name": _CONTAINERS.get(plan.knee.tier, plan.knee.tier), "resources": requests}
    )


def _scaled_object(plan: Plan) -> dict[str, object]:
    """KEDA's object has taken bounds and behaviour from the HPA already, so each is set again.

    Its first trigger is what is pending, its second CPU.
    """
    values: dict[str, object] = {
        "/spec/minReplicaCount": plan.min_replicas,
        "/spec/maxReplicaCount": plan.max_replicas,
        "/spec/triggers/1/metadata/value": str(plan.cpu_target),
    }
    if plan.pending_target_m is not None:
        values["/spec/triggers/0/metadata/targetValue"] = str(plan.pending_target_m / 1000)
    behavior = _behavior(plan)
    operations: list[dict[str, object]] = [
        {"op": "add", "path": "/metadata/annotations/tidegate~1plan", "value": " ".join(provenance(plan))},
        *({"op": "replace", "path": path, "value": value} for path, value in values.items()),
        {"path": _KEDA_BEHAVIOR, **({"op": "replace", "value": behavior} if behavior else {"op": "remove"})},
    ]
    if not plan.on_pending:
        operations.append({"op": "remove", "path": "/spec/triggers/0"})
    return {
        "target": {"kind": "ScaledObject", "name": "tidegate-serving"},
        "patch": yaml.safe_dump(operations, sort_keys=False),
    }


def _gateway(plan: Plan) -> dict[str, object]:
    env = [
        {"name": "TIDEGATE_MAX_INFLIGHT", "value": str(plan.sent_per_gateway)},
        {"name": "TIDEGATE_MAX_QUEUE", "value": str(plan.queued_per_gateway)},
        {"name": "TIDEGATE_INFLIGHT_PER_BACKEND", "value": "1"},
    ]
    return _deployment("tidegate-web", {"name": _CONTAINERS["web"], "env": env})
