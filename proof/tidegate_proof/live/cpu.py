"""How much processor time pods use, as the kubelets of their nodes count it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic_ns

from prometheus_client.parser import text_string_to_metric_families

from tidegate_proof.live.api import Api, ApiError, Object, UnreachableError

COUNTER = "container_cpu_usage_seconds_total"
NS = 1_000_000_000

Total = tuple[float, float]
"""Seconds of a processor so far, and the node's clock when they were counted."""


@dataclass(frozen=True, slots=True)
class CpuMeter:
    """Reads the counters of pods before and after.

    Attributes:
        api: Of the cluster; `nodes/proxy` has to be allowed, else there is no figure.
        pods: Objects as the API gives them, each on a node.
    """

    api: Api
    pods: Sequence[Object]

    async def cores(self, start_ns: int, end_ns: int) -> float | None:
        """Return the processors that all pods together used on average.

        Args:
            start_ns: Of `time.monotonic_ns()`; it is waited for.
            end_ns: The same.

        Returns:
            None where a kubelet does not tell of every one of them at both times.
        """
        await _until(start_ns)
        before = await self._totals()
        await _until(end_ns)
        after = await self._totals()
        used = 0.0
        for name in self._names():
            if name not in before or name not in after or after[name][1] <= before[name][1]:
                return None
            used += (after[name][0] - before[name][0]) / (after[name][1] - before[name][1])
        return used

    def _names(self) -> list[tuple[str, str]]:
        return [(pod["metadata"]["namespace"], pod["metadata"]["name"]) for pod in self.pods]

    async def _totals(self) -> dict[tuple[str, str], Total]:
        """Read what every pod has used since it started."""
        found: dict[tuple[str, str], Total] = {}
        for node in {pod["spec"]["nodeName"] for pod in self.pods}:
            try:
                text = await self.api.text(f"/api/v1/nodes/{node}/proxy/metrics/resource")
                found |= totals(text)
            except (ApiError, UnreachableError, ValueError):
                continue  # a figure less; the search needs none
        return found


def totals(text: str) -> dict[tuple[str, str], Total]:
    """Read a kubelet's resource metrics: by namespace and pod, all containers together.

    Raises:
        ValueError: They are not in Prometheus' text format.
    """
    ours = "".join(f"{line}\n" for line in text.splitlines() if line.startswith(f"{COUNTER}{{"))
    found: dict[tuple[str, str], Total] = {}
    for family in text_string_to_metric_families(ours):
        for sample in family.samples:
            if sample.timestamp is None:
                continue
            pod = (sample.labels["namespace"], sample.labels["pod"])
            seconds, _ = found.get(pod, (0.0, 0.0))
            found[pod] = (seconds + sample.value, float(sample.timestamp))
    return found


async def _until(moment_ns: int) -> None:
    await asyncio.sleep(max(0.0, (moment_ns - monotonic_ns()) / NS))
