"""The manifests that docs/how-to/canary.md has for those who go without make render, and their parts fit each other."""

import re
import shutil
from pathlib import Path

import pytest

from tests.manifests.rendering import Manifest, render
from tidegate_serving.settings import read
from tidegate_web.serving.router import parse_routes
from tidegate_web.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
FILES = ("routes.yaml", "models.config", "kustomization.yaml")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Manifest]:
    """The example in a copy of the manifests."""
    folder = tmp_path_factory.mktemp("canary")
    for part in ("k8s", "hpa"):
        shutil.copytree(ROOT / part, folder / part)
    overlay = folder / "k8s/overlays/canary"
    overlay.mkdir()
    page = (ROOT / "docs/how-to/canary.md").read_text().partition("## By hand")[2]
    blocks = re.findall(r"^```\w*\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    for name, block in zip(FILES, blocks, strict=True):
        (overlay / name).write_text(block)
    return render(str(overlay))


def test_every_label_with_a_weight_is_one_that_the_model_servers_give(rendered, tmp_path):
    file = tmp_path / "models.config"
    file.write_text(rendered["ConfigMap", "tidegate-models"]["data"]["models.config"])
    models = read([f"--model_config_file={file}"]).models
    labels = {model.name: set(model.version_labels) for model in models}
    splits = parse_routes(rendered["ConfigMap", "tidegate-routes"]["data"]["routes.yaml"])
    assert {name: set(split.labels) for name, split in splits.items()} == {
        "and_gate": {"stable", "canary"},
        "digits": {"stable"},
    }
    assert all(set(split.labels) <= labels[name] for name, split in splits.items())
    assert {"monitoring.config", "models.config"} == rendered["ConfigMap", "tidegate-models"]["data"].keys()


def test_the_gateway_reads_the_weights_where_they_are_mounted(rendered):
    pod = rendered["Deployment", "tidegate-web"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    environ = {variable["name"]: variable.get("value", "pod") for variable in container["env"]}
    (mount,) = [mount for mount in container["volumeMounts"] if mount["name"] == "routes"]
    assert Settings.from_environ(environ).routes_file == f"{mount['mountPath']}/routes.yaml"
    assert "subPath" not in mount
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "routes"]
    assert volume["configMap"]["name"] == "tidegate-routes"


def test_the_example_offers_every_model_that_the_base_does(rendered):
    base = (ROOT / "k8s/base/models.config").read_text()
    named = re.compile(r'name: "(\w+)"')
    assert named.findall(rendered["ConfigMap", "tidegate-models"]["data"]["models.config"]) == named.findall(base)
