"""Kustomizations for tests: the product's own, sized so that a test is quick and fits two CPUs."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TIERS = ("web", "serving")

Patch = dict[str, Any]

CONTAINER = "/spec/template/spec/containers/0"

REQUESTS = {"web": "50m", "serving": "75m"}
"""Half of the base's, so that ten pods fit beside what else runs on two CPUs, and load moves them sooner."""


def write(
    folder: Path,
    *,
    replicas: Mapping[str, tuple[int, int]] | None = None,
    requests: Mapping[str, str] = REQUESTS,
    down_s: int = 15,
    env: Mapping[str, str] | None = None,
    components: Sequence[str] = (),
    patches: Sequence[Patch] = (),
    node_port: int | None = None,
) -> Path:
    """Write a kustomization of the base; gives its folder.

    Args:
        folder: To be made, inside the checkout.
        replicas: Least and most pods of a tier; 1 to 1 where it is not named.
        requests: CPU that a pod of each tier requests.
        down_s: Window that an autoscaler looks back on before it takes pods away.
        env: More settings of the gateway.
        components: More components of k8s/components, by name.
        patches: More of kustomize's patches.
        node_port: The gateway's port on every node; any free one where it is not given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    replicas = replicas or {}
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [_relative("k8s/base", folder)],
        "components": [_relative(f"k8s/components/{name}", folder) for name in ("expose-route", *components)],
        "patches": [
            *(_bounds(tier, *replicas.get(tier, (1, 1)), down_s) for tier in TIERS),
            *(_request(tier, requests[tier]) for tier in TIERS),
            *([_settings(env)] if env else ()),
            *([_port(node_port)] if node_port else ()),
            *patches,
        ],
    }
    (folder / "kustomization.yaml").write_text(json.dumps(document, indent=2))
    return folder


def patch(kind: str, name: str, *operations: tuple[str, str, Any]) -> Patch:
    """Write a JSON patch of one object from (operation, path, value)."""
    written = [{"op": operation, "path": path, "value": value} for operation, path, value in operations]
    return {"target": {"kind": kind, "name": name}, "patch": json.dumps(written)}


def _bounds(tier: str, least: int, most: int, down_s: int) -> Patch:
    return patch(
        "HorizontalPodAutoscaler",
        f"tidegate-{tier}",
        ("replace", "/spec/minReplicas", least),
        ("replace", "/spec/maxReplicas", most),
        ("replace", "/spec/behavior/scaleDown/stabilizationWindowSeconds", down_s),
    )


def _request(tier: str, cpu: str) -> Patch:
    return patch("Deployment", f"tidegate-{tier}", ("replace", f"{CONTAINER}/resources/requests/cpu", cpu))


def _settings(env: Mapping[str, str]) -> Patch:
    added = [("add", f"{CONTAINER}/env/-", {"name": name, "value": value}) for name, value in env.items()]
    return patch("Deployment", "tidegate-web", *added)


def _port(port: int) -> Patch:
    return patch("Service", "tidegate-web", ("add", "/spec/ports/0/nodePort", port))


def _relative(path: str, folder: Path) -> str:
    return os.path.relpath(ROOT / path, folder)
