"""What must hold before a run is worth its time: each a check of what was found, with what to do where it does not."""

import asyncio
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tidegate_proof.live.address import port_forward
from tidegate_proof.live.api import Api, ApiError, Object
from tidegate_proof.live.objects import unknown_metrics

MOST_CLOCK_S = 2.0
"""The API's Date header counts whole seconds."""

MOST_TIMER_MS = 5.0
"""What a run's generator may be late."""

TIMER_LOOKS = 300
TIMER_MS = 1.0

MOST_RPS = 15_000
"""Three quarters of what the generator was measured to send from one core (benchmarks/)."""

BYTES_PER_REQUEST = 80
"""A row of requests.csv.gz before compression, and its share of the report's data."""

SPARE_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Check:
    """A precondition.

    Attributes:
        name: What is asked.
        passed: Whether it holds.
        found: What was found.
        advice: What to do where it does not hold.
    """

    name: str
    passed: bool
    found: str
    advice: str


@dataclass(frozen=True, slots=True)
class Need:
    """What a run needs of this machine.

    Attributes:
        folder: Whose disk will hold the record; exists.
        requests: How many.
        peak_rps: The highest rate.
        cpu_m: Millicores that all its pods together request at most.
    """

    folder: Path
    requests: int
    peak_rps: float
    cpu_m: int


def clock(here: datetime, there: datetime) -> Check:
    """Hold this machine's clock against the cluster's: time lines put both beside one another."""
    apart_s = (here - there).total_seconds()
    return Check(
        "this machine's clock agrees with the cluster's",
        -MOST_CLOCK_S <= apart_s <= MOST_CLOCK_S,
        f"{apart_s:+.1f} s",
        "set the clock of this machine or of the cluster's nodes by NTP",
    )


def metrics_server(version: Object | None) -> Check:
    """Whether the API of resource metrics is served."""
    return Check(
        "the cluster has metrics-server",
        version is not None,
        "metrics.k8s.io" if version is not None else "no metrics.k8s.io",
        "install it: https://github.com/kubernetes-sigs/metrics-server",
    )


def disk(folder: Path, free: int, requests: int) -> Check:
    """Whether the record will fit."""
    wanted = SPARE_BYTES + requests * BYTES_PER_REQUEST
    return Check(
        f"there is room for the record in {folder}",
        free >= wanted,
        f"{free / 2**20:,.0f} MiB free, {wanted / 2**20:,.0f} wanted",
        "free some, or name another folder by --output",
    )


def rate(peak_rps: float) -> Check:
    """Whether one generator can send as much."""
    return Check(
        "the generator is good for the highest rate",
        peak_rps <= MOST_RPS,
        f"{peak_rps:,.0f} requests/s, up to {MOST_RPS:,}",
        "choose a slower model, smaller pods, or a scenario with less load",
    )


def timers(late_ms: float) -> Check:
    """Whether this machine lets the generator keep to its times while nothing is sent."""
    return Check(
        "this machine keeps time while idle",
        late_ms <= MOST_TIMER_MS,
        f"p99 of a timer's lateness {late_ms:.1f} ms, up to {MOST_TIMER_MS:g}",
        "end what else uses the processors, or run from another machine",
    )


def room(nodes: Iterable[Object], pods: Iterable[Object], wanted_m: int) -> Check:
    """Whether the nodes have room for all pods that the autoscalers may ask for."""
    free_m = sum(millicores(node["status"]["allocatable"]["cpu"]) for node in nodes)
    free_m -= sum(
        millicores(container.get("resources", {}).get("requests", {}).get("cpu", "0"))
        for pod in pods
        if pod.get("status", {}).get("phase") not in {"Succeeded", "Failed"}
        for container in pod["spec"]["containers"]
    )
    return Check(
        "the nodes have room for every pod",
        free_m >= wanted_m,
        f"{free_m}m CPU not requested, {wanted_m}m wanted",
        "remove what else is there, or add a node: pods that are Pending would be measured",
    )


def millicores(quantity: str) -> int:
    """Read a quantity of CPU, such as `2`, `0.5` or `250m`."""
    return int(quantity[:-1]) if quantity.endswith("m") else round(1000 * float(quantity))


def direct(url: str, processes: Iterable[str]) -> Check:
    """Whether the way to the gateway leads to all of its pods."""
    forward = port_forward(url, processes)
    return Check(
        "the gateway is not reached through a port-forward",
        forward is None,
        url if forward is None else f"{url} is `{forward.strip()[:120]}`",
        "a port-forward leads to one pod: use a node's port, a load balancer or an Ingress, by --url",
    )


def autoscaler(name: str, found: Object) -> Check:
    """Whether an autoscaler has a figure of each of its metrics."""
    unknown = unknown_metrics(found)
    return Check(
        f"the autoscaler {name} knows its metrics",
        not unknown,
        f"<unknown>: {', '.join(unknown)}" if unknown else "all known",
        f"kubectl describe hpa {name}",
    )


async def before(api: Api, need: Need) -> list[Check]:
    """Check what can be checked before anything is deployed.

    Raises:
        UnreachableError: The cluster does not answer.
    """
    there = await api.date()
    here = datetime.now(UTC)
    try:
        version: Object | None = await api.get("/apis/metrics.k8s.io/v1beta1")
    except ApiError:
        version = None
    nodes, pods = (await api.get("/api/v1/nodes"))["items"], (await api.get("/api/v1/pods"))["items"]
    return [
        metrics_server(version),
        room(nodes, pods, need.cpu_m),
        clock(here, there),
        disk(need.folder, shutil.disk_usage(need.folder).free, need.requests),
        rate(need.peak_rps),
        timers(await timer_lateness_ms()),
    ]


async def after(url: str, autoscalers: Mapping[str, Object]) -> list[Check]:
    """Check what can be checked when all is deployed: the way there, and the autoscalers that may change something."""
    free = {
        name: one for name, one in autoscalers.items() if one["spec"].get("minReplicas", 1) < one["spec"]["maxReplicas"]
    }
    return [*(autoscaler(name, one) for name, one in sorted(free.items())), direct(url, await processes())]


async def timer_lateness_ms() -> float:
    """Measure the 99th percentile of how late the loop's timers are, over a third of a second."""
    late = []
    for _ in range(TIMER_LOOKS):
        began = time.perf_counter()
        await asyncio.sleep(TIMER_MS / 1e3)
        late.append((time.perf_counter() - began) * 1e3 - TIMER_MS)
    return sorted(late)[int(0.99 * len(late))]


async def processes() -> list[str]:
    """Return the command lines of this machine's processes; none where `ps` does not tell."""
    try:
        process = await asyncio.create_subprocess_exec(
            *("ps", "-axo", "args"), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except FileNotFoundError:
        return []
    out, _ = await process.communicate()
    return out.decode(errors="replace").splitlines()
