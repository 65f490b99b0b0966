"""What commonly breaks, told from the objects: what is wrong, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from . import documents, quantity
from .errors import InputError
from .settings import Settings, tolerances_for_hpa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .autoscaler import MetricSpec
    from .horizontal import Reconciliation
    from .node import Node
    from .snapshot import Snapshot

_SOURCES: Final = {
    "Resource": "metrics-server runs and `kubectl top pods` answers; it needs two looks at a new pod, half a minute",
    "ContainerResource": "metrics-server runs and `kubectl top pods --containers` answers",
    "Pods": "an adapter serves custom.metrics.k8s.io (`kubectl get --raw /apis/custom.metrics.k8s.io`)",
    "Object": "an adapter serves custom.metrics.k8s.io (`kubectl get --raw /apis/custom.metrics.k8s.io`)",
    "External": "KEDA or an adapter serves external.metrics.k8s.io, and what it asks has such a metric",
}


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong and what to do about it."""

    problem: str
    remedy: str


def diagnose(
    snapshot: Snapshot, result: Reconciliation, settings: Settings, source: str | None = None
) -> list[Diagnosis]:
    """Return what stands in an HPA's way, most hindering first.

    Args:
        snapshot: what the HPA sees.
        result: what it makes of it.
        settings: the controller's.
        source: the file that the snapshot was read from; None = a cluster.
    """
    checks: tuple[Callable[[], Iterator[Diagnosis]], ...] = (
        lambda: _target(snapshot, result, source),
        lambda: _requests(result),
        lambda: _metrics(result),
        lambda: _unreachable(snapshot, result, settings),
        lambda: _fought_over(snapshot, result),
        lambda: _admission(snapshot, result),
        lambda: _bounds(result),
    )
    return [diagnosis for check in checks for diagnosis in check()]


def _target(snapshot: Snapshot, result: Reconciliation, source: str | None) -> Iterator[Diagnosis]:
    reference = result.hpa.target
    reasons = {condition.reason: condition.message for condition in result.conditions}
    if "FailedGetScale" in reasons:
        yield _absent(f"{reference.kind} {reference.name}", source)
    elif not reference.api_version and snapshot.target(result.hpa) is not None and reference.kind != "Pod":
        yield Diagnosis(
            f"scaleTargetRef has no apiVersion: the controller looks for {reference.kind} in the core group",
            "add apiVersion: apps/v1 (assumed here)",
        )
    if "ScalingDisabled" in reasons:
        yield Diagnosis(
            f"{reference.kind} {reference.name} is scaled to 0, which switches its HPA off",
            f"kubectl scale {reference.kind.lower()}/{reference.name} --replicas={max(1, result.hpa.min_replicas)}",
        )
    if "AmbiguousSelector" in reasons:
        yield Diagnosis(
            "more than one HPA selects these pods, and none of them acts: " + reasons["AmbiguousSelector"],
            "one HPA for one workload: put all metrics into one, and give workloads selectors that do not overlap",
        )
    if "InvalidSelector" in reasons:
        yield Diagnosis(reasons["InvalidSelector"], "give the workload a selector that finds its own pods")


def _absent(target: str, source: str | None) -> Diagnosis:
    if source is None:
        return Diagnosis(
            f"{target} is not there, or the HPA names it with another apiVersion",
            "compare scaleTargetRef with `kubectl get deployments`; an HPA looks in its own namespace only",
        )
    return Diagnosis(
        f"{source} has no {target} in the HPA's namespace, or has it with another apiVersion",
        "put the target, its pods and their metrics into one List; `tidegate-hpa explain --live --save FILE` does so",
    )


def _requests(result: Reconciliation) -> Iterator[Diagnosis]:
    for metric in result.metrics:
        error = metric.error or ""
        if "missing request for" in error or "missing pod-level request for" in error:
            detail = error[error.rindex("missing") :]
            yield Diagnosis(
                f"utilisation is a percentage of requests, and one is {detail}",
                f"set resources.requests.{metric.spec.name} on every container of the pod, sidecars too",
            )


def _metrics(result: Reconciliation) -> Iterator[Diagnosis]:
    for metric in result.metrics:
        error = metric.error or ""
        if "no metrics returned from" in error or "returned 0 results" in error:
            yield Diagnosis(f"there is no figure of {metric.spec.name}", f"see that {_SOURCES[metric.spec.type]}")
        elif "pods might be unready" in error:
            yield Diagnosis(
                "no pod counts yet: figures of pods that start are left out",
                "wait for Ready pods with a whole window of figures; if it lasts, look at readiness and metrics-server",
            )


def _unreachable(snapshot: Snapshot, result: Reconciliation, settings: Settings) -> Iterator[Diagnosis]:
    template = _template(snapshot.target(result.hpa))
    if template is None:
        return
    up = tolerances_for_hpa(result.hpa, settings).scale_up
    for metric in result.metrics:
        spec = metric.spec
        if spec.type not in {"Resource", "ContainerResource"} or spec.target.utilization is None:
            continue
        reach = _reach(template, spec)
        if reach is not None and reach <= spec.target.utilization * (1 + up):
            yield Diagnosis(
                f"{spec.name} can reach {reach:.0f} % of its request at its limit, and more than "
                f"{spec.target.utilization * (1 + up):.0f} % is needed to scale up",
                "lower the target, raise the limit, or request less",
            )


def _template(target: Node | None) -> Node | None:
    return None if target is None else target.at("spec", "template", "spec")


def _reach(template: Node, spec: MetricSpec) -> float | None:
    """The utilisation at which every container is at its limit, in per cent; None if one has no limit."""
    limits = requests = 0
    for container in template.members("containers"):
        if spec.container not in {"", container.text("name")}:
            continue
        limit, request = (container.at("resources", side, spec.name) for side in ("limits", "requests"))
        if limit is None:
            return None
        try:
            limits += quantity.parse(limit.value).milli()
            requests += quantity.parse((request or limit).value).milli()
        except InputError:
            return None
    return 100 * limits / requests if requests else None


def _fought_over(snapshot: Snapshot, result: Reconciliation) -> Iterator[Diagnosis]:
    target = snapshot.target(result.hpa)
    metadata = target.get("metadata") if target else None
    if metadata is None or result.current_replicas is None:
        return
    owners = {
        entry.text("manager")
        for entry in metadata.members("managedFields")
        if entry.text("operation") == "Apply" and entry.at("fieldsV1", "f:spec", "f:replicas") is not None
    }
    # An update owns what the API server filled in too, so only what was applied last tells
    applied = metadata.texts("annotations").get("kubectl.kubernetes.io/last-applied-configuration")
    if applied and documents.parse(applied, "last-applied-configuration")[0].at("spec", "replicas") is not None:
        owners.add("kubectl apply")
    if owners:
        yield Diagnosis(
            f"{', '.join(sorted(owners))} sets spec.replicas of {result.hpa.target.name} too, which resets the HPA",
            "leave replicas out of the manifest (docs/how-to/explain-the-autoscaler.md says how, without a jump)",
        )


def _admission(snapshot: Snapshot, result: Reconciliation) -> Iterator[Diagnosis]:
    """A gateway that holds less than the fleet's target never shows the overload that would enlarge the fleet."""
    held = _held(snapshot, result.hpa.namespace, result.hpa.max_replicas)
    if held is None:
        return
    for metric in result.metrics:
        target = metric.spec.target.average_value
        if metric.spec.type != "External" or not target:
            continue
        most = held * 1000 // target
        if most < result.hpa.max_replicas:
            yield Diagnosis(
                f"the gateways let {held} predictions in, which at {quantity.canonical(target)} a pod asks for {most} "
                f"pods: never for the {result.hpa.max_replicas} that the HPA allows",
                "raise TIDEGATE_MAX_INFLIGHT or TIDEGATE_MAX_QUEUE, or lower target or maxReplicas",
            )


def _held(snapshot: Snapshot, namespace: str, backends: int) -> int | None:
    """What all gateways of a namespace hold at most before so many model servers; None if no manifest says it."""
    total = None
    for (kind, where, _), nodes in snapshot.targets.items():
        if kind != "Deployment" or where != namespace:
            continue
        for node in nodes:
            said = dict(_settings(_template(node)))
            limits = [int(said[name]) for name in _ADMISSION if said.get(name, "").isdecimal()]
            if len(limits) == len(_ADMISSION):
                spec = node.get("spec")
                replicas = (spec.integer("replicas") if spec else None) or 1
                times = backends if said.get(_PER_BACKEND) in _ON else 1
                inflight, queue = limits
                total = (total or 0) + replicas * (inflight * times + queue)
    return total


_ADMISSION: Final = ("TIDEGATE_MAX_INFLIGHT", "TIDEGATE_MAX_QUEUE")
_PER_BACKEND: Final = "TIDEGATE_INFLIGHT_PER_BACKEND"
_ON: Final = ("1", "true")


def _settings(template: Node | None) -> Iterator[tuple[str, str]]:
    for container in template.members("containers") if template else []:
        for variable in container.members("env"):
            if (value := variable.get("value")) is not None:
                yield variable.text("name"), str(value.value)


def _bounds(result: Reconciliation) -> Iterator[Diagnosis]:
    normalized = result.normalized
    if normalized and normalized.scaling_limited[0] == "TooManyReplicas":
        yield Diagnosis(
            f"the metrics ask for {normalized.stabilized} pods and maxReplicas is {result.hpa.max_replicas}",
            "raise maxReplicas, or make a pod faster",
        )
