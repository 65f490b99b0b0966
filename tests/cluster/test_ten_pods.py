"""Ten pods of each tier serve; nine of each go at once under load, and every request is found again on both ends."""

import json
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Cluster, wait_for
from tests.cluster.load import KeepAliveLoad, failures, longest_pause_s, summary
from tests.cluster.overlay import ROOT, TIERS
from tests.cluster.reconciliation import reconcile

pytestmark = pytest.mark.cluster_full

TEN = 10
REQUESTS = {"web": "10m", "serving": "20m"}
CLIENTS = 40
PER_SECOND = 400
"""What one pod of each tier can do alone on a machine of two CPUs that also runs the clients."""

BEFORE = 85_000
IN_ALL = 100_000
START_S = 300
GONE_S = 120
ENOUGH_S = 600


@pytest.fixture(scope="module")
def ten(cluster: Cluster) -> Cluster:
    cluster.deploy(sized(cluster, TEN))
    return cluster


def sized(cluster: Cluster, pods: int) -> Path:
    return cluster.overlay(
        f"pods-{pods}",
        replicas=dict.fromkeys(TIERS, (pods, pods)),
        requests=REQUESTS,
        env={"TIDEGATE_ACCESS_LOG_SHARE": "1"},
    )


@contextmanager
def followed_logs(cluster: Cluster, pods: Iterable[str]) -> Iterator[Path]:
    """Write each pod's log into a folder, from its start to its end; on leaving, the pods are to end soon."""
    folder = cluster.folder / "logs"
    folder.mkdir()
    with ExitStack() as followers:
        started = []
        for pod in pods:
            file = followers.enter_context((folder / pod).open("w"))
            command = ["kubectl", "logs", "--follow", pod]
            follower = subprocess.Popen(command, cwd=ROOT, env=cluster.environment, stdout=file)
            started.append(followers.enter_context(follower))
            followers.callback(follower.terminate)  # where the test has failed the pods go on
        yield folder
        for follower in started:
            follower.wait(GONE_S)


def told(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return each pod's log lines."""
    return {file.name: [json.loads(line) for line in file.read_text().splitlines()] for file in folder.iterdir()}


def test_ten_pods_of_each_tier_are_ready_and_each_answers(ten, figures):
    wait_for("ten Ready pods of each tier", lambda: all(len(ten.ready(tier)) == TEN for tier in TIERS), START_S)
    with KeepAliveLoad(ten.url, CLIENTS, PER_SECOND) as load:

        def each_answered() -> bool:
            requests = list(load.requests)
            return all({request.answerer(tier) for request in requests} == ten.answerers(tier) for tier in TIERS)

        wait_for("an answer of each pod", each_answered, GONE_S)
    figures["load"] = summary(load.requests)
    assert not failures(load.requests), figures


def test_nine_of_ten_pods_of_each_tier_go_under_load_and_no_request_is_lost(ten, figures):
    ten.kubectl("rollout", "restart", "deployment/tidegate-web")  # numbers and logs from the start
    ten.kubectl("rollout", "status", "deployment/tidegate-web", timeout_s=START_S)
    wait_for("the gateways from before to go", lambda: len(ten.pods("web", leaving=True)) == TEN, GONE_S)

    def alone() -> bool:
        return all(len(ten.pods(tier, leaving=True)) == 1 for tier in TIERS)

    with followed_logs(ten, ten.pods("web")) as folder:
        with KeepAliveLoad(ten.url, CLIENTS, PER_SECOND) as load:
            wait_for(f"{BEFORE} requests", lambda: len(load.requests) >= BEFORE, ENOUGH_S)
            ten.apply(sized(ten, 1))
            began = time.monotonic()
            wait_for("one pod of each tier", alone, GONE_S)
            figures["ten_to_one_s"] = round(time.monotonic() - began, 1)
            wait_for(f"{IN_ALL} requests", lambda: len(load.requests) >= IN_ALL, ENOUGH_S)
        ten.kubectl("delete", "deployment", "tidegate-web")  # so that the last gateway tells its total too
    figures["load"] = summary(load.requests) | {"longest_pause_s": round(longest_pause_s(load.requests), 3)}
    assert not failures(load.requests), figures
    lines = told(folder)
    assert len(lines) == TEN
    figures["answers_by_gateway"] = reconcile(load.requests, lines)
