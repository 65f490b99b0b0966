"""The model servers scale on pending predictions, and move between the signals while they run."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.cluster.cluster import Cluster, wait_for
from tests.cluster.load import KeepAliveLoad, failures, summary
from tests.cluster.overlay import CONTAINER, ROOT, patch

AUTOSCALER = "tidegate-serving"
PENDING = "s0-metric-api-tidegate_serving_pending_predictions_average"
ALONE = {"TIDEGATE_MAX_BATCH_ROWS": "1"}
"""Predictions are not joined, so that a few clients suffice to keep a model server behind."""

SLOW = patch("Deployment", "tidegate-serving", ("add", f"{CONTAINER}/resources/limits/cpu", "500m"))
CPU_OUT_OF_REACH = patch(
    "HorizontalPodAutoscaler",
    AUTOSCALER,
    ("replace", "/spec/metrics/0/resource/target/averageUtilization", 10_000),
)
CLIENTS = 32
TARGET = "4"


@pytest.fixture
def keda(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, if it has KEDA; afterwards KEDA owns nothing in it, so that the next test can deploy the base."""
    cluster.need_keda()
    yield cluster
    cluster.kubectl("delete", "scaledobject", "--all", "--cascade=orphan")


def choose(cluster: Cluster, signal: str, target: str = TARGET) -> None:
    """Do as `make autoscaling` does."""
    done = cluster.run("k8s/autoscaling.sh", env={"SIGNAL": signal, "TARGET": target}, timeout_s=200)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def asked_by(autoscaler: dict[str, Any]) -> str:
    """Return the controller's words on which metric asked for the number of pods."""
    conditions = autoscaler["status"].get("conditions", ())
    return next((str(c["message"]) for c in conditions if c["type"] == "ScalingActive"), "")


@pytest.mark.cluster
def test_pending_predictions_raise_the_model_servers_and_their_absence_lowers_them(keda, figures):
    keda.deploy(keda.overlay(replicas={"serving": (1, 3)}, env=ALONE, patches=[SLOW, CPU_OUT_OF_REACH]))
    choose(keda, "inflight")
    first = set(keda.pods("serving"))
    assert len(first) == 1

    def raised() -> dict[str, Any] | None:
        autoscaler: dict[str, Any] = keda.get("hpa", AUTOSCALER)
        return autoscaler if autoscaler["status"]["desiredReplicas"] > 1 else None

    def new_ones_answer() -> set[str]:
        addresses = {pod["status"].get("podIP") for name, pod in keda.ready("serving").items() if name not in first}
        return addresses & {request.backend.rpartition(":")[0] for request in list(load.requests)}

    with KeepAliveLoad(keda.url, CLIENTS) as load:
        began = time.monotonic()
        autoscaler = wait_for("more model servers", raised, 90)
        figures["decided_s"] = round(time.monotonic() - began, 1)
        assert PENDING in asked_by(autoscaler)
        wait_for("an answer from a new model server", new_ones_answer, 90)
        figures["a_new_one_answered_s"] = round(time.monotonic() - began, 1)
    figures["load"] = summary(load.requests)
    assert not failures(load.requests), summary(load.requests)
    wait_for("one model server again", lambda: len(keda.pods("serving")) == 1, 120)


class Watch:
    """What kubectl's watch tells of an object between entering and leaving the context, one entry for each change."""

    def __init__(self, cluster: Cluster, kind: str, jsonpath: str) -> None:
        command = ["kubectl", "get", kind, "--watch", "--output-watch-events", "-o", f"jsonpath={jsonpath}{{'\\n'}}"]
        self._process = subprocess.Popen(command, cwd=ROOT, env=cluster.environment, stdout=subprocess.PIPE, text=True)
        self.seen: list[list[str]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            self.seen.extend(line.split() for line in lines)


def with_component(cluster: Cluster, base: Path) -> Path:
    """Write an overlay as the component's README shows it."""
    folder = base.with_name("inflight")
    (folder / "namespace").mkdir(parents=True)
    component = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", "namespace": cluster.namespace}
    (folder / "namespace" / "kustomization.yaml").write_text(json.dumps(component))
    overlay = {
        "resources": [f"../{base.name}"],
        "components": ["namespace", os.path.relpath(ROOT / "k8s/components/inflight-autoscaling", folder)],
    }
    (folder / "kustomization.yaml").write_text(json.dumps(overlay))
    return folder


def moves(cluster: Cluster, base: Path) -> Iterator[tuple[str, str]]:
    """Go into the component and out of it in each way that the docs tell; gives the way and the owner after it."""
    cluster.apply(with_component(cluster, base))
    yield "apply with the component", "ScaledObject"
    cluster.apply(base)
    yield "apply the base alone, which does not leave", "ScaledObject"
    cluster.kubectl("delete", "scaledobject", AUTOSCALER, "--cascade=orphan")
    cluster.apply(base)
    yield "delete KEDA's object, apply the base", ""
    choose(cluster, "inflight", "2")
    yield "make autoscaling SIGNAL=inflight", "ScaledObject"
    choose(cluster, "cpu")
    yield "make autoscaling SIGNAL=cpu", ""
    cluster.apply(base)
    yield "apply the base", ""


@pytest.mark.cluster_full
def test_moving_between_the_signals_under_load_loses_no_pod_no_request_and_keeps_the_one_autoscaler(keda, figures):
    most = 3
    base = keda.overlay("moves", replicas={"serving": (1, most)}, down_s=300, env=ALONE, patches=[SLOW])
    keda.deploy(base)
    with KeepAliveLoad(keda.url, CLIENTS) as load:
        wait_for("all model servers", lambda: len(keda.ready("serving")) == most, 180)
        before = keda.get("hpa", AUTOSCALER)["metadata"]["uid"]
        began = time.monotonic()
        with (
            Watch(keda, f"deployment/{AUTOSCALER}", "{.type} {.object.spec.replicas}") as replicas,
            Watch(keda, "hpa", "{.type} {.object.metadata.name} {.object.metadata.uid}") as autoscalers,
        ):
            for way, owner in moves(keda, base):
                wait_for(f"the autoscaler after: {way}", partial(_settled, keda, owner), 90)
                time.sleep(20)  # more than the controller's period: it decides with the new signal
        requests = load.since(began)
    figures["load"] = summary(requests)
    figures["replicas_seen"] = sorted({seen[1] for seen in replicas.seen})
    assert not failures(requests), summary(requests)
    assert len(requests) > 1000, summary(requests)
    assert {seen[1] for seen in replicas.seen} == {str(most)}, replicas.seen
    assert {seen[2] for seen in autoscalers.seen if seen[1] == AUTOSCALER} == {before}
    assert {seen[1] for seen in autoscalers.seen} <= {AUTOSCALER, "tidegate-web"}
    assert "DELETED" not in {seen[0] for seen in autoscalers.seen}


def _settled(cluster: Cluster, owner: str) -> bool:
    """Whether the autoscaler is owned so, asks what it then should, and has a figure of each."""
    autoscaler = cluster.get("hpa", AUTOSCALER)
    owners = "".join(reference["kind"] for reference in autoscaler["metadata"].get("ownerReferences", ()))
    wanted = ["External", "Resource"] if owner else ["Resource"]
    asked = [metric["type"] for metric in autoscaler["spec"]["metrics"]]
    known = [metric["type"] for metric in autoscaler["status"].get("currentMetrics") or () if metric["type"]]
    return owners == owner and asked == known == wanted
