"""Renders kustomizations as `kubectl apply -k` does."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]

Manifest = dict[str, Any]

HASH = re.compile(r"-[2456789bcdfghkmt]{10}$")
"""What kustomize puts behind a generated name: ten characters of its own alphabet."""


@cache
def render(folder: str) -> dict[tuple[str, str], Manifest]:
    """Each manifest by its kind and its name, without the hash of a generated one."""
    kubectl = shutil.which("kubectl")
    assert kubectl is not None, "kubectl renders the manifests: see https://kubernetes.io/docs/tasks/tools"
    done = subprocess.run([kubectl, "kustomize", folder], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    manifests = list(yaml.safe_load_all(done.stdout))
    return {(manifest["kind"], HASH.sub("", manifest["metadata"]["name"])): manifest for manifest in manifests}
