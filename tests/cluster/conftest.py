"""The cluster of the user's kubectl, with Tidegate deployed as `make deploy` does it."""

import json
import os
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

Kubectl = Callable[..., str]


def run_kubectl(*arguments: str) -> str:
    done = subprocess.run(["kubectl", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    """Run kubectl; the tests are skipped where it reaches no cluster, but in CI that is a failure."""
    try:
        probe = subprocess.run(["kubectl", "version"], capture_output=True, text=True, check=False, timeout=60)
        reason = probe.stderr if probe.returncode else ""
    except FileNotFoundError:
        reason = "kubectl is not installed"
    if reason:
        if os.environ.get("CI"):
            pytest.fail(f"no cluster: {reason}")
        pytest.skip(f"no cluster: {reason}")
    return run_kubectl


@pytest.fixture(scope="session")
def deployed(kubectl: Kubectl) -> Iterator[str]:
    """Deploy what `kubectl apply -k k8s` deploys, from images that the cluster has; gives the gateway's address."""
    environment = os.environ | {"SKIP_BUILD": "1", "OVERLAY": "k8s"}
    done = subprocess.run(["k8s/deploy.sh"], cwd=ROOT, env=environment, text=True, check=False, timeout=700)
    assert done.returncode == 0, "k8s/deploy.sh failed; its words are above"
    port = kubectl("get", "service", "tidegate-web", "-o", "jsonpath={.spec.ports[0].nodePort}")
    yield os.environ.get("TIDEGATE_TEST_URL", f"http://127.0.0.1:{port}")
    kubectl("delete", "-k", "k8s", "--wait=true", "--timeout=90s")


@pytest.fixture(scope="session")
def get_json(kubectl: Kubectl) -> Callable[..., Any]:
    """Run `kubectl get … -o json`."""

    def get(*arguments: str) -> Any:
        return json.loads(kubectl("get", *arguments, "-o", "json"))

    return get


@pytest.fixture(scope="session")
def fetch() -> Callable[..., str]:
    """Get or post a page of the gateway."""

    def fetch_page(url: str, body: bytes | None = None) -> str:
        with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=30) as answer:
            return str(answer.read().decode())

    return fetch_page
