"""A model version that cannot be loaded is rolled out: the old one goes on answering, and the roll-out says why."""

import json
import time
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster, wait_for
from tests.cluster.load import KeepAliveLoad, failures, longest_pause_s, summary
from tests.cluster.overlay import CONTAINER, patch

pytestmark = pytest.mark.cluster_full

PODS = 2
CLIENTS = 16
PER_SECOND = 100
DEADLINE_S = 45
"""Kubernetes' own is ten minutes; a model server of this size is there within twenty seconds."""

TRUNCATED = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "truncated"}} | {
    "binaryData": {"saved_model.pb": "CAESBwoFc2VydmU="}
}
MODELS = """
model_config_list {
  config {
    name: "and_gate"
    base_path: "/models/and_gate"
    model_platform: "tensorflow"
    model_version_policy { specific { versions: 2 } }
  }
}
"""


def bad(cluster: Cluster, replicas: dict[str, tuple[int, int]]) -> Path:
    """Write an overlay that serves version 2 alone, of which only the first bytes of the graph are there."""
    volume = {"name": "truncated", "configMap": {"name": "truncated"}}
    mount = {"name": "truncated", "mountPath": "/models/and_gate/2"}
    return cluster.overlay(
        "bad",
        replicas=replicas,
        patches=[
            patch("ConfigMap", "tidegate-models", ("replace", "/data/models.config", MODELS)),
            patch(
                "Deployment",
                "tidegate-serving",
                ("add", "/spec/progressDeadlineSeconds", DEADLINE_S),
                ("add", "/spec/template/spec/volumes/-", volume),
                ("add", f"{CONTAINER}/volumeMounts/-", mount),
            ),
        ],
    )


def reasons(log: str) -> list[str]:
    """Return what a model server says that it waits for."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return sorted({reason for line in lines for reason in line.get("missing", ())})


def test_a_bad_version_is_not_served_and_says_why_while_the_old_one_fails_no_request(cluster: Cluster, figures):
    replicas = {"serving": (PODS, PODS)}
    good = cluster.overlay("good", replicas=replicas)
    cluster.deploy(good)
    wait_for("the model servers", lambda: len(cluster.ready("serving")) == PODS, 120)
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(TRUNCATED))
    old = set(cluster.pods("serving"))
    with KeepAliveLoad(cluster.url, CLIENTS, PER_SECOND) as load:
        cluster.apply(bad(cluster, replicas))
        began = time.monotonic()
        rolled = cluster.run("kubectl", "rollout", "status", "deployment/tidegate-serving", timeout_s=4 * DEADLINE_S)
        figures["refused_after_s"] = round(time.monotonic() - began, 1)
        assert rolled.returncode != 0
        assert "exceeded its progress deadline" in rolled.stderr
        (new,) = set(cluster.pods("serving")) - old
        figures["said"] = said = reasons(cluster.kubectl("logs", new))
        assert any("and_gate/2" in reason for reason in said), said
        assert "Startup probe failed" in cluster.kubectl("describe", "pod", new)
        assert old <= set(cluster.ready("serving"))

        cluster.apply(good)
        cluster.kubectl("rollout", "status", "deployment/tidegate-serving", timeout_s=120)
        wait_for("the bad pod to go", lambda: set(cluster.pods("serving", leaving=True)) == old, 60)
    figures["load"] = summary(load.requests) | {"longest_pause_s": round(longest_pause_s(load.requests), 3)}
    assert not failures(load.requests), figures
    assert {request.version for request in load.requests} == {"1"}
