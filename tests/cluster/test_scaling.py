"""The main job on a real cluster: answered, loaded, scaled up and down again, and every new pod put to work."""

import json
import os
import time
import urllib.parse
import urllib.request
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Cluster, Pod, backend, is_ready, wait_for
from tests.cluster.load import KeepAliveLoad, Request, failures, summary
from tests.cluster.overlay import ROOT, TIERS

pytestmark = pytest.mark.cluster

CLIENTS = 40
"""Each keeps a connection: enough for every gateway to get some when they are renewed."""

PER_SECOND = 300
"""Far above what the least pods' requests are good for, and far below what would keep new ones from starting."""

UP_S = 180
DOWN_S = 180
LEAST, MOST = 1, 3


@pytest.fixture(scope="module")
def address(cluster: Cluster) -> str:
    cluster.deploy(cluster.overlay(replicas=dict.fromkeys(TIERS, (LEAST, MOST))))
    return cluster.url


def fetch(url: str, body: bytes | None = None) -> str:
    with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=30) as answer:
        return str(answer.read().decode())


@dataclass
class Life:
    """A new pod, in seconds since the load began; None for what has not happened."""

    created: float
    ready: float | None = None
    answered: float | None = None


class Observation:
    """What happens to each tier from now on, and which new pods a load has met."""

    def __init__(self, cluster: Cluster, load: KeepAliveLoad) -> None:
        self._cluster = cluster
        self._load = load
        self._began, self._began_monotonic = time.time(), time.monotonic()
        self.before = {tier: set(cluster.pods(tier)) for tier in TIERS}
        self.decided: dict[str, float] = {}
        self.new: dict[str, dict[str, Life]] = {tier: {} for tier in TIERS}
        self._addresses: dict[str, str] = {}

    def look(self) -> bool:
        """Look once, note what is there for the first time; gives whether each tier grew and each new pod answered."""
        for tier in TIERS:
            status = self._cluster.get("hpa", f"tidegate-{tier}")["status"]
            if status["desiredReplicas"] > len(self.before[tier]):
                self.decided.setdefault(tier, self._since(time.time()))
            for name, pod in self._cluster.pods(tier).items():
                if name not in self.before[tier]:
                    self._look_at(tier, name, pod)
        for request in list(self._load.requests):
            self._note(request)
        return all(self.new[tier] and not self.idle(tier) for tier in TIERS)

    def _look_at(self, tier: str, name: str, pod: Pod) -> None:
        created = datetime.fromisoformat(pod["metadata"]["creationTimestamp"]).timestamp()
        life = self.new[tier].setdefault(name, Life(self._since(created)))
        if life.ready is None and is_ready(pod):
            life.ready = self._since(time.time())
        if "podIP" in pod["status"]:
            self._addresses[backend(pod)] = name

    def _note(self, request: Request) -> None:
        for tier, name in (("web", request.pod), ("serving", self._addresses.get(request.backend, ""))):
            if (life := self.new[tier].get(name)) and life.answered is None:
                life.answered = round(request.answered - self._began_monotonic, 1)

    def idle(self, tier: str) -> dict[str, Life]:
        """Return the new pods that have answered nothing."""
        return {name: life for name, life in self.new[tier].items() if life.answered is None}

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


def test_the_form_answers_on_the_cluster(address):
    assert 'name="inputs.0"' in fetch(f"{address}/home")
    typed = urllib.parse.urlencode({"inputs.0": "5", "inputs.1": "6"}).encode()
    assert '<output id="result" data-class="1" data-model="and_gate"' in fetch(f"{address}/home", typed)


def test_the_api_answers_on_the_cluster(address):
    body = json.dumps({"instances": [[1, 1], [0, 5]]}).encode()
    (first, second) = json.loads(fetch(f"{address}/v1/models/and_gate:predict", body))["predictions"]
    assert first[1] > first[0]
    assert second[0] > second[1]


def test_under_load_both_tiers_grow_and_every_new_pod_answers_and_both_shrink_after_it(cluster, address):
    with KeepAliveLoad(address, CLIENTS, PER_SECOND) as load:
        observation = Observation(cluster, load)
        try:
            wait_for("both tiers to grow and every new pod to answer", observation.look, UP_S)
        finally:
            record = {"clients": CLIENTS, "per_second": PER_SECOND, **observation.record()}
    ended = time.monotonic()
    assert not failures(load.requests), summary(load.requests)

    def small_again() -> bool:
        return all(len(cluster.pods(tier)) == LEAST for tier in TIERS)

    wait_for("both tiers to shrink", small_again, DOWN_S)
    record |= {"requests": summary(load.requests), "small_again_s": round(time.monotonic() - ended, 1)}
    path = Path(os.environ.get("TIDEGATE_CLUSTER_RECORD", ROOT / "build" / "cluster-record.json"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2) + "\n")
    print(path.read_text())  # noqa: T201 the figures are what a reader of this run wants
