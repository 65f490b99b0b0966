"""What the component `loadtest` promises, read off its rendering."""

import json
import tomllib

import pytest

from tests.manifests.rendering import ROOT, Manifest, render

FOLDER = "k8s/components/loadtest"
MASTER, WORKERS = "tidegate-loadtest", "tidegate-loadtest-worker"

both = pytest.mark.parametrize("name", [MASTER, WORKERS])


def pod(name: str) -> Manifest:
    template: Manifest = render(FOLDER)["Deployment", name]["spec"]["template"]
    return template


def container(name: str) -> Manifest:
    (only,) = pod(name)["spec"]["containers"]
    return dict(only)


def environment(name: str) -> dict[str, str]:
    settings = render(FOLDER)["ConfigMap", MASTER]["data"]
    return {
        variable["name"]: variable.get("value") or settings[variable["valueFrom"]["configMapKeyRef"]["key"]]
        for variable in container(name)["env"]
    }


def test_it_holds_a_master_workers_and_their_settings():
    assert set(render(FOLDER)) == {
        ("ConfigMap", MASTER), ("Service", MASTER), ("Deployment", MASTER), ("Deployment", WORKERS)
    }  # fmt: skip


def test_it_goes_on_top_of_any_overlay_and_its_model_can_be_chosen_there(tmp_path):
    overlay = ROOT / "build" / f"test-{tmp_path.name}"
    overlay.mkdir(parents=True)
    patch = {
        "target": {"kind": "ConfigMap", "name": MASTER},
        "patch": json.dumps([{"op": "add", "path": "/data/model", "value": "mine"}]),
    }
    kustomization = {"resources": ["../../k8s/base"], "components": [f"../../{FOLDER}"], "patches": [patch]}
    try:
        (overlay / "kustomization.yaml").write_text(json.dumps(kustomization))
        found = render(str(overlay))
    finally:
        (overlay / "kustomization.yaml").unlink()
        overlay.rmdir()
    assert found["ConfigMap", MASTER]["data"]["model"] == "mine"
    assert {("Deployment", "tidegate-web"), *render(FOLDER)} <= set(found)


@both
def test_pods_pass_the_restricted_profile_and_hold_no_token(name):
    spec, only = pod(name)["spec"], container(name)
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= only["resources"]["requests"].keys()
    assert "memory" in only["resources"]["limits"]


@both
def test_image_and_labels_carry_the_version_of_the_checkout(name):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert container(name)["image"] == f"tidegate/loadtest:{version}"
    assert container(name)["imagePullPolicy"] == "IfNotPresent"
    assert pod(name)["metadata"]["labels"]["app.kubernetes.io/version"] == version


@both
def test_load_goes_to_the_gateways_service_in_the_namespace_and_to_one_model(name):
    found = environment(name)
    assert found["LOADTEST_HOST"] == "http://tidegate-web:8080"
    assert found["LOADTEST_MODEL"] == "and_gate"
    assert all("namespace" not in manifest["metadata"] for manifest in render(FOLDER).values())


@both
def test_a_shape_can_be_given_to_all_of_them_and_need_not_be(name):
    (source,) = container(name)["envFrom"]
    assert source == {"configMapRef": {"name": "tidegate-loadtest-shape", "optional": True}}
    assert ("ConfigMap", "tidegate-loadtest-shape") not in render(FOLDER)


@both
def test_no_pod_of_before_takes_part_in_a_run_after_a_restart(name):
    assert render(FOLDER)["Deployment", name]["spec"]["strategy"] == {"type": "Recreate"}


def test_a_run_is_bounded_and_starts_only_when_told():
    found = environment(MASTER)
    assert (found["LOCUST_USERS"], found["LOCUST_SPAWN_RATE"], found["LOCUST_RUN_TIME"]) == ("20", "5", "5m")
    assert "LOCUST_AUTOSTART" not in found
    assert container(MASTER)["args"] == ["--master"]


def test_workers_find_the_master_and_the_page_is_where_the_service_says():
    service = render(FOLDER)["Service", MASTER]
    assert {port["name"]: port["port"] for port in service["spec"]["ports"]} == {"page": 8089, "workers": 5557}
    assert {port["name"]: port["containerPort"] for port in container(MASTER)["ports"]} == {
        "page": 8089, "workers": 5557
    }  # fmt: skip
    assert f"--master-host={MASTER}" in container(WORKERS)["args"]
    selector = service["spec"]["selector"]
    assert selector.items() <= pod(MASTER)["metadata"]["labels"].items()
    assert not selector.items() <= pod(WORKERS)["metadata"]["labels"].items()


def test_workers_read_the_models_cards_where_there_are_some():
    (volume,) = pod(WORKERS)["spec"]["volumes"]
    (mount,) = container(WORKERS)["volumeMounts"]
    assert volume["configMap"] == {"name": "tidegate-cards", "optional": True}
    assert (mount["mountPath"], mount["readOnly"]) == (environment(WORKERS)["LOADTEST_CARDS"], True)
