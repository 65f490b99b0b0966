"""A roll-out that will not come up is told from one that takes its time, and by its reason."""

from typing import Any

import pytest

from release.cluster import ClusterError
from release.diagnosis import REVISION, is_rolled_out, new_pods, restarts, trouble
from release.rollout import CLEAR_S, MENDED_S, Tier

Manifest = dict[str, Any]


def deployment(*conditions: Manifest, observed: int = 3, updated: int = 0) -> Manifest:
    return {
        "kind": "Deployment",
        "metadata": {"name": "tidegate-web", "uid": "d", "generation": 3, "annotations": {REVISION: "2"}},
        "spec": {"replicas": 1},
        "status": {
            "observedGeneration": observed,
            "replicas": 1,
            "updatedReplicas": updated,
            "availableReplicas": 1,
            "conditions": [{"type": "Available", "status": "True"}, *conditions],
        },
    }


def replica_set(revision: str, owner: str = "d") -> Manifest:
    owners = [{"uid": owner}]
    return {
        "kind": "ReplicaSet",
        "metadata": {"uid": f"{owner}{revision}", "annotations": {REVISION: revision}, "ownerReferences": owners},
    }


def pod(
    state: Manifest,
    name: str = "new",
    owner: str = "d2",
    again: int = 0,
    last: Manifest | None = None,
    conditions: tuple[Manifest, ...] = ({"type": "Ready", "status": "False"},),
) -> Manifest:
    container = {"image": "tidegate/web:9", "state": state, "restartCount": again, "lastState": last or {}}
    return {
        "kind": "Pod",
        "metadata": {"name": name, "ownerReferences": [{"uid": owner}]},
        "status": {"phase": "Pending", "containerStatuses": [container], "conditions": list(conditions)},
    }


def waiting(reason: str, message: str = "") -> Manifest:
    return {"waiting": {"reason": reason, "message": message}}


def ended(reason: str = "Error", code: int = 2) -> Manifest:
    return {"terminated": {"reason": reason, "exitCode": code}}


RUNNING: Manifest = {"running": {}}
READY = ({"type": "Ready", "status": "True"},)

CLEAR = {
    "an image that may not be pulled": (pod(waiting("ErrImageNeverPull")), "no image tidegate/web:9", "LOAD_IMAGE"),
    "an image that nobody has": (pod(waiting("ImagePullBackOff")), "ImagePullBackOff: its node", "REGISTRY"),
    "a Secret that is not there": (
        pod(waiting("CreateContainerConfigError", 'secret "x" not found')),
        'CreateContainerConfigError: secret "x" not found',
        "the same command again",
    ),
    "a crash loop": (pod(waiting("CrashLoopBackOff"), again=1, last=ended()), "(Error, exit code 2)", "last words"),
    "a third start": (pod(RUNNING, again=2, last=ended()), "ends again and again", "#a-container-ends"),
    "too little memory": (pod(RUNNING, again=2, last=ended("OOMKilled", 137)), "OOMKilled", "raise limits.memory"),
}

PATIENCE = {
    "a pod that starts": pod(waiting("ContainerCreating")),
    "a pod that is not ready yet": pod(RUNNING),
    "a pod that ended once": pod(RUNNING, again=1, last=ended()),
    "a pod that ended in the past and is ready": pod(RUNNING, again=7, last=ended(), conditions=READY),
    "a pod without a node": {**pod({}), "status": {"phase": "Pending"}},
}


@pytest.mark.parametrize(("new", "what", "todo"), CLEAR.values(), ids=CLEAR)
def test_what_waiting_will_not_mend_is_told_with_what_to_do(new, what, todo):
    found = trouble(deployment(), [new], {})
    assert found is not None
    assert (found.where, what in found.what, todo in found.todo) == ("pod/new", True, True), found


@pytest.mark.parametrize("new", PATIENCE.values(), ids=PATIENCE)
def test_what_takes_its_time_is_waited_for(new):
    assert trouble(deployment(), [new], {}) is None


def test_a_cluster_that_makes_no_pod_is_told_by_its_words():
    refused = {"type": "ReplicaFailure", "status": "True", "message": "violates PodSecurity"}
    found = trouble(deployment(refused), [], {})
    assert found is not None
    assert (found.where, found.what) == ("deployment/tidegate-web", "no pod is made: violates PodSecurity")


def test_ends_from_before_the_roll_out_do_not_count():
    crashing = pod(waiting("CrashLoopBackOff"), again=5, last=ended())
    assert trouble(deployment(), [crashing], {"new": restarts(crashing)}) is None
    assert trouble(deployment(), [crashing], {"new": 4}) is not None


def test_only_pods_of_the_newest_template_that_are_to_stay_are_looked_at():
    sets = [replica_set("1"), replica_set("2"), replica_set("2", owner="another")]
    leaving = pod(RUNNING, "leaving")
    leaving["metadata"]["deletionTimestamp"] = "now"
    pods = [pod(RUNNING, "old", owner="d1"), pod(RUNNING), leaving, pod(RUNNING, "other's", owner="another2")]
    assert [each["metadata"]["name"] for each in new_pods(deployment(), sets, pods)] == ["new"]
    assert new_pods(deployment(observed=2), sets, pods) == []


def test_a_roll_out_is_over_when_all_pods_are_new_and_available():
    assert is_rolled_out(deployment(updated=1))
    assert not is_rolled_out(deployment(updated=0))
    assert not is_rolled_out(deployment(updated=1, observed=2))


def look(tier: Tier, now: float, *pods: Manifest, said: list[str] | None = None, updated: int = 0) -> bool:
    """Whether the tier says that there is trouble."""
    objects = [deployment(updated=updated), replica_set("2"), *pods]
    return tier.look(objects, (said if said is not None else []).append, now) is not None


STUCK = pod(waiting("ImagePullBackOff"))


@pytest.mark.parametrize(("before", "patience_s"), [({}, CLEAR_S), ({"new": 0}, MENDED_S)])
def test_a_trouble_must_last_and_longer_where_the_overlay_may_have_mended_it(before, patience_s):
    tier = Tier("web", before)
    assert [look(tier, now, STUCK) for now in (0.0, patience_s - 1, patience_s)] == [False, False, True]


def test_a_trouble_that_goes_away_begins_anew():
    tier = Tier("web", {})
    assert not look(tier, 0.0, STUCK)
    assert not look(tier, 2.0, pod(RUNNING))
    assert not look(tier, 4.0, STUCK)
    assert look(tier, 4.0 + CLEAR_S, STUCK)


def test_progress_want_of_room_and_the_end_are_said_once():
    said: list[str] = []
    tier = Tier("web", {})
    reason = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "Insufficient cpu"}
    homeless = pod({}, conditions=(reason,))
    assert not any(look(tier, now, homeless, said=said) for now in (0.0, 60.0))
    assert not look(tier, 61.0, pod(RUNNING, conditions=READY), said=said, updated=1)
    assert said == [
        "tidegate-web: 0 of 1 new pods are ready …",
        "pod/new waits for room: Insufficient cpu",
        'deployment "tidegate-web" successfully rolled out',
    ]
    assert tier.done


def test_an_overlay_without_a_tier_is_told():
    with pytest.raises(ClusterError, match="there is no Deployment tidegate-web"):
        Tier("web", {}).look([], print, 0.0)
