"""A plan foresees its autoscaler's replicas, or says why nobody can."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.hpa.test_plan import record
from tests.proof.records import plan as a_plan
from tidegate_proof.live.foresight import foresee, requested_m, started_in_s
from tidegate_proof.live.trials import on_pending

TARGET = {"type": "Utilization", "averageUtilization": 50}
SPEC: dict[str, Any] = {
    "minReplicas": 1,
    "maxReplicas": 4,
    "scaleTargetRef": {"kind": "Deployment", "name": "tidegate-serving"},
    "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": TARGET}}],
}
ARRIVALS = [8] * 60 + [60] * 120


def pod(cpu: str = "240m") -> dict[str, Any]:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-02T03:04:12Z"}
    return {
        "metadata": {"name": "a", "creationTimestamp": "2026-01-02T03:04:05Z"},
        "spec": {"containers": [{"name": "serving", "resources": {"requests": {"cpu": cpu}}}, {"name": "other"}]},
        "status": {"conditions": [{"type": "PodScheduled", "status": "True"}, ready]},
    }


@pytest.fixture
def knee(tmp_path: Path) -> Path:
    (tmp_path / "knee.json").write_text(json.dumps(record()))
    return tmp_path / "knee.json"


def test_a_pods_start_and_request_are_read_off_it():
    assert started_in_s(pod()) == 7
    assert (requested_m(pod()), requested_m(pod("1"))) == (240, 1000)


def test_replicas_follow_the_load_as_soon_as_the_signal_does(knee):
    found = foresee("serving", knee, SPEC, ARRIVALS, [pod()])
    (tier, replicas), *_ = found.replicas.items()
    assert (tier, replicas[0]) == ("serving", (0, 1))
    assert any(60 < second < 110 and pods > 1 for second, pods in replicas)
    assert "Ready 7 s after it was made" in found.source


def test_without_a_good_knee_there_is_a_reason_instead(knee):
    knee.write_text(json.dumps(record(steps=[])))
    found = foresee("serving", knee, SPEC, ARRIVALS, [pod()])
    assert found.replicas == {}
    assert found.source.startswith("none: ")
    assert "steps" in found.source


@pytest.mark.parametrize(("types", "decides"), [(["External", "Resource"], True), (["Resource"], False), ([], False)])
def test_a_forecast_decides_where_more_than_cpu_is_a_signal(types, decides):
    spec = SPEC | {"metrics": [{"type": one} for one in types]}
    assert on_pending(replace(a_plan(), autoscaler={"serving": spec})) is decides
    assert on_pending(replace(a_plan(), autoscaler={})) is False
