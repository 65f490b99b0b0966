"""`make deploy` says what a cluster lacks before it builds anything."""

import os
import subprocess

import pytest

from tests.doubles.kubectl import Kubectl
from tests.manifests.rendering import ROOT

METRICS = "get --raw /apis/metrics.k8s.io/v1beta1"
VERSION = '{\n  "major": "1",\n  "minor": "%s",\n  "gitVersion": "v1"\n}'


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"version": (1, "refused\n")}, "the cluster prod does not answer: kubectl cluster-info"),
        ({"get --raw /version": (0, VERSION % "29+")}, "runs Kubernetes 1.29: expected 1.30 or newer"),
        ({"get --raw /version": (0, VERSION % "30"), METRICS: (1, "not found\n")}, "has no metrics-server"),
    ],
)
def test_a_cluster_that_lacks_something_is_told_before_anything_is_built(tmp_path, answers, said):
    kubectl = Kubectl(tmp_path, "prod", answers=answers)
    done = subprocess.run(
        [ROOT / "k8s/deploy.sh"],
        env=os.environ | {"PATH": kubectl.path, "OWN": str(tmp_path / "own")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert not (tmp_path / "own").exists()
