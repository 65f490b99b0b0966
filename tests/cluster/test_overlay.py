"""The kustomization that tests deploy has what they chose. No cluster needed."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.overlay import ROOT, patch, write
from tests.manifests.rendering import render


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder inside the checkout, from which kustomize can reach the base."""
    inside = ROOT / "build" / "cluster" / tmp_path.name
    yield inside
    shutil.rmtree(inside)


def test_it_is_the_base_with_what_was_chosen(folder):
    write(
        folder,
        replicas={"web": (2, 7)},
        requests={"web": "10m", "serving": "20m"},
        down_s=30,
        env={"TIDEGATE_DRAIN_S": "1"},
        components=["capped"],
        patches=[patch("Deployment", "tidegate-web", ("add", "/spec/replicas", 3))],
        node_port=30080,
    )
    made, base = render(str(folder)), render("k8s")
    assert made.keys() == base.keys()
    bounds = {tier: made["HorizontalPodAutoscaler", f"tidegate-{tier}"]["spec"] for tier in ("web", "serving")}
    assert [(spec["minReplicas"], spec["maxReplicas"]) for spec in bounds.values()] == [(2, 7), (1, 1)]
    assert {spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] for spec in bounds.values()} == {30}
    web = made["Deployment", "tidegate-web"]["spec"]
    (container,) = web["template"]["spec"]["containers"]
    env = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert (env["TIDEGATE_EXPOSE_ROUTE"], env["TIDEGATE_DRAIN_S"], web["replicas"]) == ("1", "1", 3)
    assert container["resources"]["requests"]["cpu"] == "10m"
    assert container["resources"]["limits"]["cpu"] == "200m"
    assert made["Service", "tidegate-web"]["spec"]["ports"][0]["nodePort"] == 30080
