"""What a plan says of the cluster that it is for."""

import os
import platform
import socket
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tidegate_proof.live import priority
from tidegate_proof.live.api import Api, Object
from tidegate_proof.live.deployment import Tidegate
from tidegate_proof.record.plan import TIERS, Cluster, Node, Tier

MACHINE_ID = Path("/etc/machine-id")


async def cluster_of(api: Api, tidegate: Tidegate) -> Cluster:
    """Describe the cluster and what is deployed on it.

    Raises:
        ApiError, UnreachableError: It cannot be asked.
    """
    nodes = (await api.get("/api/v1/nodes"))["items"]
    pods = await tidegate.pods()
    return Cluster(
        kubernetes=(await api.get("/version"))["gitVersion"],
        nodes=tuple(_node(node) for node in nodes),
        namespace=tidegate.namespace,
        images={tier: image_of(pods[tier]) for tier in TIERS},
    )


async def autoscalers_of(tidegate: Tidegate) -> dict[Tier, dict[str, Any]]:
    """Return the specs of the autoscalers as they are now, by tier."""
    found = await tidegate.autoscalers()
    return {tier: dict(found[f"tidegate-{tier}"]["spec"]) for tier in TIERS if f"tidegate-{tier}" in found}


def image_of(pods: Iterable[Object]) -> str:
    """Return the image of pods, with the digest of what runs."""
    for pod in pods:
        for container in pod.get("status", {}).get("containerStatuses") or ():
            return f"{container['image']} {container.get('imageID', '')}".strip()
    return "unknown"


async def versions(api: Api) -> dict[str, str]:
    """Return what measures, and whether it shares a machine with what is measured.

    Raises:
        ApiError, UnreachableError: The cluster cannot be asked.
    """
    node = here((await api.get("/api/v1/nodes"))["items"])
    return {
        "tidegate": version("tidegate-proof"),
        "python": platform.python_version(),
        "generator's system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "generator's processors": str(os.cpu_count()),
        "generator's priority": priority.allowed(),
        "generator's machine": "none of the nodes" if node is None else f"the node {node}",
    }


def here(nodes: Iterable[Object]) -> str | None:
    """Return the node that this machine is; None where it is none of them."""
    machine = MACHINE_ID.read_text().strip() if MACHINE_ID.exists() else None
    name = socket.gethostname()
    for node in nodes:
        info, own = node.get("status", {}).get("nodeInfo", {}), node["metadata"]["name"]
        if own == name or (machine and info.get("machineID") == machine):
            return str(own)
    return None


def _node(found: Object) -> Node:
    allocatable = found["status"]["allocatable"]
    return Node(name=found["metadata"]["name"], cpu=allocatable["cpu"], memory=allocatable["memory"])
