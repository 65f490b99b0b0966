"""What pods use is the difference of a kubelet's counters, and no figure where one is missing."""

from time import monotonic_ns

import pytest

from tests.proof.live_api import ScriptedApi
from tidegate_proof.live.api import ApiError
from tidegate_proof.live.cpu import CpuMeter, totals

PATH = "/api/v1/nodes/one/proxy/metrics/resource"


def told(at_ms: int, **seconds: float) -> str:
    lines = [
        "# HELP container_cpu_usage_seconds_total Cumulative cpu time",
        "# TYPE container_cpu_usage_seconds_total counter",
        f'container_cpu_usage_seconds_total{{container="x",namespace="other",pod="a"}} 99 {at_ms}',
        f'container_memory_working_set_bytes{{container="x",namespace="ns",pod="a"}} 99 {at_ms}',
    ]
    lines += [
        f'container_cpu_usage_seconds_total{{container="{container}",namespace="ns",pod="{pod}"}} {used / 2} {at_ms}'
        for pod, used in seconds.items()
        for container in ("x", "y")
    ]
    return "\n".join(lines) + "\n"


def meter(*answers: str | Exception, pods: str = "a") -> CpuMeter:
    there = [{"metadata": {"name": name, "namespace": "ns"}, "spec": {"nodeName": "one"}} for name in pods]
    return CpuMeter(ScriptedApi({PATH: answers}), there)


async def cores(of: CpuMeter) -> float | None:
    now = monotonic_ns()
    return await of.cores(now, now + 1_000_000)


def test_containers_of_a_pod_are_added_up_with_the_time_of_the_count():
    assert totals(told(5000, a=3)) == {("other", "a"): (99, 5), ("ns", "a"): (3, 5)}
    assert totals('container_cpu_usage_seconds_total{container="x",namespace="ns",pod="a"} 1\n') == {}


async def test_the_use_is_by_the_nodes_clock_and_of_all_pods():
    found = await cores(meter(told(1000, a=3, b=1), told(5000, a=4, b=3), pods="ab"))
    assert found == pytest.approx((1 + 2) / 4)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (told(1000, a=3), ApiError(403, "nodes/proxy is forbidden")),
        (ApiError(403, "nodes/proxy is forbidden"), told(1000, a=3)),
        (told(1000, b=3), told(2000, a=3)),
        (told(1000, a=3), told(1000, a=3)),  # the count of before
        (told(1000, a=3), 'container_cpu_usage_seconds_total{container="x'),
    ],
    ids=["forbidden after", "forbidden before", "not there before", "not counted anew", "garbled"],
)
async def test_without_two_counts_there_is_no_figure(before, after):
    assert await cores(meter(before, after)) is None
