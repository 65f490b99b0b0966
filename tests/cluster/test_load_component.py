"""The component `loadtest` as its README has it: applied, started, looked at, taken out again."""

import json
import re
from typing import Any

import pytest

from tests.cluster.cluster import Cluster, wait_for
from tests.cluster.overlay import patch

pytestmark = pytest.mark.cluster

FOLDER = "k8s/components/loadtest"
MASTER, WORKERS = "deployment/tidegate-loadtest", "deployment/tidegate-loadtest-worker"
GATEWAYS = 2
RUN_S = 15
READY_S = 120


def stats(cluster: Cluster) -> dict[str, Any]:
    """What Locust's page is made of; empty while it does not answer."""
    path = f"/api/v1/namespaces/{cluster.namespace}/services/tidegate-loadtest:page/proxy/stats/requests"
    done = cluster.run("kubectl", "get", "--raw", path)
    return dict(json.loads(done.stdout)) if done.returncode == 0 else {}


def predictions(cluster: Cluster, pod: str) -> float:
    """How many predictions over the API a gateway has answered."""
    page = cluster.kubectl("get", "--raw", f"/api/v1/namespaces/{cluster.namespace}/pods/{pod}:8081/proxy/metrics")
    return sum(map(float, re.findall(r"^tidegate_requests_total\{.*:predict.*\} (\S+)$", page, re.MULTILINE)))


@pytest.fixture(scope="module")
def loaded(cluster: Cluster) -> dict[str, Any]:
    """Two gateways under the component's load for a while; what Locust's page says at the end."""
    run_time = patch("ConfigMap", "tidegate-loadtest", ("replace", "/data/run-time", f"{RUN_S}s"))
    bounds = {"web": (GATEWAYS, GATEWAYS)}
    cluster.apply(cluster.overlay(replicas=bounds, components=["loadtest"], patches=[run_time]))
    for deployment in ("deployment/tidegate-serving", "deployment/tidegate-web", MASTER, WORKERS):
        cluster.kubectl("rollout", "status", deployment, f"--timeout={READY_S}s", timeout_s=READY_S + 30)
    wait_for("the autoscaler's minimum of gateways", lambda: len(cluster.ready("web")) == GATEWAYS, READY_S)
    assert stats(cluster)["state"] == "ready", "nothing is sent before it is told to"
    cluster.kubectl("set", "env", MASTER, "LOCUST_AUTOSTART=true")
    cluster.kubectl("rollout", "status", MASTER, f"--timeout={READY_S}s", timeout_s=READY_S + 30)

    def ended() -> dict[str, Any] | None:
        found = stats(cluster)
        return found if found.get("state") == "stopped" else None

    return wait_for("the end of the load", ended, RUN_S + READY_S)


def test_the_load_is_answered_and_nothing_fails(loaded):
    total = next(row for row in loaded["stats"] if row["name"] == "Aggregated")
    assert total["num_requests"] > 0
    assert total["num_failures"] == 0, loaded["errors"]
    assert {"predict instances", "predict inputs", "form open", "form send"} < {row["name"] for row in loaded["stats"]}


@pytest.mark.usefixtures("loaded")
def test_both_workers_send_and_every_gateway_answers(cluster):
    workers = cluster.pods("loadtest-worker")
    assert len(workers) == 2
    joined = cluster.kubectl("logs", MASTER)
    assert all(f"{name}_" in joined for name in workers)
    gateways = cluster.ready("web")
    assert len(gateways) == GATEWAYS
    idle = [name for name in gateways if predictions(cluster, name) == 0]
    assert not idle, f"gateways that answered nothing: {idle}"


@pytest.mark.usefixtures("loaded")
def test_it_can_be_taken_out_and_leaves_the_rest(cluster):
    cluster.kubectl("delete", "-k", FOLDER, "--wait=false")
    left = (
        "get",
        "deployments,services,configmaps,pods",
        "-l",
        "app.kubernetes.io/component in (loadtest,loadtest-worker)",
    )
    wait_for("an empty place", lambda: not cluster.kubectl(*left, "-o", "name").strip(), READY_S)
    assert len(cluster.ready("web")) == GATEWAYS
