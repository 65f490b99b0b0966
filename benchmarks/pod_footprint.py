"""Memory and processor time of each tier's pods: at rest, under a steady load, and with large bodies in hand.

    kubectl delete hpa --all                    # in a namespace of its own: pods that start would count too
    .venv/bin/python benchmarks/pod_footprint.py --url http://ADDRESS [--rate 100] [--seconds 60]

Of the pods of the current kubectl context and namespace. Memory and processor time are the kubelet's (`stats/summary`),
which metrics-server and so the autoscalers read too: working set, and the growth of the total between two readings. The
peak is the process's own (`VmHWM`) since it started. Load is AND-gate predictions at a steady rate over 16 connections,
sent at their times whatever the answers do; large bodies are predictions of 8 MB each, four at once. Prints JSON.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp

TIERS = ("web", "serving")
CONNECTIONS = 16
QUESTION = b'{"instances": [[1, 1]]}'
LARGE_ROWS = 830_000
"""Rows of ten bytes: just under the gateway's limit of 8 MiB (TIDEGATE_MAX_BODY_MB)."""

LARGE_AT_ONCE = 4
"""As many as TIDEGATE_MAX_BODIES_MB (32) lets in."""

READING_S = 20.0
"""The kubelet looks at its containers every ten seconds or so, each at its own time."""

NS_PER_S = 1e9
MIB = 2**20


class MeasurementError(Exception):
    """The figures would be of something else; the text says of what."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What the kubelet says of a container.

    Attributes:
        at: When it looked.
        cpu_ns: Processor time since its start.
        working_set: Bytes.
    """

    at: datetime
    cpu_ns: int
    working_set: int


def kubectl(*arguments: str) -> str:
    """Run kubectl and return what it says.

    Raises:
        MeasurementError: It failed.
    """
    done = subprocess.run(["kubectl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MeasurementError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def pods(tier: str) -> dict[str, str]:
    """Return the node of each pod of a tier.

    Raises:
        MeasurementError: There is none.
    """
    labels = f"app.kubernetes.io/name=tidegate,app.kubernetes.io/component={tier}"
    items = json.loads(kubectl("get", "pods", "--selector", labels, "--output", "json"))["items"]
    if not items:
        raise MeasurementError(f"no pod of {tier} in this namespace: make deploy")
    return {item["metadata"]["name"]: item["spec"]["nodeName"] for item in items}


def usage(names: dict[str, str]) -> dict[str, Usage]:
    """Read the kubelets' figures of pods, given with their nodes."""
    found: dict[str, Usage] = {}
    for node in set(names.values()):
        summary = json.loads(kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/stats/summary"))
        for pod in summary["pods"]:
            if (name := pod["podRef"]["name"]) in names:
                (container,) = pod["containers"]
                cpu, memory = container["cpu"], container["memory"]
                found[name] = Usage(
                    datetime.fromisoformat(cpu["time"]),
                    int(cpu["usageCoreNanoSeconds"]),
                    int(memory["workingSetBytes"]),
                )
    return found


def cores(before: dict[str, Usage], after: dict[str, Usage]) -> float:
    """Return the cores that pods used between two readings, all together.

    Raises:
        MeasurementError: Pods came or went.
    """
    if before.keys() != after.keys():
        raise MeasurementError("pods came or went: kubectl delete hpa --all, and measure again")
    used = 0.0
    for name, first in before.items():
        took_s = (after[name].at - first.at).total_seconds()
        used += (after[name].cpu_ns - first.cpu_ns) / NS_PER_S / took_s
    return used


def peak_mib(pod: str) -> float:
    """Return the most memory that a pod's process has ever had resident."""
    status = kubectl("exec", pod, "--", "cat", "/proc/1/status")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return round(int(line.split()[1]) * 1024 / MIB, 1)


async def ask(session: aiohttp.ClientSession, url: str, body: bytes) -> None:
    """Ask once.

    Raises:
        MeasurementError: It was not answered.
    """
    async with session.post(f"{url}/v1/models/and_gate:predict", data=body) as answer:
        if answer.status != 200:  # noqa: PLR2004 OK
            raise MeasurementError(f"expected 200, came {answer.status}: {(await answer.text())[:200]}")
        await answer.read()


async def steady_load(url: str, rate: float, seconds: float) -> None:
    """Send predictions at a steady rate until all are answered."""
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector) as session:
        started, asked = time.monotonic(), []
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
            asked.append(asyncio.create_task(ask(session, url, QUESTION)))
        await asyncio.gather(*asked)


async def large_bodies(url: str) -> list[int]:
    """Send large predictions, several at once; gives the status of each answer, of which 429 and 504 are fair ones."""
    body = b'{"instances": [' + b",".join([b"[0.1,0.2]"] * LARGE_ROWS) + b"]}"

    async def status(session: aiohttp.ClientSession) -> int:
        async with session.post(f"{url}/v1/models/and_gate:predict", data=body) as answer:
            await answer.read()
            return answer.status

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        return sorted(await asyncio.gather(*(status(session) for _ in range(LARGE_AT_ONCE))))


def progress(what: str) -> None:
    """Tell a person what goes on; the figures alone go to standard output."""
    print(what, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Tier:
    """The pods of a tier, by name with their nodes."""

    name: str
    nodes: dict[str, str]

    def peak_mib(self) -> float:
        """Return the peak of the pod that had the highest."""
        return max(peak_mib(pod) for pod in self.nodes)


@dataclass(frozen=True, slots=True)
class Span:
    """What a tier used from one reading to another."""

    before: dict[str, Usage]
    after: dict[str, Usage]

    @property
    def millicores(self) -> float:
        """Of all pods together."""
        return round(1000 * cores(self.before, self.after), 1)

    @property
    def working_set_mib(self) -> float:
        """Of the pod with the largest, at the end."""
        return round(max(reading.working_set for reading in self.after.values()) / MIB, 1)


def watch(tiers: Sequence[Tier], seconds: float, work: Callable[[float], None]) -> list[Span]:
    """Read what tiers use while something goes on, which begins READING_S before and takes the seconds it is given."""
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work, READING_S + seconds)
        time.sleep(READING_S)
        before = [usage(tier.nodes) for tier in tiers]
        time.sleep(seconds)
        after = [usage(tier.nodes) for tier in tiers]
        working.result()
    return [Span(*pair) for pair in zip(before, after, strict=True)]


def measure(url: str, rate: float, seconds: float) -> dict[str, Any]:
    """Measure rest, load and large bodies, in this order."""
    tiers = [Tier(name, pods(name)) for name in TIERS]
    asyncio.run(steady_load(url, rate, 5))  # warm
    progress(f"At rest, {READING_S + seconds:.0f} s …")
    rests = watch(tiers, seconds, time.sleep)
    progress(f"{rate:g} predictions a second, {READING_S + seconds:.0f} s …")
    loads = watch(tiers, seconds, lambda whole: asyncio.run(steady_load(url, rate, whole)))
    peaks = [tier.peak_mib() for tier in tiers]
    progress(f"{LARGE_AT_ONCE} bodies of 8 MB at once …")
    statuses = asyncio.run(large_bodies(url))
    return {"rate": rate, "large_bodies_statuses": statuses} | {
        tier.name: {
            "pods": len(tier.nodes),
            "rest_millicores": rest.millicores,
            "load_millicores": load.millicores,
            "millicores_per_100_a_second": round((load.millicores - rest.millicores) * 100 / rate, 1),
            "rest_mib": rest.working_set_mib,
            "load_mib": load.working_set_mib,
            "load_peak_mib": peak,
            "large_bodies_peak_mib": tier.peak_mib(),
        }
        for tier, rest, load, peak in zip(tiers, rests, loads, peaks, strict=True)
    }


def main() -> int:
    """Measure and print; exit code 1 where the figures would be of something else."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="the gateway's address")
    parser.add_argument("--rate", type=float, default=100.0, help="predictions a second (default 100)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of rest and of load (default 60)")
    chosen = parser.parse_args()
    try:
        print(json.dumps(measure(chosen.url.rstrip("/"), chosen.rate, chosen.seconds), indent=2))
    except (MeasurementError, aiohttp.ClientError, TimeoutError) as error:
        progress(f"tidegate: {error!r}" if not str(error) else f"tidegate: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
