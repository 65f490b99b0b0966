"""A real API server takes every kustomization, and Pod Security `restricted` every pod."""

import json

import pytest

from tests.cluster.overlay import ROOT
from tests.manifests.rendering import render

pytestmark = pytest.mark.cluster

OVERLAYS = sorted(
    str(path.parent.relative_to(ROOT))
    for path in ROOT.glob("k8s/overlays/*/kustomization.yaml")
    if not (path.parent / "namespace").exists()  # refused until the user has named theirs
)

every_folder = pytest.mark.parametrize("folder", ["k8s", *OVERLAYS])


@every_folder
def test_the_api_server_accepts_it(cluster, folder):
    accepted = cluster.kubectl("apply", "--dry-run=server", "-k", folder)
    assert accepted.count("(server dry run)") == len(render(folder))


@every_folder
def test_pod_security_restricted_admits_its_pods(cluster, folder):
    templates = [manifest["spec"]["template"] for (kind, _), manifest in render(folder).items() if kind == "Deployment"]
    for template in templates:
        # The account and the priority are objects of their own, which a dry run does not make
        spec = {**template["spec"], "serviceAccountName": "default", "priorityClassName": ""}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "admitted"}, "spec": spec}
        cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))
    assert templates


def test_pod_security_restricted_refuses_a_pod_that_may_be_root(cluster):
    spec = {"containers": [{"name": "root", "image": "tidegate/web:0.1.0"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "refused"}, "spec": spec}
    done = cluster.run("kubectl", "create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))
    assert done.returncode != 0
    assert "violates PodSecurity" in done.stderr
