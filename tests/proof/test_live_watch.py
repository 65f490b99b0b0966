"""Every change of the cluster is told once and in order, and where some may be missing that is said."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.proof.live_api import ScriptedApi, listed, pod, sample, told
from tidegate_proof.live import watch as module
from tidegate_proof.live.api import ApiError, Object, UnreachableError
from tidegate_proof.live.objects import (
    POD,
    is_ready,
    stuck,
    tier_of,
    trimmed,
    unknown_metrics,
)
from tidegate_proof.live.watch import ClusterGoneError, Watch

PATH = "/api/v1/namespaces/ns/pods"


@dataclass
class Notes:
    """Keeps what it is told."""

    changes: list[tuple[str, str, str]] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)

    def change(self, change: str, kind: str, found: Object) -> None:
        assert kind == "Pod"
        self.changes.append((change, found["metadata"]["name"], found["metadata"]["resourceVersion"]))

    def gap(self, kind: str, missing: str) -> None:
        assert kind == "Pod"
        self.gaps.append(missing)


class Seconds:
    """A clock that is ahead by so much at every look."""

    def __init__(self, step: float = 0.0) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(module, "AGAIN_S", 0.001)


async def followed(api: ScriptedApi, changes: int, gaps: int = 0) -> Notes:
    notes = Notes()
    watch = Watch(api, "ns", POD, notes, Seconds())
    await watch.begin()
    following = asyncio.create_task(watch.follow())
    try:
        async with asyncio.timeout(5):
            while len(notes.changes) < changes or len(notes.gaps) < gaps:
                await asyncio.sleep(0.001)
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
    return notes


async def test_what_is_there_and_what_changes_is_told_in_order():
    api = ScriptedApi(
        {PATH: [listed(pod("a"), version=5)]},
        {PATH: [[told("ADDED", pod("b", 6)), told("MODIFIED", pod("b", 7)), told("DELETED", pod("b", 8))]]},
    )
    notes = await followed(api, 4)
    assert notes.changes == [("ADDED", "a", "1"), ("ADDED", "b", "6"), ("MODIFIED", "b", "7"), ("DELETED", "b", "8")]
    assert not notes.gaps


async def test_a_watch_that_ends_goes_on_where_it_was_and_loses_nothing():
    bookmark = told("BOOKMARK", {"metadata": {"resourceVersion": "9"}})
    api = ScriptedApi(
        {PATH: [listed(version=5)]}, {PATH: [[told("ADDED", pod("a", 6)), bookmark], [told("ADDED", pod("b", 10))]]}
    )
    notes = await followed(api, 2)
    watched = [path for path in api.asked if "watch=1" in path]
    assert [path.rpartition("=")[2] for path in watched[:2]] == ["5", "9"]
    assert not notes.gaps


async def test_a_broken_watch_goes_on_where_it_was_and_says_that_times_are_late():
    api = ScriptedApi(
        {PATH: [listed(version=5)]},
        {PATH: [[told("ADDED", pod("a", 6)), UnreachableError("connection reset")], [told("ADDED", pod("b", 7))]]},
    )
    notes = await followed(api, 2, gaps=1)
    assert [name for _, name, _ in notes.changes] == ["a", "b"]
    assert len(notes.gaps) == 1
    assert "connection reset" in notes.gaps[0]


@pytest.mark.parametrize(
    "gone",
    [
        ApiError(410, "too old"),
        told("ERROR", {"code": 410, "message": "too old resource version"}),
    ],
)
async def test_a_watch_whose_place_is_forgotten_begins_anew_tells_the_differences_and_says_so(gone):
    before, after = [pod("stays"), pod("goes"), pod("changes", 2)], [pod("stays"), pod("changes", 8), pod("comes", 9)]
    api = ScriptedApi(
        {PATH: [listed(*before, version=5), listed(*after, version=9)]},
        {PATH: [[gone]]},
    )
    notes = await followed(api, 6, gaps=1)
    assert notes.changes[3:] == [("DELETED", "goes", "1"), ("MODIFIED", "changes", "8"), ("ADDED", "comes", "9")]
    assert len(notes.gaps) == 1


async def test_a_cluster_that_stays_away_ends_the_watch_with_its_words():
    api = ScriptedApi({PATH: [listed(version=5)]}, {PATH: [[UnreachableError("no route to host")]] * 100})
    notes = Notes()
    watch = Watch(api, "ns", POD, notes, Seconds(step=20))
    await watch.begin()
    with pytest.raises(ClusterGoneError, match="no route to host"):
        await asyncio.wait_for(watch.follow(), 5)
    assert len(notes.gaps) == 1


async def test_a_refusal_is_not_waited_out():
    api = ScriptedApi({PATH: [listed(version=5)]}, {PATH: [[ApiError(403, "forbidden")]]})
    watch = Watch(api, "ns", POD, Notes(), Seconds())
    await watch.begin()
    with pytest.raises(ApiError, match="forbidden"):
        await asyncio.wait_for(watch.follow(), 5)


def test_a_recorded_pod_keeps_what_bears_on_scaling_and_nothing_else():
    found = sample("pod")
    kept = trimmed("Pod", found)
    assert kept["metadata"]["name"] == found["metadata"]["name"]
    assert kept["metadata"]["uid"] == found["metadata"]["uid"]
    assert kept["status"]["conditions"] == found["status"]["conditions"]
    assert kept["status"]["podIP"] == found["status"]["podIP"]
    (container,) = kept["spec"]["containers"]
    assert container["resources"]["requests"]
    assert set(container) <= {"name", "image", "resources"}
    assert len(str(kept)) < len(str(found)) / 2
    assert is_ready(found)
    assert tier_of(found) == "web"


def test_recorded_autoscalers_slices_events_and_deployments_keep_their_state():
    assert trimmed("HorizontalPodAutoscaler", sample("hpa"))["status"]["desiredReplicas"] >= 1
    assert trimmed("EndpointSlice", sample("slice"))["endpoints"][0]["conditions"]["ready"] in {True, False}
    assert trimmed("Event", sample("event"))["reason"]
    assert set(trimmed("Deployment", sample("deployment"))["spec"]) == {"replicas"}


def test_an_autoscaler_without_a_figure_is_found_out_for_each_kind_of_metric():
    known = sample("hpa")
    assert unknown_metrics(known) == []
    assert unknown_metrics(sample("hpa-unknown")) == ["Resource cpu"]
    external: dict[str, Any] = {"type": "External", "external": {"metric": {"name": "s0-pending"}}}
    asked = known | {"spec": known["spec"] | {"metrics": [*known["spec"]["metrics"], external]}}
    assert unknown_metrics(asked) == ["External s0-pending"]
    empty = {"type": ""}  # what Kubernetes writes for a metric that it could not read
    status = known["status"] | {"currentMetrics": [*known["status"]["currentMetrics"], empty]}
    assert unknown_metrics(asked | {"status": status}) == ["External s0-pending"]
    figure = {"type": "External", "external": {"metric": {"name": "s0-pending"}, "current": {"averageValue": "2"}}}
    status = known["status"] | {"currentMetrics": [*known["status"]["currentMetrics"], figure]}
    assert unknown_metrics(asked | {"status": status}) == []


def test_a_pod_whose_image_is_missing_is_not_waited_for():
    waiting = {"reason": "ErrImageNeverPull", "message": "not present"}
    found = pod("a")
    found["status"]["containerStatuses"] = [{"state": {"waiting": waiting}}]
    assert "ErrImageNeverPull" in stuck(found)
    assert stuck(sample("pod")) == ""
