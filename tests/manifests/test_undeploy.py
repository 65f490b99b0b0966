"""`make undeploy` leaves nothing behind, on clusters with KEDA and without, and takes nothing out of another place."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.doubles.kubectl import Kubectl
from tests.manifests.rendering import ROOT

KEDA = {"api-resources --api-group=keda.sh *": (0, "scaledobjects.keda.sh\ntriggerauthentications.keda.sh\n")}
STATE = "# What is deployed\ncontext: kind-tidegate\nnamespace: mine\nbase: k8s/base\n"
SCALED = "delete --ignore-not-found --timeout=60s scaledobject tidegate-serving"
OURS = "-l app.kubernetes.io/part-of=tidegate,app.kubernetes.io/name=tidegate"
KINDS = "configmaps,deployments.apps,services,networkpolicies.networking.k8s.io"
REST = f"delete --ignore-not-found {KINDS} {OURS}"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "release.yaml").write_text(STATE)
    return folder


def undeploy(own: Path, kubectl: Kubectl, **environment: str) -> "subprocess.CompletedProcess[str]":
    environ = os.environ | {"PATH": kubectl.path, "OWN": str(own)} | environment
    return subprocess.run(
        [ROOT / "k8s/undeploy.sh"], env=environ, capture_output=True, text=True, check=False, timeout=60
    )


def deletions(kubectl: Kubectl) -> list[str]:
    return [call for call in kubectl.calls() if call.startswith("delete")]


def test_kedas_object_goes_first_then_the_overlay_then_what_releases_and_components_of_before_left(own, tmp_path):
    kubectl = Kubectl(tmp_path / "bin", "kind-tidegate", "mine", KEDA)
    done = undeploy(own, kubectl)
    assert done.returncode == 0, done.stderr
    assert deletions(kubectl) == [SCALED, f"delete --ignore-not-found -k {own}", REST]


def test_a_cluster_without_keda_is_not_asked_for_its_object(own, tmp_path):
    kubectl = Kubectl(tmp_path / "bin", "kind-tidegate", "mine")
    assert undeploy(own, kubectl).returncode == 0
    assert deletions(kubectl) == [f"delete --ignore-not-found -k {own}", REST]


def test_where_there_is_a_prometheus_operator_what_is_its_goes_too(own, tmp_path):
    known = {"api-resources --api-group=monitoring.coreos.com *": (0, "podmonitors.monitoring.coreos.com\n")}
    kubectl = Kubectl(tmp_path / "bin", "kind-tidegate", "mine", known)
    assert undeploy(own, kubectl).returncode == 0
    assert deletions(kubectl)[-1] == f"delete --ignore-not-found {KINDS},podmonitors.monitoring.coreos.com {OURS}"


def test_a_keda_that_does_not_let_go_is_told(own, tmp_path):
    kubectl = Kubectl(tmp_path / "bin", "kind-tidegate", "mine", KEDA | {SCALED: (1, "timed out\n")})
    done = undeploy(own, kubectl)
    assert done.returncode == 1
    assert "its operator does that: is it running?" in done.stderr
    assert deletions(kubectl) == [SCALED]


UNKNOWN = """\
resource mapping not found for name: "tidegate" namespace: "" from "own": no matches for kind "PodMonitor"
ensure CRDs are installed first
"""


def test_a_component_whose_operator_has_gone_is_no_failure(own, tmp_path):
    kubectl = Kubectl(tmp_path / "bin", "kind-tidegate", "mine", {"delete * -k *": (1, UNKNOWN)})
    done = undeploy(own, kubectl)
    assert done.returncode == 0, done.stderr
    assert deletions(kubectl)[-1] == REST


def test_what_kubectl_could_not_delete_is_a_failure_in_its_words(own, tmp_path):
    kubectl = Kubectl(tmp_path / "bin", "kind-tidegate", "mine", {"delete * -k *": (1, f"{UNKNOWN}forbidden\n")})
    done = undeploy(own, kubectl)
    assert done.returncode == 1
    assert done.stderr.startswith("forbidden\n")
    assert "context: kind-tidegate" in (own / "release.yaml").read_text()


def test_what_is_undeployed_is_nowhere_any_more(own, tmp_path):
    assert undeploy(own, Kubectl(tmp_path / "bin", "kind-tidegate", "mine")).returncode == 0
    assert (own / "release.yaml").read_text() == "# What is deployed\nbase: k8s/base\n"


@pytest.mark.parametrize(
    ("context", "namespace", "came"),
    [("prod", "mine", "mine of prod"), ("kind-tidegate", "", "default of kind-tidegate")],
)
def test_another_place_is_refused_unless_the_overlay_is_named(own, tmp_path, context, namespace, came):
    kubectl = Kubectl(tmp_path / "bin", context, namespace)
    done = undeploy(own, kubectl)
    assert done.returncode == 2
    assert "deployed in namespace mine of kind-tidegate" in done.stderr
    assert f"points to namespace {came}" in done.stderr
    assert deletions(kubectl) == []
    assert undeploy(own, kubectl, OVERLAY=str(own)).returncode == 0
    assert (own / "release.yaml").read_text() == STATE
