"""A run begins when what it asked for is there, known to its autoscalers, and nothing of before is left."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.proof.live_api import ScriptedApi, listed, pod, sample
from tidegate_proof.live import deployment as module
from tidegate_proof.live import manifests, preconditions
from tidegate_proof.live.deployment import DeployError, Tidegate, name_for, uneven, unfit, unsettled
from tidegate_proof.live.kubectl import Kubectl
from tidegate_proof.live.objects import AUTOSCALER, DEPLOYMENT, POD, is_rolling
from tidegate_proof.live.sizing import FROZEN, fitted

SIZING = fitted("serving", "work", images={})
BOUNDS = {"minReplicas": 1, "maxReplicas": 4}


def autoscaler(name: str = "hpa", **spec: object) -> dict[str, Any]:
    found = sample(name)
    return found | {"spec": found["spec"] | BOUNDS | spec}


def leaving(name: str, tier: str) -> dict[str, Any]:
    found = pod(name, tier=tier)
    return found | {"metadata": found["metadata"] | {"deletionTimestamp": "2026-01-02T03:04:05Z"}}


def test_pods_that_are_missing_not_ready_or_too_many_are_waited_for():
    assert uneven([], "web", 2) == ["2 ready web pods"]
    assert uneven([pod("a"), pod("b", ready=False)], "web", 2) == ["1 ready web pod"]
    assert uneven([pod("a"), pod("b"), pod("c")], "web", 2) == ["1 web pod to go"]
    assert uneven([pod("a"), pod("b")], "web", 2) == []


def test_gateways_that_drain_are_waited_for_and_model_servers_that_nobody_asks_any_more_are_not():
    assert uneven([pod("a"), leaving("b", "web")], "web", 1) == ["1 web pod to go"]
    assert uneven([pod("a", tier="serving"), leaving("b", "serving")], "serving", 1) == []


def test_an_autoscaler_is_waited_for_until_it_has_its_bounds_its_figures_and_its_signal():
    assert unfit(None, "serving", SIZING) == ["an autoscaler of serving"]
    assert unfit(autoscaler(maxReplicas=9), "serving", SIZING) == ["the serving autoscaler's bounds"]
    assert unfit(autoscaler("hpa-unknown"), "serving", SIZING) == ["the serving autoscaler's Resource cpu"]
    on_pending = replace(SIZING, pending=True)
    assert unfit(autoscaler(), "serving", on_pending) == ["the serving autoscaler's pending predictions"]
    assert unfit(autoscaler(), "serving", SIZING) == []


def test_an_autoscaler_is_waited_for_until_its_last_change_lies_a_policys_period_back():
    policies = [{"type": "Pods", "value": 1, "periodSeconds": 45}, {"type": "Percent", "value": 9, "periodSeconds": 15}]
    slow = {
        "spec": {"behavior": {"scaleUp": {"policies": policies}}},
        "status": {"lastScaleTime": "2026-11-25T12:00:00Z"},
    }
    noon = datetime(2026, 11, 25, 12, tzinfo=UTC)
    waited_for = ["the serving autoscaler to forget its last change"]
    assert unsettled(slow, "serving", noon + timedelta(seconds=44)) == waited_for
    assert unsettled(slow, "serving", noon + timedelta(seconds=46)) == []
    assert unsettled(slow | {"status": {}}, "serving", noon) == []


def test_an_autoscaler_that_may_change_nothing_needs_no_figures():
    frozen = SIZING.broken(FROZEN, "serving")
    assert unfit(autoscaler("hpa-unknown", maxReplicas=1), "serving", frozen) == []


async def test_only_autoscalers_that_may_change_something_are_preconditions():
    still = autoscaler("hpa-unknown", maxReplicas=1)
    checks = await preconditions.after("http://10.0.0.1:8080", {"still": still, "free": autoscaler("hpa-unknown")})
    assert [check.name for check in checks if not check.passed] == ["the autoscaler free knows its metrics"]


def test_a_roll_out_is_waited_for_until_every_pod_is_new():
    found = sample("deployment")
    assert not is_rolling(found)
    assert is_rolling(found | {"metadata": found["metadata"] | {"generation": 10**6}})
    assert is_rolling(found | {"status": found["status"] | {"updatedReplicas": 0}})


@pytest.fixture
def tidegate(monkeypatch):
    """Deploys nothing, for nothing is asked of kubectl."""
    monkeypatch.setattr(manifests, "write", lambda folder, *_: folder)
    monkeypatch.setattr(Kubectl, "run", lambda *_, **__: _nothing())
    monkeypatch.setattr(module, "LOOK_S", 0.01)

    def make(*pods: dict[str, Any]) -> Tidegate:
        lists = {POD.path("ns"): pods, AUTOSCALER.path("ns"): (), DEPLOYMENT.path("ns"): ()}
        api = ScriptedApi({path: [listed(*found, version=1)] for path, found in lists.items()})
        return Tidegate(Kubectl("kubectl"), api, "ns")

    return make


async def _nothing() -> str:
    return ""


async def test_a_missing_image_is_told_at_once(tidegate, tmp_path):
    found = pod("tidegate-web-1", ready=False)
    found["status"]["containerStatuses"] = [{"state": {"waiting": {"reason": "ErrImageNeverPull", "message": "no"}}}]
    with pytest.raises(DeployError, match="tidegate-web-1: ErrImageNeverPull no"):
        await tidegate(found).deploy(SIZING, tmp_path, lambda _: None)


async def test_what_does_not_come_is_named_when_patience_ends(tidegate, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "READY_S", 0.1)
    told: list[str] = []
    with pytest.raises(DeployError, match="2 ready web pods"):
        await tidegate().deploy(SIZING, tmp_path, told.append)
    assert told


def test_two_runs_have_two_namespaces_with_names_that_kubernetes_takes():
    names = {name_for("Web Step") for _ in range(20)}
    assert len(names) == 20
    assert all(name.startswith("tidegate-proof-web-step-") and len(name) <= 63 for name in names)
