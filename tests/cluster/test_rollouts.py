"""Pods are replaced and killed under load, and no request fails."""

import time
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster, backend, wait_for
from tests.cluster.kill import kill_9
from tests.cluster.load import KeepAliveLoad, failures, longest_pause_s, summary
from tests.cluster.overlay import REQUESTS, TIERS

pytestmark = pytest.mark.cluster

PODS = 2
CLIENTS = 16
PER_SECOND = 150
BEFORE_S = 5
AFTER_S = 5
ROLLED_S = 240
GONE_S = 60
LONGEST_PAUSE_S = 1.0


@pytest.fixture(scope="module")
def deployed(cluster: Cluster) -> Cluster:
    cluster.deploy(sized(cluster, "base"))
    return cluster


def sized(cluster: Cluster, name: str, changed: dict[str, str] | None = None) -> Path:
    return cluster.overlay(name, replicas=dict.fromkeys(TIERS, (PODS, PODS)), requests=REQUESTS | (changed or {}))


@pytest.mark.parametrize("tier", TIERS)
def test_a_rolling_update_fails_no_request_and_old_pods_answer_until_new_ones_do(deployed, tier):
    cluster: Cluster = deployed
    old_pods, old = set(cluster.pods(tier)), cluster.answerers(tier)
    with KeepAliveLoad(cluster.url, CLIENTS, PER_SECOND) as load:
        time.sleep(BEFORE_S)
        cluster.apply(sized(cluster, "changed", {tier: "60m"}))
        cluster.kubectl("rollout", "status", f"deployment/tidegate-{tier}", timeout_s=ROLLED_S)
        wait_for("the old pods to go", lambda: not old_pods & set(cluster.pods(tier, leaving=True)), GONE_S)
        gone = time.monotonic()
        time.sleep(AFTER_S)
        new = cluster.answerers(tier)
    assert not failures(load.requests), summary(load.requests)
    assert longest_pause_s(load.requests) < LONGEST_PAUSE_S
    first_new = min(request.answered for request in load.requests if request.answerer(tier) in new)
    last_old = max(request.answered for request in load.requests if request.answerer(tier) in old)
    assert first_new < last_old < gone
    assert {request.answerer(tier) for request in load.since(gone)} == new


def test_a_model_server_killed_with_9_costs_no_request(deployed):
    cluster: Cluster = deployed
    victim = next(iter(cluster.ready("serving")))
    address = backend(cluster.pods("serving")[victim])

    def dead() -> bool:
        (container,) = cluster.get("pod", victim)["status"]["containerStatuses"]
        return bool(container["restartCount"]) and container["lastState"]["terminated"]["exitCode"] == 137

    with KeepAliveLoad(cluster.url, CLIENTS, PER_SECOND) as load:
        time.sleep(BEFORE_S)
        kill_9(cluster, victim)
        wait_for(f"{victim} to be started anew after SIGKILL", dead, GONE_S)
        killed = time.monotonic()

        def back() -> bool:
            return any(request.backend == address for request in load.since(killed))

        wait_for(f"{victim} to answer again", back, ROLLED_S)
    assert not failures(load.requests), summary(load.requests)
    assert longest_pause_s(load.requests) < LONGEST_PAUSE_S
