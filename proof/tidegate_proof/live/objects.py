"""What of Kubernetes' objects a record keeps, and what is read off them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]

NAME, COMPONENT = "app.kubernetes.io/name", "app.kubernetes.io/component"

METADATA = ("name", "uid", "creationTimestamp", "deletionTimestamp", "labels", "resourceVersion")
CONTAINER = ("name", "image", "resources")
CONTAINER_STATUS = ("name", "ready", "started", "restartCount", "state", "lastState", "image", "imageID")
POD_STATUS = ("phase", "conditions", "podIP", "startTime", "reason", "message")
ENDPOINT = ("addresses", "conditions", "targetRef", "nodeName")
EVENT = ("type", "reason", "message", "count", "firstTimestamp", "lastTimestamp", "eventTime", "involvedObject",
         "reportingComponent")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object that is watched.

    Attributes:
        name: Kubernetes'.
        group: Path of its API.
        plural: As in a path.
    """

    name: str
    group: str
    plural: str

    def path(self, namespace: str) -> str:
        """Return where the objects of a namespace are."""
        return f"/{self.group}/namespaces/{namespace}/{self.plural}"


AUTOSCALER = Kind("HorizontalPodAutoscaler", "apis/autoscaling/v2", "horizontalpodautoscalers")
POD = Kind("Pod", "api/v1", "pods")
DEPLOYMENT = Kind("Deployment", "apis/apps/v1", "deployments")
SLICE = Kind("EndpointSlice", "apis/discovery.k8s.io/v1", "endpointslices")
EVENTS = Kind("Event", "api/v1", "events")
WATCHED = (AUTOSCALER, POD, DEPLOYMENT, SLICE, EVENTS)


def trimmed(kind: str, found: Object) -> dict[str, Any]:
    """Return what a record keeps of an object: identity, state, and the parts of its spec that bear on scaling."""
    kept: dict[str, Any] = {"metadata": _some(found["metadata"], METADATA)}
    match kind:
        case "Pod":
            spec = found["spec"]
            kept["spec"] = _some(spec, ("nodeName",))
            kept["spec"]["containers"] = [_some(container, CONTAINER) for container in spec["containers"]]
            status = found.get("status", {})
            kept["status"] = _some(status, POD_STATUS)
            if containers := status.get("containerStatuses"):
                kept["status"]["containerStatuses"] = [_some(container, CONTAINER_STATUS) for container in containers]
        case "EndpointSlice":
            kept["endpoints"] = [_some(endpoint, ENDPOINT) for endpoint in found.get("endpoints") or ()]
            kept["ports"] = found.get("ports") or []
        case "Event":
            kept |= _some(found, EVENT)
        case "Deployment":
            kept["spec"] = _some(found["spec"], ("replicas",))
            kept["status"] = found.get("status", {})
        case _:
            kept["spec"] = found.get("spec", {})
            kept["status"] = found.get("status", {})
    return kept


def tier_of(found: Object) -> str | None:
    """Return the tier of one of Tidegate's objects: `web` or `serving`."""
    labels = found["metadata"].get("labels") or {}
    return labels.get(COMPONENT) if labels.get(NAME) == "tidegate" else None


def is_ready(pod: Object) -> bool:
    """Whether a pod is Ready and stays."""
    return "deletionTimestamp" not in pod["metadata"] and condition(pod, "Ready") == "True"


def is_rolling(deployment: Object) -> bool:
    """Whether a Deployment has pods of before, or has not looked at its newest form yet."""
    status = deployment.get("status", {})
    seen = int(status.get("observedGeneration", 0)) >= int(deployment["metadata"].get("generation", 0))
    return not seen or int(status.get("updatedReplicas", 0)) < int(status.get("replicas", 0))


def condition(found: Object, kind: str) -> str:
    """Return the status of a condition: `True`, `False`, `Unknown`; empty without it."""
    return _of_condition(found, kind, "status")


def changed(found: Object, kind: str) -> str:
    """Return when a condition last changed, RFC 3339; empty without it."""
    return _of_condition(found, kind, "lastTransitionTime")


def _of_condition(found: Object, kind: str, part: str) -> str:
    conditions: Iterable[Object] = found.get("status", {}).get("conditions") or ()
    return next((str(one.get(part, "")) for one in conditions if one["type"] == kind), "")


def stuck(pod: Object) -> str:
    """Say why a pod will not start by waiting; empty where it may."""
    for container in pod.get("status", {}).get("containerStatuses") or ():
        waiting = container.get("state", {}).get("waiting") or {}
        if waiting.get("reason") in {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName",
                                     "CreateContainerConfigError", "CrashLoopBackOff"}:  # fmt: skip
            return f"{pod['metadata']['name']}: {waiting['reason']} {waiting.get('message', '')}".strip()
    return ""


def unknown_metrics(autoscaler: Object) -> list[str]:
    """Return what an autoscaler asks for and has no figure of; `<unknown>` in kubectl's words."""
    known = [_metric(one) for one in autoscaler.get("status", {}).get("currentMetrics") or () if _has_figure(one)]
    return [asked for metric in autoscaler["spec"]["metrics"] if (asked := _metric(metric)) not in known]


def _metric(metric: Object) -> str:
    """Name a metric of a spec or a status: `Resource cpu`, `External s0-…`."""
    source = metric.get(str(metric.get("type", ""))[:1].lower() + str(metric.get("type", ""))[1:]) or {}
    name = source.get("name") or source.get("metric", {}).get("name", "")
    return f"{metric.get('type', '')} {name}".strip()


def _has_figure(metric: Object) -> bool:
    source = metric.get(str(metric["type"])[:1].lower() + str(metric["type"])[1:]) or {} if metric.get("type") else {}
    return any(
        source.get("current", {}).get(key) is not None for key in ("averageUtilization", "averageValue", "value")
    )


def _some(found: Object, keys: Iterable[str]) -> dict[str, Any]:
    return {key: found[key] for key in keys if key in found}
