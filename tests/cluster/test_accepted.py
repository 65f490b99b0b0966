"""A real API server takes every kustomization."""

import pytest

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("folder", ["k8s", "k8s/overlays/laptop", "k8s/overlays/production", "k8s/overlays/capped"])
def test_the_api_server_accepts_it(kubectl, folder):
    accepted = kubectl("apply", "--dry-run=server", "-k", folder)
    assert accepted.count("(server dry run)") == 14
