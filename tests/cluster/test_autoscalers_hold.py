"""What the autoscalers have raised stays: through another apply, and while their metrics are out of reach."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cluster.cluster import Cluster, wait_for
from tests.cluster.load import KeepAliveLoad, failures, summary
from tests.cluster.overlay import TIERS

pytestmark = pytest.mark.cluster_full

LEAST, MOST = 1, 3
CLIENTS = 32
PER_SECOND = 300
UP_S = 180
DOWN_S = 240
TOLD_S = 120
HOLD_S = 60
"""Four periods of the controller, and four times the window of the overlay."""

KEDA = ("keda", ("keda-operator", "keda-metrics-apiserver"))
METRICS_SERVER = ("kube-system", ("metrics-server",))


@pytest.fixture(scope="module")
def deployed(cluster: Cluster) -> Cluster:
    cluster.deploy(cluster.overlay(replicas=dict.fromkeys(TIERS, (LEAST, MOST))))
    return cluster


@contextmanager
def outage(cluster: Cluster, namespace: str, deployments: tuple[str, ...]) -> Iterator[None]:
    """Take something that all share out of service for a while."""
    for name in deployments:
        if cluster.run("kubectl", "-n", namespace, "get", "deployment", name).returncode:
            pytest.skip(f"the cluster has no deployment {name} in the namespace {namespace}")
    try:
        for name in deployments:
            cluster.kubectl("-n", namespace, "scale", "deployment", name, "--replicas=0")
        yield
    finally:
        for name in deployments:
            cluster.kubectl("-n", namespace, "scale", "deployment", name, "--replicas=1")
        for name in deployments:
            cluster.kubectl("-n", namespace, "rollout", "status", "deployment", name, timeout_s=TOLD_S)


def replicas(cluster: Cluster) -> dict[str, int]:
    return {tier: cluster.get("deployment", f"tidegate-{tier}")["spec"]["replicas"] for tier in TIERS}


def scaled_up(cluster: Cluster) -> bool:
    return all(len(cluster.ready(tier)) == MOST for tier in TIERS)


def small(cluster: Cluster) -> bool:
    return all(len(cluster.pods(tier)) == LEAST for tier in TIERS)


def why_not_active(cluster: Cluster, tier: str) -> str:
    """Return why an autoscaler does not scale; empty where it does."""
    conditions = cluster.get("hpa", f"tidegate-{tier}")["status"].get("conditions", ())
    return next((str(c["reason"]) for c in conditions if c["type"] == "ScalingActive" and c["status"] != "True"), "")


def test_applying_again_while_scaled_changes_no_replica(deployed, figures):
    cluster: Cluster = deployed
    with KeepAliveLoad(cluster.url, CLIENTS, PER_SECOND) as load:
        wait_for("both tiers at their most", lambda: scaled_up(cluster), UP_S)
        before = {tier: set(cluster.pods(tier)) for tier in TIERS}
        cluster.apply(cluster.folder / "overlay")
        ends = time.monotonic() + HOLD_S
        while time.monotonic() < ends:
            assert replicas(cluster) == dict.fromkeys(TIERS, MOST)
            assert {tier: set(cluster.pods(tier)) for tier in TIERS} == before
            time.sleep(1)
    figures["load"] = summary(load.requests)
    assert not failures(load.requests), figures


def test_without_metrics_server_the_pods_stay_the_service_answers_and_kubectl_says_why(deployed, figures):
    cluster: Cluster = deployed
    with KeepAliveLoad(cluster.url, CLIENTS, PER_SECOND) as load:
        wait_for("both tiers at their most", lambda: scaled_up(cluster), UP_S)
        with outage(cluster, *METRICS_SERVER):

            def both_tell() -> bool:
                return {why_not_active(cluster, tier) for tier in TIERS} == {"FailedGetResourceMetric"}

            began = time.monotonic()
            wait_for("both autoscalers to say that they have no metric", both_tell, TOLD_S)
            figures["told_after_s"] = round(time.monotonic() - began, 1)
            assert cluster.kubectl("get", "hpa").count("<unknown>") == len(TIERS)
            load.per_second = 1  # from here on the autoscalers would take pods away, if they knew
            time.sleep(HOLD_S)
            assert replicas(cluster) == dict.fromkeys(TIERS, MOST)
        began = time.monotonic()
        wait_for("both autoscalers to scale again", lambda: small(cluster), DOWN_S)
        figures["small_again_s"] = round(time.monotonic() - began, 1)
    figures["load"] = summary(load.requests)
    assert not failures(load.requests), figures


def test_without_keda_cpu_still_adds_model_servers_and_none_is_taken_away(deployed, figures):
    cluster: Cluster = deployed
    cluster.need_keda()
    done = cluster.run("k8s/autoscaling.sh", env={"SIGNAL": "inflight", "TARGET": "1000"}, timeout_s=200)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    wait_for("one pod of each tier", lambda: small(cluster), DOWN_S)

    def serving(pods: int) -> bool:
        return len(cluster.ready("serving")) == pods

    with outage(cluster, *KEDA):
        with KeepAliveLoad(cluster.url, CLIENTS, PER_SECOND) as load:
            began = time.monotonic()
            wait_for("CPU to raise the model servers to their most", lambda: serving(MOST), UP_S)
            figures["raised_by_cpu_s"] = round(time.monotonic() - began, 1)
        told = wait_for("the autoscaler to say why", lambda: why_not_active(cluster, "serving"), TOLD_S)
        assert told == "FailedGetExternalMetric"
        time.sleep(HOLD_S)
        assert replicas(cluster)["serving"] == MOST
    began = time.monotonic()
    wait_for("one model server again", lambda: len(cluster.pods("serving")) == LEAST, DOWN_S)
    figures["small_again_s"] = round(time.monotonic() - began, 1)
    figures["load"] = summary(load.requests)
    assert not failures(load.requests), figures
