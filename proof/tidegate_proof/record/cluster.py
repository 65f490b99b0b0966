"""`cluster.jsonl`: what the API server told the run, with its time on the run's own clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from tidegate_proof.record.documents import Int64, Object
from tidegate_proof.record.plan import TIERS, Tier

Kind = Literal["HorizontalPodAutoscaler", "Pod", "EndpointSlice", "Deployment", "Event"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterEvent:
    """A line.

    Attributes:
        t_ns: When it arrived; below 0 for what was there before the run began.
        type: ADDED, MODIFIED, DELETED: of a watch. CLOCK ties `t_ns` to the wall clock. GAP: a watch broke, and what
            happened until this line may be missing.
        kind: Of the object; with GAP, of the watch that broke; None with CLOCK.
        object: Its parts that matter, as Kubernetes names them; None with CLOCK and GAP.
        wall: RFC 3339 with microseconds; with CLOCK only.
        text: What broke; with GAP only.
    """

    t_ns: Int64
    type: Literal["ADDED", "MODIFIED", "DELETED", "CLOCK", "GAP"]
    kind: Kind | None = None
    object: Object | None = None
    wall: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class PodSeen:
    """A pod as a watch event shows it.

    Attributes:
        name: Its own.
        tier: From its label app.kubernetes.io/component, or its name.
        ip: Empty as long as it has none.
        ready: Condition Ready, and not being deleted.
        gone: Deleted, or finished.
    """

    name: str
    tier: Tier | None
    ip: str
    ready: bool
    gone: bool


@dataclass(frozen=True, slots=True)
class DesiredSeen:
    """A number of replicas as a watch event shows it.

    Attributes:
        tier: Of the HPA's target, or of the Deployment.
        replicas: status.desiredReplicas of an HPA, spec.replicas of a Deployment; None where it has none yet.
        autoscaler: Whether it is an HPA's.
    """

    tier: Tier | None
    replicas: int | None
    autoscaler: bool


def pod_seen(event: ClusterEvent) -> PodSeen | None:
    """Return what an event says of a pod; None where it is about something else."""
    if event.kind != "Pod" or event.object is None:
        return None
    metadata, status = part(event.object, "metadata"), part(event.object, "status")
    conditions = status.get("conditions")
    ready = isinstance(conditions, list) and any(
        isinstance(condition, dict) and condition.get("type") == "Ready" and condition.get("status") == "True"
        for condition in conditions
    )
    gone = event.type == "DELETED" or status.get("phase") in {"Succeeded", "Failed"}
    leaving = bool(metadata.get("deletionTimestamp"))
    name = text(metadata, "name")
    tier = tier_of(text(part(metadata, "labels"), "app.kubernetes.io/component")) or tier_of(name)
    return PodSeen(name, tier, text(status, "podIP"), ready and not gone and not leaving, gone)


def desired_seen(event: ClusterEvent) -> DesiredSeen | None:
    """Return how many replicas an event wants; None where it says nothing of that."""
    if event.object is None or event.type == "DELETED":
        return None
    if event.kind == "HorizontalPodAutoscaler":
        target = text(part(part(event.object, "spec"), "scaleTargetRef"), "name")
        return DesiredSeen(tier_of(target), count(part(event.object, "status"), "desiredReplicas"), autoscaler=True)
    if event.kind == "Deployment":
        name = text(part(event.object, "metadata"), "name")
        return DesiredSeen(tier_of(name), count(part(event.object, "spec"), "replicas"), autoscaler=False)
    return None


def tier_of(name: str) -> Tier | None:
    """Return the tier that an object belongs to by its name: `serving`, `tidegate-serving-5f7`."""
    short = name.removeprefix("tidegate-")
    return next((tier for tier in TIERS if short == tier or short.startswith(f"{tier}-")), None)


def part(of: Mapping[str, JsonValue], key: str) -> Mapping[str, JsonValue]:
    """Return an object within an object; an empty one where there is none."""
    found = of.get(key)
    return found if isinstance(found, dict) else {}


def text(of: Mapping[str, JsonValue], key: str) -> str:
    """Return a text within an object; an empty one where there is none."""
    found = of.get(key)
    return found if isinstance(found, str) else ""


def count(of: Mapping[str, JsonValue], key: str) -> int | None:
    """Return a whole number within an object; None where there is none that Kubernetes' 32 bits hold."""
    found = of.get(key)
    return found if isinstance(found, int) and not isinstance(found, bool) and abs(found) < 1 << 31 else None
