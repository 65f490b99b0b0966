"""What a measured run deploys is the product's own manifests, sized, and broken where a control says so."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.manifests.rendering import Manifest, render
from tidegate_hpa.knee import Knee, Step
from tidegate_proof.live import manifests
from tidegate_proof.live.manifests import PIN_LABEL, PIN_SERVICE, ManifestError
from tidegate_proof.live.sizing import FROZEN, PINNED, Sizing, fitted, planned
from tidegate_proof.record.plan import Control, Tier

ROOT = Path(__file__).resolve().parents[2]


SLO_S = 0.4
STEPS = tuple(Step(rps, 0.02, 0.1, rps * 0.04, rps * 0.01) for rps in (5.0, 10.0, 20.0, 25.0))


def sizing(tier: Tier = "serving", control: Control | None = None, *, pending: bool = True) -> Sizing:
    images: dict[Tier, str] = {"serving": "registry.example:5000/team/serving:0.9"}
    sized = fitted(tier, "work" if tier == "serving" else "and_gate", images=images)
    of_one = Knee(tier, "0" * 64, 1, SLO_S, 25.0, STEPS)
    return planned(sized, of_one, SLO_S, pending=pending).broken(control, tier)


def rendered(folder: Path, of: Sizing) -> dict[tuple[str, str], Manifest]:
    return render(str(manifests.write(folder / "run", ROOT / "k8s", "tidegate-proof-x", of)))


def container(of: Manifest) -> Manifest:
    only: Manifest
    (only,) = of["spec"]["template"]["spec"]["containers"]
    return only


def settings(of: Manifest) -> dict[str, str]:
    return {one["name"]: one.get("value", "") for one in container(of)["env"]}


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Manifest]:
    """What a serving run without a control deploys."""
    return rendered(tmp_path_factory.mktemp("usual"), sizing())


def test_a_serving_run_scales_model_servers_on_pending_predictions_and_keeps_the_gateways(usual):
    scaled = usual["ScaledObject", "tidegate-serving"]["spec"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (1, 4)
    pending, cpu = scaled["triggers"]
    assert pending["metadata"]["targetValue"] == "0.5"  # of half the knee's load, each for 40 ms
    assert "tidegate-web-ops.tidegate-proof-x.svc" in pending["metadata"]["url"]
    assert cpu["metadata"]["value"] == "50"
    assert ("HorizontalPodAutoscaler", "tidegate-serving") not in usual
    web = usual["HorizontalPodAutoscaler", "tidegate-web"]["spec"]
    assert (web["minReplicas"], web["maxReplicas"]) == (2, 2)


def test_pods_are_capped_name_their_route_hold_so_much_and_serve_the_one_model(usual):
    serving = container(usual["Deployment", "tidegate-serving"])
    assert serving["image"] == "registry.example:5000/team/serving:0.9"
    assert (serving["resources"]["requests"]["cpu"], serving["resources"]["limits"]["cpu"]) == ("250m", "300m")
    told = settings(usual["Deployment", "tidegate-web"])
    assert told["TIDEGATE_EXPOSE_ROUTE"] == "1"
    assert told["TIDEGATE_MODELS"] == "work"
    # One model server answers 0.5 while a lone request takes, and 5 in half of the SLO: two gateways share both
    assert (told["TIDEGATE_MAX_INFLIGHT"], told["TIDEGATE_MAX_QUEUE"]) == ("1", "3")
    assert told["TIDEGATE_INFLIGHT_PER_BACKEND"] == "1"
    (config,) = [
        one for (kind, name), one in usual.items() if kind == "ConfigMap" and name.startswith("tidegate-models")
    ]
    assert 'name: "work"' in config["data"]["models.config"]
    assert "digits" not in config["data"]["models.config"]
    assert usual["ConfigMap", "tidegate-routes"]["data"]["routes.yaml"].startswith("work:")


def test_without_keda_cpu_alone_scales(tmp_path):
    found = rendered(tmp_path, sizing(pending=False))
    autoscaler = found["HorizontalPodAutoscaler", "tidegate-serving"]["spec"]
    assert (autoscaler["minReplicas"], autoscaler["maxReplicas"]) == (1, 4)
    assert autoscaler["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 15
    assert [metric["resource"]["target"]["averageUtilization"] for metric in autoscaler["metrics"]] == [50]


def test_before_there_is_a_knee_the_manifests_own_targets_stand(tmp_path):
    found = rendered(tmp_path, fitted("serving", "work", images={}).broken(FROZEN, "serving"))
    spec = found["HorizontalPodAutoscaler", "tidegate-serving"]["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 1)
    assert spec["metrics"][0]["resource"]["target"]["averageUtilization"] == 180
    assert "TIDEGATE_MAX_INFLIGHT" not in settings(found["Deployment", "tidegate-web"])


def test_no_pod_requests_more_than_its_limit(tmp_path):
    used = tuple(replace(step, cores_used=step.offered_rps * 0.0125) for step in STEPS)
    sized = planned(fitted("serving", "work", images={}), Knee("serving", "0" * 64, 1, SLO_S, 25.0, used), SLO_S,
                    pending=False)  # fmt: skip
    resources = container(rendered(tmp_path, sized)["Deployment", "tidegate-serving"])["resources"]
    assert (resources["requests"]["cpu"], resources["limits"]["cpu"]) == ("315m", "315m")


@pytest.mark.parametrize("pending", [True, False])
def test_a_frozen_autoscaler_may_not_add_a_pod(tmp_path, pending):
    found = rendered(tmp_path, sizing(control=FROZEN, pending=pending))
    told = settings(found["Deployment", "tidegate-web"])
    assert told["TIDEGATE_MAX_INFLIGHT"] == "1"  # all else is as without a control
    if pending:
        scaled = found["ScaledObject", "tidegate-serving"]["spec"]
        assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (1, 1)
    else:
        spec = found["HorizontalPodAutoscaler", "tidegate-serving"]["spec"]
        assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 1)


def test_a_pinned_serving_tier_asks_labelled_model_servers_alone_and_may_still_grow(tmp_path):
    found = rendered(tmp_path, sizing(control=PINNED))
    told = settings(found["Deployment", "tidegate-web"])
    assert told["TIDEGATE_BACKENDS"] == f"endpointslice:{PIN_SERVICE}:8500"
    selector = found["Service", PIN_SERVICE]["spec"]["selector"]
    assert selector[PIN_LABEL] == "true"
    labels = found["Deployment", "tidegate-serving"]["spec"]["template"]["metadata"]["labels"]
    assert PIN_LABEL not in labels
    assert selector.items() - {(PIN_LABEL, "true")} <= labels.items()
    assert found["ScaledObject", "tidegate-serving"]["spec"]["maxReplicaCount"] == 4


def test_a_pinned_web_tier_has_a_service_that_selects_labelled_gateways_alone(tmp_path):
    found = rendered(tmp_path, sizing("web", PINNED))
    assert found["Service", "tidegate-web"]["spec"]["selector"][PIN_LABEL] == "true"
    assert found["HorizontalPodAutoscaler", "tidegate-web"]["spec"]["maxReplicas"] == 4
    assert ("ScaledObject", "tidegate-serving") not in found
    assert "TIDEGATE_MAX_INFLIGHT" not in settings(found["Deployment", "tidegate-web"])


def test_other_folders_than_the_manifests_are_refused(tmp_path):
    with pytest.raises(ManifestError, match="--manifests"):
        manifests.write(tmp_path / "run", tmp_path, "x", sizing())


def test_one_model_server_answers_all_that_gateways_hold_within_the_slo():
    of = sizing()
    assert of.plan is not None
    held = (of.plan.sent_per_gateway + of.plan.queued_per_gateway) * of.pods["web"].least
    assert held / of.plan.knee.capacity_rps < SLO_S


def test_an_unknown_control_is_refused():
    with pytest.raises(ValueError, match="frozen-hpa or pinned"):
        sizing().broken("asleep", "serving")


def test_an_overload_adds_one_replica_at_a_time(tmp_path):
    found = rendered(tmp_path, sizing().one_every(45))
    up = found["ScaledObject", "tidegate-serving"]["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert up["scaleUp"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 45}]
    assert fitted("serving", "work", images={}).one_every(45).plan is None
