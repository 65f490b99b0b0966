"""What a measured run deploys is the product's own manifests, sized, and broken where a control says so."""

from pathlib import Path

import pytest

from tests.manifests.rendering import Manifest, render
from tidegate_proof.live import manifests
from tidegate_proof.live.manifests import PIN_LABEL, PIN_SERVICE, ManifestError
from tidegate_proof.live.performance import target_for
from tidegate_proof.live.plan import Terms
from tidegate_proof.live.sizing import FROZEN, PINNED, Sizing, fitted, waiting
from tidegate_proof.record.plan import Control, Slo, Tier

ROOT = Path(__file__).resolve().parents[2]


def sizing(tier: Tier = "serving", control: Control | None = None, target: int | None = 3) -> Sizing:
    images: dict[Tier, str] = {"serving": "registry.example:5000/team/serving:0.9"}
    model = "work" if tier == "serving" else "and_gate"
    return fitted(tier, model, images=images, inflight_target=target, within_slo=10.0).broken(control, tier)


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
    assert pending["metadata"]["targetValue"] == "3"
    assert "tidegate-web-ops.tidegate-proof-x.svc" in pending["metadata"]["url"]
    assert cpu["metadata"]["value"] == "180"
    assert ("HorizontalPodAutoscaler", "tidegate-serving") not in usual
    web = usual["HorizontalPodAutoscaler", "tidegate-web"]["spec"]
    assert (web["minReplicas"], web["maxReplicas"]) == (2, 2)


def test_pods_are_capped_name_their_route_hold_so_much_and_serve_the_one_model(usual):
    serving = container(usual["Deployment", "tidegate-serving"])
    assert serving["image"] == "registry.example:5000/team/serving:0.9"
    assert (serving["resources"]["requests"]["cpu"], serving["resources"]["limits"]["cpu"]) == ("100m", "300m")
    told = settings(usual["Deployment", "tidegate-web"])
    assert told["TIDEGATE_EXPOSE_ROUTE"] == "1"
    assert told["TIDEGATE_MODELS"] == "work"
    assert told["TIDEGATE_MAX_INFLIGHT"] == told["TIDEGATE_MAX_QUEUE"] == "10"
    (config,) = [
        one for (kind, name), one in usual.items() if kind == "ConfigMap" and name.startswith("tidegate-models")
    ]
    assert 'name: "work"' in config["data"]["models.config"]
    assert "digits" not in config["data"]["models.config"]
    assert usual["ConfigMap", "tidegate-routes"]["data"]["routes.yaml"].startswith("work:")


def test_without_keda_cpu_alone_scales(tmp_path):
    found = rendered(tmp_path, sizing(target=None))
    autoscaler = found["HorizontalPodAutoscaler", "tidegate-serving"]["spec"]
    assert (autoscaler["minReplicas"], autoscaler["maxReplicas"]) == (1, 4)
    assert autoscaler["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 15


@pytest.mark.parametrize("target", [3, None])
def test_a_frozen_autoscaler_may_not_add_a_pod(tmp_path, target):
    found = rendered(tmp_path, sizing(control=FROZEN, target=target))
    if target:
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


def test_the_limit_is_what_all_model_servers_answer_within_the_slo():
    assert waiting(4, 12.5) == 50
    assert waiting(4, 0.1) == 8


def test_the_target_is_half_of_what_one_had_at_its_knee():
    assert target_for(8.0) == 4
    assert target_for(None) == target_for(0.2) == 1


def test_clients_wait_longer_than_one_model_server_takes_for_all_that_gateways_hold():
    slo = Slo(latency_ms=400)
    most, capacity = sizing().pods["serving"].most, 30.0
    assert waiting(most, capacity * slo.latency_ms / 1e3) / capacity < Terms.of(slo, 40).timeout_s


def test_an_unknown_control_is_refused():
    with pytest.raises(ValueError, match="frozen-hpa or pinned"):
        sizing().broken("asleep", "serving")
