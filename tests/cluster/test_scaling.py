"""The main job on a real cluster: deployed, answered, loaded, scaled, and every new pod put to work."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parents[2]
LOCUST = str(Path(sys.executable).with_name("locust"))
TIERS = ("web", "serving")
LOAD_S = 150
USERS = 20

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


class Observation:
    """What happened to each tier, in seconds since the load began."""

    def __init__(self, kubectl: Callable[..., str], get_json: GetJson) -> None:
        self._kubectl = kubectl
        self._get_json = get_json
        self._began = time.time()
        self.before = {tier: pods_of(get_json, tier) for tier in TIERS}
        self.seen: dict[str, dict[str, float]] = {tier: {} for tier in TIERS}
        self.new: dict[str, set[str]] = {tier: set() for tier in TIERS}
        self.worked: dict[str, set[str]] = {tier: set() for tier in TIERS}

    def look(self) -> None:
        """Look once, and note what is there for the first time."""
        for tier in TIERS:
            status = self._get_json("hpa", f"tidegate-{tier}")["status"]
            if status["desiredReplicas"] > len(self.before[tier]):
                self._note(tier, "decision")
            for name, pod in pods_of(self._get_json, tier).items():
                if name in self.before[tier]:
                    continue
                self.new[tier].add(name)
                created = datetime.fromisoformat(pod["metadata"]["creationTimestamp"]).timestamp()
                self._note(tier, "pod created", created)
                if is_ready(pod):
                    self._note(tier, "pod ready")
                    if name not in self.worked[tier] and answered(self._kubectl, tier, name):
                        self.worked[tier].add(name)
                        self._note(tier, "first answer")

    def all_new_pods_worked(self) -> bool:
        return all(self.new[tier] and self.new[tier] == self.worked[tier] for tier in TIERS)

    def _note(self, tier: str, what: str, at: float | None = None) -> None:
        self.seen[tier].setdefault(what, round((at or time.time()) - self._began, 1))


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
    record = {"users": USERS, "load_s": LOAD_S, "pods_before": {t: len(observation.before[t]) for t in TIERS}}
    record["pods_new"] = {tier: len(observation.new[tier]) for tier in TIERS}
    record |= {"seconds_from_load_start": observation.seen}
    path = Path(os.environ.get("TIDEGATE_CLUSTER_RECORD", ROOT / "build" / "cluster-record.json"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2) + "\n")
    print(path.read_text())  # noqa: T201 the figures are what a reader of this run wants
    assert locust.returncode == 0, "Locust saw failures"
    for tier in TIERS:
        assert observation.new[tier], f"the autoscaler never raised tidegate-{tier}"
    assert observation.all_new_pods_worked(), f"new {observation.new}, of which worked {observation.worked}"
