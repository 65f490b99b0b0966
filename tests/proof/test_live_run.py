"""A measured run without a cluster: it ends whole, or partial with the reason, and its record says so."""

import asyncio
import errno
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.proof.failing_server import Asked, failing
from tests.proof.live_api import ScriptedApi, listed, pod, told
from tests.proof.records import plan as a_plan
from tidegate_proof.engine.payload import Payload
from tidegate_proof.live import observation, session, watch
from tidegate_proof.live.api import Object, UnreachableError
from tidegate_proof.live.conclusion import conclude, words
from tidegate_proof.live.console import Console
from tidegate_proof.live.deployment import Tidegate
from tidegate_proof.live.journal import Journal
from tidegate_proof.live.kubectl import Kubectl
from tidegate_proof.live.objects import AUTOSCALER, POD, WATCHED
from tidegate_proof.live.progress import Progress
from tidegate_proof.live.session import Stage, Trial, measure
from tidegate_proof.live.stop import Stop
from tidegate_proof.live.watch import Watch
from tidegate_proof.record.cluster import pod_seen
from tidegate_proof.record.folder import read_record
from tidegate_proof.record.lines import LineWriter
from tidegate_proof.record.plan import Plan
from tidegate_proof.report import render
from tidegate_proof.verdict.intended import counts_of, rates_of
from tidegate_proof.verdict.verify import Outcome, verify

GATEWAY, SERVER = "tidegate-web-1", "tidegate-serving-1"
PLAN = replace(a_plan(warm_up_s=1, duration_s=3, base=8, peak=30), knee=None)
NAMESPACE = PLAN.cluster.namespace


@dataclass
class Cluster(ScriptedApi):
    """An API whose one gateway tells how many it has answered."""

    answered: "count[int]" = field(default_factory=count)
    last: int = 0

    async def text(self, path: str) -> str:
        assert path.endswith(f"{GATEWAY}:8081/proxy/metrics")
        return f'tidegate_requests_total{{status="200"}} {self.last}\ntidegate_inflight_requests 0\n'

    async def answer(self, asked: Asked) -> None:
        self.last = next(self.answered) + 1
        route = f"Tidegate-Pod: {GATEWAY}\r\nTidegate-Backend: 10.0.0.2:8500\r\nTidegate-Seq: {self.last}\r\n"
        asked.answer(more=route.encode())


def cluster(**streams: list[list[bytes | Exception]]) -> Cluster:
    lists: dict[str, list[Object | str | Exception]] = {kind.path(NAMESPACE): [listed(version=1)] for kind in WATCHED}
    gateway, server = pod(GATEWAY), pod(SERVER, tier="serving", ip="10.0.0.2")
    lists[POD.path(NAMESPACE)] = [listed(gateway, server, version=1)]
    return Cluster(lists, {kind.path(NAMESPACE): streams.get(kind.name, []) for kind in WATCHED})


@asynccontextmanager
async def staged(api: Cluster) -> AsyncIterator[Stage]:
    async with failing(api.answer) as server:
        yield Stage(api, Tidegate(Kubectl("kubectl"), api, NAMESPACE), f"http://127.0.0.1:{server.port}")


def trial(plan: Plan = PLAN) -> Trial:
    return Trial(
        replace(plan, started=datetime.now(UTC).isoformat(timespec="seconds")),
        counts_of(plan, rates_of(plan)),
        [Payload(b"{}", lambda _: "")],
    )


def console() -> Console:
    return Console(Progress(io.StringIO(), "step"), Stop())


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(session, "STARTS_IN_S", 0.3)
    monkeypatch.setattr(watch, "AGAIN_S", 0.01)


async def test_a_run_that_comes_to_its_end_is_whole_and_verifies(tmp_path):
    short, own = replace(PLAN, thresholds=()), console()
    folder = tmp_path / "record"
    async with asyncio.timeout(30), staged(cluster()) as stage:
        assert await measure(stage, trial(short), folder, own) is None
    record = read_record(folder)
    assert record.partial is None
    assert record.gateway[0].t_ns < 0
    assert record.gateway[0].answered == 0
    assert record.gateway[-1].final
    assert record.gateway[-1].answered == len(record.requests)
    assert sum(event.type == "CLOCK" for event in record.cluster) >= 2
    verdict = conclude(folder)
    assert verdict.state == "complete"
    assert verdict.figures.total.lost == 0
    assert verify(folder, render).outcome in {Outcome.PASSED, Outcome.FAILED}, verify(folder, render).text


async def broken_off(folder: Path, own: Console, api: Cluster, after_s: float, reason: str) -> str | None:
    asyncio.get_running_loop().call_later(after_s, own.stop.request, reason)
    async with asyncio.timeout(20), staged(api) as stage:
        return await measure(stage, trial(), folder, own)


async def test_ctrl_c_leaves_a_partial_record_that_verify_calls_partial(tmp_path):
    folder, own = tmp_path / "record", console()
    assert await broken_off(folder, own, cluster(), 1.2, "interrupted (Ctrl-C)") == "interrupted (Ctrl-C)"
    verdict = conclude(folder)
    assert verdict.state == "partial"
    assert verdict.passed is None
    assert "PARTIAL: interrupted (Ctrl-C)" in words(verdict, control=False)
    found = verify(folder, render)
    assert found.outcome is Outcome.PARTIAL, found.text
    requests = read_record(folder).requests
    assert len(requests) == sum(counts_of(PLAN, rates_of(PLAN)))
    assert (requests.answered_ns >= 0).any()
    assert (requests.sent_ns < 0).any()


async def test_a_cluster_that_goes_leaves_a_partial_record_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(observation, "Watch", partial(Watch, patience_s=0.2))
    gone: list[bytes | Exception] = [UnreachableError("no route to host")]
    folder, own = tmp_path / "record", console()
    api = cluster(**{AUTOSCALER.name: [gone] * 10_000})
    async with asyncio.timeout(20), staged(api) as stage:
        reason = await measure(stage, trial(), folder, own)
    assert reason is not None
    assert "no route to host" in reason
    assert conclude(folder).reason == reason
    assert verify(folder, render).outcome is Outcome.PARTIAL
    assert any(event.type == "GAP" for event in read_record(folder).cluster)


async def test_a_full_disk_leaves_a_partial_record_with_the_reason(tmp_path, monkeypatch):
    folder, own = tmp_path / "record", console()
    lines = count()

    class OnAFullDisk(Journal):
        def _put(self, file: LineWriter[Any], item: object) -> None:
            if next(lines) > 7 and file is self._gateway:
                self._give_up(file, OSError(errno.ENOSPC, "No space left on device"))
            else:
                super()._put(file, item)

    monkeypatch.setattr(session, "Journal", OnAFullDisk)
    async with asyncio.timeout(20), staged(cluster()) as stage:
        reason = await measure(stage, trial(), folder, own)
    assert reason == "the record cannot be written: No space left on device"
    assert conclude(folder).state == "partial"
    assert verify(folder, render).outcome is Outcome.PARTIAL


async def test_what_the_watches_tell_while_load_goes_out_is_written_down_in_its_time(tmp_path):
    api = cluster(Pod=[[told("ADDED", pod("tidegate-serving-2", 5, tier="serving", ip="10.0.0.3"))]])
    folder, own = tmp_path / "record", console()
    await broken_off(folder, own, api, 1.2, "enough")
    events = [event for event in read_record(folder).cluster if event.kind == "Pod"]
    names = [seen.name for event in events if (seen := pod_seen(event))]
    assert names == [GATEWAY, SERVER, "tidegate-serving-2"]
    assert events[0].t_ns < 0
