"""Whether the pods of a roll-out come up, and why not as soon as that is clear. Pure: the API's objects in."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Manifest = Mapping[str, Any]

REVISION = "deployment.kubernetes.io/revision"
PAGE = "docs/how-to/troubleshooting.md"

IMAGE = {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"}
CONTAINER = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
"""What the kubelet says of a container that it could not start and will try again."""

ENDS = 2
"""Ends of a container that make it a habit: the first may be somebody else's fault."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What waiting will not mend.

    Attributes:
        where: `pod/NAME` or `deployment/NAME`.
        what: What is wrong.
        todo: What to do about it.
        has_ended: Whether the pod's container has ended, and so left a log.
    """

    where: str
    what: str
    todo: str
    has_ended: bool = False


def is_ready(pod: Manifest) -> bool:
    """Whether a pod gets requests."""
    conditions = pod.get("status", {}).get("conditions", ())
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def is_leaving(pod: Manifest) -> bool:
    """Whether a pod was told to stop."""
    return "deletionTimestamp" in pod["metadata"]


def is_rolled_out(deployment: Manifest) -> bool:
    """Whether all pods of a Deployment are of its newest template, and available."""
    status, wanted = deployment.get("status", {}), deployment["spec"].get("replicas", 1)
    counts = {status.get(f"{kind}eplicas", 0) for kind in ("r", "updatedR", "availableR")}
    return _is_observed(deployment) and counts == {wanted}


def _is_observed(deployment: Manifest) -> bool:
    return bool(deployment.get("status", {}).get("observedGeneration", 0) >= deployment["metadata"]["generation"])


def new_pods(deployment: Manifest, replica_sets: Iterable[Manifest], pods: Iterable[Manifest]) -> list[Manifest]:
    """Return the pods of a Deployment's newest template that are to stay; none while it is not known which that is."""
    if not _is_observed(deployment):
        return []
    uid, revision = deployment["metadata"]["uid"], deployment["metadata"].get("annotations", {}).get(REVISION)
    owners = {
        each["metadata"]["uid"]
        for each in replica_sets
        if uid in _owners(each) and each["metadata"].get("annotations", {}).get(REVISION) == revision
    }
    return [pod for pod in pods if not is_leaving(pod) and owners & set(_owners(pod))]


def _owners(each: Manifest) -> Iterator[str]:
    return (str(owner["uid"]) for owner in each["metadata"].get("ownerReferences", ()))


def restarts(pod: Manifest) -> int:
    """Return how often the pod's container was started again."""
    return sum(status.get("restartCount", 0) for status in _containers(pod))


def trouble(deployment: Manifest, new: Sequence[Manifest], before: Mapping[str, int]) -> Trouble | None:
    """Return what keeps a roll-out from its end and will not go away by waiting; None for nothing.

    Args:
        deployment: The Deployment.
        new: Its pods that are to stay: `new_pods`.
        before: Of pods that were there before, how often they had been started again; that may be mended now.
    """
    found = (_of_pod(pod, before.get(pod["metadata"]["name"], 0)) for pod in new if not is_ready(pod))
    return next((each for each in found if each), None) or _refused(deployment)


def _of_pod(pod: Manifest, before: int) -> Trouble | None:
    where = f"pod/{pod['metadata']['name']}"
    for status in _containers(pod):
        waiting = status.get("state", {}).get("waiting", {})
        reason, message = waiting.get("reason", ""), waiting.get("message", "")
        if reason in IMAGE:
            return Trouble(
                where,
                f"{reason}: its node has no image {status['image']}, and was given none",
                "make deploy hands it to kind and minikube, to others with REGISTRY=… or a command, LOAD_IMAGE=…. "
                f"See {PAGE}#the-image-is-not-there",
            )
        if reason in CONTAINER:
            return Trouble(
                where,
                f"{reason}: {message or 'its container cannot be started'}",
                f"Correct what that names, then the same command again. See {PAGE}",
            )
        again = status.get("restartCount", 0)
        if again - before >= ENDS or (reason == "CrashLoopBackOff" and again > before):
            return _ended(where, status)
    return None


def _ended(where: str, status: Manifest) -> Trouble:
    last = status.get("lastState", {}).get("terminated", {})
    how = f"{last.get('reason', 'Error')}, exit code {last.get('exitCode', '?')}"
    is_too_large = last.get("reason") == "OOMKilled"
    todo = "It reached its memory limit: raise limits.memory" if is_too_large else "Its last words are above"
    page = f"{PAGE}#a-container-ends-again-and-again"
    return Trouble(where, f"its container ends again and again ({how})", f"{todo}. See {page}", has_ended=True)


def _refused(deployment: Manifest) -> Trouble | None:
    """Say why the cluster makes no pods: Pod Security, a quota, an admission policy."""
    for condition in deployment.get("status", {}).get("conditions", ()):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return Trouble(
                f"deployment/{deployment['metadata']['name']}",
                f"no pod is made: {condition['message']}",
                f"See {PAGE}#no-pod-is-made",
            )
    return None


def without_room(new: Iterable[Manifest]) -> Iterator[str]:
    """Yield what the scheduler says of each pod that has no node; another pod's end, or a new node, may mend it."""
    for pod in new:
        for condition in pod.get("status", {}).get("conditions", ()):
            if condition.get("reason") == "Unschedulable":
                yield f"pod/{pod['metadata']['name']} waits for room: {condition['message']}"


def _containers(pod: Manifest) -> Sequence[Manifest]:
    found: Sequence[Manifest] = pod.get("status", {}).get("containerStatuses", ())
    return found
