"""Releases under load, by the commands that a user types: no request fails, and every answer names its version.

They build images, which needs docker and a way to hand them over: kind, minikube, or LOAD_IMAGE.
"""

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from release.checkout import Checkout
from tests.cluster.cluster import ROOT, Cluster, wait_for
from tests.cluster.load import KeepAliveLoad, Request, failures, summary
from tests.tools import lacking

pytestmark = [pytest.mark.cluster_full, pytest.mark.usefixtures("loading", "served")]

COMMAND_S = 600
SOME_S = 5.0
"""Of load before and after a command, to see what it changed."""

TOLD_S = 60
"""Longest until a roll-out's trouble is told: 11 to 13 s on two cores, the rest is for slow machines. WAIT_S is 300."""

PODS = {"web": (2, 2), "serving": (2, 2)}
WEB = f"tidegate/web:{Checkout(ROOT).version('web')}"


@pytest.fixture(scope="module")
def loading(cluster: Cluster) -> None:
    """A way for images into the cluster."""
    context = cluster.kubectl("config", "current-context").strip()
    missing = [] if shutil.which("docker") else ["docker"]
    if not os.environ.get("LOAD_IMAGE") and not context.startswith(("kind-", "minikube")):
        missing.append("LOAD_IMAGE")
    if missing:
        lacking(f"images cannot be loaded: no {', '.join(missing)}")


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions 2 and 3 of the AND gate, of which 3 cannot be loaded."""
    folder = tmp_path_factory.mktemp("versions")
    command = [sys.executable, "-m", "tidegate_serving.train", "and_gate", "--to", str(folder), "--version", "2"]
    subprocess.run(command, check=True)
    broken = shutil.copytree(folder / "and_gate/2", folder / "and_gate/3")
    (broken / "saved_model.pb").write_bytes(b"not a graph")
    return folder / "and_gate"


@pytest.fixture(scope="module")
def served(cluster: Cluster) -> None:
    """Two gateways and two model servers with the examples."""
    cluster.deploy(cluster.overlay(replicas=PODS))


def make(cluster: Cluster, verb: str, **variables: str) -> str:
    """Run what `make VERB` runs."""
    script = ["k8s/deploy.sh"] if verb == "deploy" else ["k8s/release.sh", verb]
    done = cluster.run(*script, env={"SKIP_BUILD": "1", **variables}, timeout_s=COMMAND_S)
    assert done.returncode == 0, f"{verb} {variables}: {done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def load(cluster: Cluster) -> Iterator[KeepAliveLoad]:
    """Clients that must not see a request fail, before, during or after what is done meanwhile."""
    with KeepAliveLoad(cluster.url, clients=8, per_second=60) as clients:
        time.sleep(SOME_S)
        yield clients
        time.sleep(SOME_S)
    assert len(clients.requests) > 2 * SOME_S * 60 * 0.8
    assert not failures(clients.requests), summary(clients.requests)
    assert all(request.version for request in clients.requests)


def by_version(requests: Sequence[Request]) -> dict[str, int]:
    return dict(Counter(request.version for request in requests))


def test_a_new_model_version_answers_nobody_who_does_not_ask_for_it(cluster, versions):
    with load(cluster) as clients:
        said = make(cluster, "release", NAME="and_gate", MODEL=str(versions / "2"))
    assert by_version(clients.requests).keys() == {"1"}
    assert "and_gate: stable 1 (100 %)  canary 2 (0 %)" in said


def test_a_canary_gets_its_share_of_the_clients_within_seconds(cluster):
    make(cluster, "canary", NAME="and_gate", PERCENT="0")  # the model servers from before have left
    with load(cluster) as clients:
        began = time.monotonic()
        make(cluster, "canary", NAME="and_gate", PERCENT="25")
        took_s = time.monotonic() - began
        live = time.monotonic()
        time.sleep(20)
    shares = by_version(clients.since(live))
    assert 0.15 < shares["2"] / sum(shares.values()) < 0.35
    assert took_s < 40


def test_promotion_compares_then_moves_every_client_and_none_comes_back(cluster):
    with load(cluster) as clients:
        said = make(cluster, "promote", NAME="and_gate")
    assert "and_gate: stable 2 (100 %)" in said
    last_old = max(request.sent for request in clients.requests if request.version == "1")
    assert by_version(clients.since(last_old + 5)).keys() == {"2"}
    assert max(request.answered for request in clients.requests) - last_old > 15  # while the labels were rolled out


def test_a_model_is_rolled_back_at_once_and_the_gateway_not_with_it(cluster):
    pods = cluster.pods("web").keys()
    with load(cluster) as clients:
        began = time.monotonic()
        make(cluster, "rollback", NAME="and_gate")
    new = [request.sent for request in clients.requests if request.version == "2"]
    assert max(new) - began < 30
    assert by_version(clients.since(max(new) + 5)).keys() == {"1"}
    assert cluster.pods("web").keys() == pods


def test_a_version_that_does_not_load_leaves_the_old_one_serving_and_is_told_why(cluster, versions):
    with load(cluster) as clients:
        done = cluster.run(
            "k8s/release.sh",
            "release",
            env={"NAME": "and_gate", "MODEL": str(versions / "3"), "SKIP_TRIAL": "1", "WAIT_S": "90"},
            timeout_s=COMMAND_S,
        )
        assert done.returncode == 1
        assert "Version 1 of and_gate keeps serving" in done.stderr
        assert "and_gate/3" in done.stdout + done.stderr
        make(cluster, "rollback", NAME="and_gate")
    assert by_version(clients.requests).keys() == {"1"}


def test_a_new_gateway_takes_over_and_goes_back_with_the_model_as_it_was(cluster):
    again = f"{WEB}-again"
    serving = cluster.pods("serving").keys()
    assert cluster.run("docker", "tag", WEB, again).returncode == 0
    tag = again.partition(":")[2]
    with load(cluster):
        make(cluster, "deploy", WEB_VERSION=tag)
        assert images(cluster) == {again}
        make(cluster, "rollback", TIER="web")
        assert images(cluster) == {WEB}
        make(cluster, "rollback", TIER="web", TO=tag)
        assert images(cluster) == {again}
    assert cluster.pods("serving").keys() == serving


def test_kubernetes_own_undo_brings_back_what_was_served_before(cluster, versions):
    before = configuration(cluster)
    with load(cluster) as clients:
        make(cluster, "release", NAME="and_gate", MODEL=str(versions / "2"))
        assert configuration(cluster) != before
        cluster.kubectl("rollout", "undo", "deployment/tidegate-serving")
        cluster.kubectl("rollout", "status", "deployment/tidegate-serving", "--timeout=180s", timeout_s=200)
    assert configuration(cluster) == before
    assert by_version(clients.requests).keys() == {"1"}


def test_a_model_of_ones_own_is_deployed_by_one_command(cluster, versions):
    make(cluster, "deploy", MODEL=str(versions / "2"), NAME="mine", VERSION="1")

    def answers() -> str | None:
        asked = ["curl", "-s", "-d", '{"instances": [[1, 1]]}', f"{cluster.url}/v1/models/mine:predict"]
        answer = cluster.run(*asked).stdout
        return answer if '"predictions"' in answer else None

    assert wait_for("an answer of one's own model", answers, 30)
    assert "mine" in cluster.run("curl", "-s", f"{cluster.url}/").stdout


def test_a_gateway_that_does_not_come_up_is_told_within_seconds_while_the_old_ones_answer(cluster):
    """Of an image that nobody has, then of a container that ends at once."""
    crashing = cluster.overlay("crashing", replicas=PODS, env={"TIDEGATE_MAX_INFLIGHT": "many"})
    with load(cluster):
        done, took_s = deploy_in_vain(cluster, WEB_VERSION="nowhere")
        assert "its node has no image tidegate/web:nowhere" in done.stderr
        assert "make rollback TIER=web" in done.stderr
        assert took_s < TOLD_S
        make(cluster, "rollback", TIER="web")
        done, took_s = deploy_in_vain(cluster, OVERLAY=str(crashing))
        assert "its container ends again and again (Error, exit code 2)" in done.stderr
        assert "TIDEGATE_MAX_INFLIGHT: expected a whole number, came 'many'" in done.stdout
        assert took_s < TOLD_S
        make(cluster, "deploy", OVERLAY=str(cluster.folder / "overlay"))


def test_undeploying_leaves_nothing_whatever_the_model_servers_scale_on(cluster):
    kinds = "deployments,replicasets,services,configmaps,hpa,pdb,serviceaccounts,roles,rolebindings"
    if cluster.has_keda():
        assert cluster.run("k8s/autoscaling.sh", env={"SIGNAL": "inflight"}, timeout_s=200).returncode == 0
        kinds += ",scaledobjects"
    done = cluster.run("k8s/undeploy.sh", timeout_s=200)
    assert done.returncode == 0, done.stderr
    left = ("get", kinds, "-l", "app.kubernetes.io/part-of=tidegate", "-o", "name")
    wait_for("an empty namespace", lambda: not cluster.kubectl(*left).strip(), 60)
    time.sleep(SOME_S)  # KEDA would write its autoscaler again within a second
    assert not cluster.kubectl(*left).strip()


def deploy_in_vain(cluster: Cluster, **variables: str) -> "tuple[subprocess.CompletedProcess[str], float]":
    """Deploy what cannot come up; gives what was said, and the seconds until then."""
    began = time.monotonic()
    done = cluster.run("k8s/deploy.sh", env={"SKIP_BUILD": "1", **variables}, timeout_s=COMMAND_S)
    assert done.returncode == 1, done.stdout
    return done, time.monotonic() - began


def configuration(cluster: Cluster) -> str:
    """Name of the ConfigMap with what is served."""
    path = "jsonpath={.spec.template.spec.volumes[?(@.name=='config')].configMap.name}"
    return cluster.kubectl("get", "deployment", "tidegate-serving", "-o", path)


def images(cluster: Cluster) -> set[str]:
    return {pod["spec"]["containers"][0]["image"] for pod in cluster.pods("web").values()}
