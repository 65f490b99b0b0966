"""The main job on a real cluster: deployed, answered, loaded, scaled, and every new pod put to work."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parents[2]
LOCUST = str(Path(sys.executable).with_name("locust"))
TIERS = ("web", "serving")
LOAD_S = 180
USERS = 40
"""Each keeps a connection: enough for every gateway to get some when they are renewed."""

ANSWERED = {
    "web": (8081, "metrics", re.compile(r"^tidegate_requests_total\{[^}]*status=\"200\"[^}]*\} (\S+)", re.MULTILINE)),
    "serving": (
        8501,
        "monitoring/prometheus/metrics",
        re.compile(r"^:tensorflow:serving:request_count\{[^}]*status=\"success\"[^}]*\} (\S+)", re.MULTILINE),
    ),
}
"""Where a pod of each tier counts what it answered."""

GetJson = Callable[..., Any]
Pods = dict[str, dict[str, Any]]


def pods_of(get_json: GetJson, tier: str) -> Pods:
    selector = f"app.kubernetes.io/name=tidegate,app.kubernetes.io/component={tier}"
    return {
        pod["metadata"]["name"]: pod
        for pod in get_json("pods", "-l", selector)["items"]
        if "deletionTimestamp" not in pod["metadata"]
    }


def is_ready(pod: dict[str, Any]) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", ()))


def answered(kubectl: Callable[..., str], tier: str, pod: str) -> float:
    """How many requests a pod says that it answered."""
    port, path, pattern = ANSWERED[tier]
    namespace = json.loads(kubectl("get", "pod", pod, "-o", "json"))["metadata"]["namespace"]
    text = kubectl("get", "--raw", f"/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy/{path}")
    return sum(float(count) for count in pattern.findall(text))


@dataclass
class Life:
    """A new pod, in seconds since the load began; None for what has not happened."""

    created: float
    ready: float | None = None
    answered: float | None = None


class Observation:
    """What happens to each tier from now on."""

    def __init__(self, kubectl: Callable[..., str], get_json: GetJson) -> None:
        self._kubectl = kubectl
        self._get_json = get_json
        self._began = time.time()
        self.before = {tier: set(pods_of(get_json, tier)) for tier in TIERS}
        self.decided: dict[str, float] = {}
        self.new: dict[str, dict[str, Life]] = {tier: {} for tier in TIERS}

    def look(self) -> None:
        """Look once, and note what is there for the first time."""
        for tier in TIERS:
            status = self._get_json("hpa", f"tidegate-{tier}")["status"]
            if status["desiredReplicas"] > len(self.before[tier]):
                self.decided.setdefault(tier, self._since(time.time()))
            for name, pod in pods_of(self._get_json, tier).items():
                if name not in self.before[tier]:
                    self._look_at(tier, name, pod)

    def _look_at(self, tier: str, name: str, pod: dict[str, Any]) -> None:
        created = datetime.fromisoformat(pod["metadata"]["creationTimestamp"]).timestamp()
        life = self.new[tier].setdefault(name, Life(self._since(created)))
        if life.ready is None and is_ready(pod):
            life.ready = self._since(time.time())
        if life.ready is not None and life.answered is None and answered(self._kubectl, tier, name):
            life.answered = self._since(time.time())

    def _since(self, at: float) -> float:
        return round(at - self._began, 1)

    def record(self) -> dict[str, Any]:
        """The figures: when it was decided, and the life of every new pod."""
        return {
            tier: {
                "pods_before": len(self.before[tier]),
                "decided_s": self.decided.get(tier),
                "new_pods_s": {name: asdict(life) for name, life in self.new[tier].items()},
            }
            for tier in TIERS
        }


def test_the_form_answers_on_the_cluster(deployed, fetch):
    assert 'name="inputs.0"' in fetch(f"{deployed}/home")
    typed = urllib.parse.urlencode({"inputs.0": "5", "inputs.1": "6"}).encode()
    assert '<output id="result" data-class="1" data-model="and_gate"' in fetch(f"{deployed}/home", typed)


def test_the_api_answers_on_the_cluster(deployed, fetch):
    body = json.dumps({"instances": [[1, 1], [0, 5]]}).encode()
    (first, second) = json.loads(fetch(f"{deployed}/v1/models/and_gate:predict", body))["predictions"]
    assert first[1] > first[0]
    assert second[0] > second[1]


def test_under_load_both_tiers_grow_and_every_new_pod_answers(deployed, kubectl, get_json):
    observation = Observation(kubectl, get_json)
    command = [LOCUST, "-f", "loadtest", "--headless", "--only-summary", "-u", str(USERS), "-r", str(USERS)]
    with subprocess.Popen([*command, "-t", f"{LOAD_S}s", "--host", deployed], cwd=ROOT) as locust:
        try:
            while locust.poll() is None:
                observation.look()
                time.sleep(0.5)
        finally:
            if locust.poll() is None:
                locust.terminate()
    observation.look()
    path = Path(os.environ.get("TIDEGATE_CLUSTER_RECORD", ROOT / "build" / "cluster-record.json"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"users": USERS, "load_s": LOAD_S} | observation.record(), indent=2) + "\n")
    print(path.read_text())  # noqa: T201 the figures are what a reader of this run wants
    assert locust.returncode == 0, "Locust saw failures"
    for tier, lives in observation.new.items():
        assert lives, f"the autoscaler never raised tidegate-{tier}"
        idle = {name: life for name, life in lives.items() if life.answered is None}
        assert not idle, f"new pods of tidegate-{tier} that answered nothing: {idle}"
