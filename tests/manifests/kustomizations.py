"""Every kustomization that is here, found rather than listed, so that a new one is tested from its first commit."""

import os
import tempfile
from functools import cache
from pathlib import Path
from types import MappingProxyType

import yaml

from tests.manifests.rendering import ROOT, Manifest, render

OWN = "k8s/overlays/own"
"""A user's release state: generated, and no promise of ours."""


@cache
def applied() -> tuple[str, ...]:
    """The folders that `kubectl apply -k` takes."""
    files = sorted(file for part in ("k8s", "hpa") for file in (ROOT / part).rglob("kustomization.yaml"))
    folders = [str(file.parent.relative_to(ROOT)) for file in files if _kind(file) == "Kustomization"]
    return tuple(folder for folder in folders if not f"{folder}/".startswith(f"{OWN}/"))


@cache
def components() -> tuple[str, ...]:
    """The components that an overlay may name; those in their folders are their parts."""
    files = sorted((ROOT / "k8s/components").glob("*/kustomization.yaml"))
    return tuple(str(file.parent.relative_to(ROOT)) for file in files if _kind(file) == "Component")


def _kind(file: Path) -> str:
    return str(yaml.safe_load(file.read_text())["kind"])


@cache
def over_base(*names: str, patches: str = "[]") -> dict[tuple[str, str], Manifest]:
    """Render the base with components on top, in a namespace, as an overlay of a user's would.

    Args:
        names: Folders of components.
        patches: What the overlay patches, in YAML.
    """
    with tempfile.TemporaryDirectory() as created:
        overlay = Path(created).resolve()
        (overlay / "base").mkdir()
        header = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
        base = header | {"resources": [os.path.relpath(ROOT / "k8s/base", overlay / "base")], "namespace": "trial"}
        # The namespace twice: components may look for it in the base, and bring objects that have none yet
        top = base | {
            "resources": ["base"],
            "components": [os.path.relpath(ROOT / name, overlay) for name in names],
            "patches": yaml.safe_load(patches),
        }
        for folder, content in ((overlay / "base", base), (overlay, top)):
            (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
        return render(str(overlay))


@cache
def everything() -> MappingProxyType[str, dict[tuple[str, str], Manifest]]:
    """What is rendered, by folder: all that is applied, and each component over the base."""
    rendered = {folder: render(folder) for folder in applied()}
    return MappingProxyType(rendered | {component: over_base(component) for component in components()})
