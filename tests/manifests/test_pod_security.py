"""Every pod that any manifest makes passes Pod Security's profile `restricted`, and takes no more than it needs."""

import copy
from collections.abc import Iterator

import pytest
import yaml

from tests.manifests.kustomizations import everything
from tests.manifests.pod_security import complaints, pod_of
from tests.manifests.rendering import Manifest
from tests.manifests.schemas import module_folder

ADMISSION = "k8s.io/pod-security-admission@v0.34.4", "h1:p0mjfXZHtknqO+imC4/jz9XOSxLB8B/sWnxMYAcNyao="
VERSION = "v1.34"


def pods() -> Iterator[tuple[str, Manifest]]:
    for folder, rendered in everything().items():
        for (kind, name), manifest in rendered.items():
            pod = pod_of(manifest)
            if pod is not None:
                yield f"{folder} {kind} {name}", pod


PODS = dict(pods())
every_pod = pytest.mark.parametrize("pod", PODS.values(), ids=PODS)


def containers(pod: Manifest) -> list[Manifest]:
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]


@every_pod
def test_a_pod_passes_the_restricted_profile(pod):
    assert complaints(pod) == []


@every_pod
def test_a_pod_writes_only_where_it_mounted_something(pod):
    assert all(container["securityContext"].get("readOnlyRootFilesystem") is True for container in containers(pod))


@every_pod
def test_a_pod_asks_for_what_it_needs_and_cannot_take_all_memory(pod):
    for container in containers(pod):
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        assert "memory" in container["resources"]["limits"]


@every_pod
def test_only_the_gateway_has_a_token(pod):
    component = pod["metadata"]["labels"]["app.kubernetes.io/component"]
    if pod["spec"].get("automountServiceAccountToken") is not False:
        assert (component, pod["spec"]["serviceAccountName"]) == ("web", "tidegate-web")


def test_the_rules_agree_with_kubernetes_on_its_own_examples():
    """The module that decides in an API server brings pods that it must refuse, and pods that it must take."""
    folder = module_folder(*ADMISSION) / "test/testdata/restricted" / VERSION
    verdicts = {
        outcome: {file.name: complaints(yaml.safe_load(file.read_text())) for file in (folder / outcome).glob("*.yaml")}
        for outcome in ("pass", "fail")
    }
    assert len(verdicts["fail"]) > 50
    assert [name for name, found in verdicts["fail"].items() if not found] == []
    assert {name: found for name, found in verdicts["pass"].items() if found and "windows" not in name} == {}


def test_a_pod_that_may_run_as_root_would_be_noticed():
    pod = copy.deepcopy(PODS["k8s Deployment tidegate-serving"])
    pod["spec"]["securityContext"]["runAsNonRoot"] = False
    assert complaints(pod) == ["runAsNonRoot is false", "serving: runAsNonRoot is not true"]
