"""The product's own manifests, in a kustomization that sizes them for a measured run."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tidegate_hpa.manifests import files
from tidegate_proof.live.sizing import DOWN_S, TIERS, Sizing, Tier

PIN_LABEL = "tidegate.dev/pinned"
PIN_SERVICE = "tidegate-serving-pinned"

CONTAINER = "/spec/template/spec/containers/0"

Document = dict[str, Any]


class ManifestError(Exception):
    """The manifests are not where they were said to be."""


def write(folder: Path, manifests: Path, namespace: str, sizing: Sizing) -> Path:
    """Write kustomizations; gives the folder of the one to apply.

    Args:
        folder: To be made.
        manifests: `k8s` of a checkout.
        namespace: Where it is to be applied.
        sizing: What to make of the manifests.

    Raises:
        ManifestError: There is no `base` in `manifests`.
    """
    if not (manifests / "base" / "kustomization.yaml").is_file():
        raise ManifestError(
            f"{manifests}: expected Tidegate's manifests, with base/kustomization.yaml; name them by --manifests"
        )
    sized = folder / "sized"
    sized.mkdir(parents=True)
    (sized / "models.config").write_text(_models_config(sizing.model))
    (sized / "routes.yaml").write_text(f"{sizing.model}: {{stable: 100}}\n")
    if sizing.pinned == "serving":
        (sized / "pinned.json").write_text(json.dumps(_pinned_service(), indent=2))
    _write(sized, _sized(sized, manifests, sizing))
    (folder / "namespace").mkdir()
    _write(folder / "namespace", {"kind": "Component", "namespace": namespace})
    if sizing.plan is not None:
        (folder / "planned").mkdir()
        for name, text in files(sizing.plan).items():
            (folder / "planned" / name).write_text(text)
    _write(folder, _placed(folder, manifests, sizing))
    return folder


def _sized(folder: Path, manifests: Path, sizing: Sizing) -> Document:
    return {
        "kind": "Kustomization",
        "resources": [_relative(manifests, "base", folder), *(["pinned.json"] if sizing.pinned == "serving" else [])],
        "components": [_relative(manifests, f"components/{name}", folder) for name in ("expose-route", "capped")],
        "configMapGenerator": [
            {"name": "tidegate-models", "behavior": "merge", "files": ["models.config"]},
            {"name": "tidegate-routes", "behavior": "merge", "files": ["routes.yaml"]},
        ],
        "images": [_image(tier, image) for tier, image in sizing.images.items()],
        "patches": [
            *(patch for tier in TIERS for patch in _tier(tier, sizing)),
            _settings(sizing),
            *([_pinned_gateways()] if sizing.pinned == "web" else []),
        ],
    }


def _placed(folder: Path, manifests: Path, sizing: Sizing) -> Document:
    """Place it in its namespace, where the component makes KEDA's object; then the plan, and within bounds for all."""
    most = sizing.pods["serving"].most
    return {
        "kind": "Kustomization",
        "resources": ["sized"],
        "components": [
            "namespace",
            *([_relative(manifests, "components/inflight-autoscaling", folder)] if sizing.pending else []),
            *(["planned"] if sizing.plan is not None else []),
        ],
        "patches": [
            # A control may allow less than the plan
            *(
                _patch("HorizontalPodAutoscaler", f"tidegate-{tier}", ("replace", "/spec/maxReplicas", pods.most))
                for tier, pods in sizing.pods.items()
                if tier == "web" or not sizing.pending
            ),
            *(
                [_patch("ScaledObject", "tidegate-serving", ("replace", "/spec/maxReplicaCount", most))]
                if sizing.pending
                else []
            ),
        ],
    }


def _tier(tier: Tier, sizing: Sizing) -> list[Document]:
    pods, name = sizing.pods[tier], f"tidegate-{tier}"
    resources = f"{CONTAINER}/resources"
    return [
        _patch(
            "Deployment",
            name,
            ("replace", f"{resources}/requests/cpu", f"{pods.request_m}m"),
            ("replace", f"{resources}/limits/cpu", f"{pods.cpu_m}m"),
        ),
        _patch(
            "HorizontalPodAutoscaler",
            name,
            ("replace", "/spec/minReplicas", pods.least),
            ("replace", "/spec/maxReplicas", pods.most),
            ("replace", "/spec/metrics/0/resource/target/averageUtilization", sizing.cpu_target),
            ("replace", "/spec/behavior/scaleDown/stabilizationWindowSeconds", DOWN_S),
        ),
    ]


def _settings(sizing: Sizing) -> Document:
    settings = {"TIDEGATE_MODELS": sizing.model}
    if sizing.pinned == "serving":
        settings["TIDEGATE_BACKENDS"] = f"endpointslice:{PIN_SERVICE}:8500"
    env = [{"name": name, "value": value} for name, value in settings.items()]
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "tidegate-web"},
        "spec": {"template": {"spec": {"containers": [{"name": "web", "env": env}]}}},
    }
    return {"patch": json.dumps(deployment)}


def _pinned_gateways() -> Document:
    return _patch("Service", "tidegate-web", ("add", "/spec/selector/" + PIN_LABEL.replace("/", "~1"), "true"))


def _pinned_service() -> Document:
    """Write a Service of the model servers that have the label; one of them gets it when they are there."""
    labels = {"app.kubernetes.io/name": "tidegate", "app.kubernetes.io/component": "serving"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": PIN_SERVICE, "labels": labels},
        "spec": {
            "clusterIP": "None",
            "selector": labels | {PIN_LABEL: "true"},
            "ports": [{"name": "grpc", "port": 8500, "targetPort": 8500}],
        },
    }


def _models_config(model: str) -> str:
    return (
        f'model_config_list {{ config {{ name: "{model}" base_path: "/models/{model}" model_platform: "tensorflow"\n'
        '  model_version_policy { specific { versions: 1 } } version_labels { key: "stable" value: 1 } } }\n'
    )


def _image(tier: Tier, image: str) -> Mapping[str, str]:
    name, _, tag = image.rpartition(":")
    return {"name": f"tidegate/{tier}", "newName": name, "newTag": tag}


def _patch(kind: str, name: str, *operations: tuple[str, str, Any]) -> Document:
    written = [{"op": operation, "path": path, "value": value} for operation, path, value in operations]
    return {"target": {"kind": kind, "name": name}, "patch": json.dumps(written)}


def _relative(manifests: Path, path: str, folder: Path) -> str:
    return os.path.relpath((manifests / path).resolve(), folder.resolve())


def _write(folder: Path, document: Document) -> None:
    version = "v1alpha1" if document["kind"] == "Component" else "v1beta1"
    (folder / "kustomization.yaml").write_text(
        json.dumps({"apiVersion": f"kustomize.config.k8s.io/{version}", **document}, indent=2)
    )
