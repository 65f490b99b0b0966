"""What the controller looks at in a Pod."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .errors import InputError
from .timestamps import NEVER

if TYPE_CHECKING:
    from .node import Node

# Billionths by resource name, since Kubernetes sums them before it rounds
Requests = Mapping[str, int]


@dataclass(frozen=True)
class Container:
    """A container's name and what it requests."""

    name: str
    requests: Requests
    restartable: bool = False


@dataclass(frozen=True)
class ReadyCondition:
    """The condition Ready: "True", "False" or "Unknown", and since when (nanoseconds since 1970)."""

    status: str
    last_transition: int = NEVER


@dataclass(frozen=True)
class Pod:
    """A Pod. Times are nanoseconds since 1970, requests billionths.

    Args:
        init_containers: all of them; the restartable ones are sidecars, which go on running.
        pod_requests: requests of the Pod as a whole (`spec.resources`); empty if there are none.
        overhead: what its runtime class adds.
    """

    name: str
    namespace: str = "default"
    labels: Mapping[str, str] = field(default_factory=dict)
    phase: str = ""
    deleted: bool = False
    start_time: int | None = None
    ready: ReadyCondition | None = None
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    pod_requests: Requests = field(default_factory=dict)
    overhead: Requests = field(default_factory=dict)


def _requests(node: Node | None) -> dict[str, int]:
    if node is None:
        return {}
    found: dict[str, int] = {}
    for name in node.mapping():
        asked = node.quantity(name)
        found[name] = 0 if asked is None else asked.nano()
    return found


def _container(node: Node) -> Container:
    return Container(
        name=node.text("name"),
        requests=_requests(node.at("resources", "requests")),
        restartable=node.text("restartPolicy") == "Always",
    )


def _ready(status: Node) -> ReadyCondition | None:
    for condition in status.members("conditions"):
        if condition.text("type") == "Ready":
            since = condition.timestamp("lastTransitionTime")
            return ReadyCondition(condition.text("status"), NEVER if since is None else since)
    return None


def from_object(node: Node, namespace: str) -> Pod:
    """Read a Kubernetes Pod.

    Raises:
        InputError: a field has the wrong type.
    """
    metadata, spec, status = node.required("metadata"), node.get("spec"), node.get("status")
    if not metadata.text("name"):
        raise InputError(f"{metadata.path}: expected a name, found none")
    return Pod(
        name=metadata.text("name"),
        namespace=namespace,
        labels=metadata.texts("labels"),
        phase=status.text("phase") if status else "",
        deleted=metadata.get("deletionTimestamp") is not None,
        start_time=status.timestamp("startTime") if status else None,
        ready=_ready(status) if status else None,
        containers=tuple(map(_container, spec.members("containers"))) if spec else (),
        init_containers=tuple(map(_container, spec.members("initContainers"))) if spec else (),
        pod_requests=_requests(spec.at("resources", "requests")) if spec else {},
        overhead=_requests(spec.get("overhead")) if spec else {},
    )
