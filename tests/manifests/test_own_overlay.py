"""The overlay that is written for a state renders to what the state says, and to no more than that."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from release.checkout import Checkout
from release.state import Place, State, StateError, Volume, load
from release.transitions import Candidate, canary, deploy, promote, release
from tests.manifests.kustomizations import components
from tests.manifests.rendering import ROOT, Manifest, render
from tidegate_serving.settings import read
from tidegate_web.serving.router import parse_routes

Rendered = dict[tuple[str, str], Manifest]
CARD = '{"title": "Exclusive or"}'


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A copy of what the overlay builds upon."""
    for part in ("k8s", "hpa"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("own", "__pycache__"))
    for tier in ("web", "serving"):
        (tmp_path / "services" / tier).mkdir(parents=True)
        shutil.copy(ROOT / "services" / tier / "pyproject.toml", tmp_path / "services" / tier)
    return Checkout(tmp_path)


def written(checkout: Checkout, state: State, cards: dict[str, str] | None = None) -> Rendered:
    checkout.write(state, cards or {})
    return render(str(checkout.own))


def with_xor(checkout: Checkout, **changes: str) -> State:
    state = deploy(checkout.deployed(), Candidate("xor", 1, "a" * 64))
    document = checkout.own / "release.yaml"
    checkout.write(state, {"xor": CARD})
    for old, new in changes.items():
        document.write_text(document.read_text().replace(f"{old}: ''", f"{old}: {new}"))
    return load(document.read_text())


def container(rendered: Rendered, tier: str) -> Manifest:
    (only,) = rendered["Deployment", f"tidegate-{tier}"]["spec"]["template"]["spec"]["containers"]
    return dict(only)


def served(rendered: Rendered, folder: Path) -> dict[str, dict[str, int]]:
    file = folder / "rendered.config"
    file.write_text(rendered["ConfigMap", "tidegate-models"]["data"]["models.config"])
    models = read([f"--model_config_file={file}"]).models
    for model in models:
        assert set(model.model_version_policy.specific.versions) == set(dict(model.version_labels).values())
        assert model.base_path == f"/models/{model.name}"
    return {model.name: dict(model.version_labels) for model in models}


@pytest.mark.parametrize("overlay", ["", "k8s/overlays/laptop", "k8s/overlays/capped"])
def test_without_a_model_of_ones_own_it_deploys_what_lies_below(checkout, overlay):
    state = checkout.deployed()
    base = checkout.base(str(checkout.root / overlay)) if overlay else state.base
    checkout.write(State(base, (), "", state.web, state.serving, state.models), {})
    assert render(str(checkout.own)) == render(str(checkout.root / base))
    assert checkout.deployed().base == base


def test_a_model_of_ones_own_sets_form_card_labels_weights_and_load(checkout, tmp_path):
    rendered = written(checkout, with_xor(checkout), {"xor": CARD})
    assert served(rendered, tmp_path) == {"xor": {"stable": 1}}
    environ = {variable["name"]: variable.get("value") for variable in container(rendered, "web")["env"]}
    assert environ["TIDEGATE_MODELS"] == "xor"
    assert environ["TIDEGATE_BACKENDS"] == "endpointslice:tidegate-serving:8500"
    assert rendered["ConfigMap", "tidegate-cards"]["data"] == {"xor.json": CARD}
    routes = parse_routes(rendered["ConfigMap", "tidegate-routes"]["data"]["routes.yaml"])
    assert routes["xor"].shares == {"stable": 1.0}
    assert "monitoring.config" in rendered["ConfigMap", "tidegate-models"]["data"]


def test_only_a_change_of_what_is_served_gives_the_model_servers_another_template(checkout):
    model = release(with_xor(checkout).model("xor"), Candidate("xor", 2, "b" * 64))
    steps = [model, canary(model, 10), *promote(model)]
    templates = []
    for step in steps:
        render.cache_clear()
        rendered = written(checkout, checkout.deployed().with_model(step))
        templates.append(
            [rendered["Deployment", f"tidegate-{tier}"]["spec"]["template"] for tier in ("web", "serving")]
        )
    web, serving = zip(*templates, strict=True)
    assert all(template == web[0] for template in web)
    assert [template == serving[0] for template in serving] == [True, True, True, False, False]
    assert serving[3] == serving[4]


def test_a_registry_is_where_every_image_comes_from(checkout):
    state = with_xor(checkout, registry="registry.example/team")
    rendered = written(checkout, state)
    assert container(rendered, "web")["image"] == f"registry.example/team/tidegate-web:{state.web.tag}"
    assert container(rendered, "serving")["image"] == f"registry.example/team/tidegate-serving:{state.serving.tag}"


def test_another_gateway_is_named_in_image_and_label(checkout):
    state = checkout.deployed()
    rendered = written(checkout, State(state.base, (), "", state.web.moved("0.9.0"), state.serving, state.models))
    assert container(rendered, "web")["image"] == "tidegate/web:0.9.0"
    deployment = rendered["Deployment", "tidegate-web"]
    for labels in (deployment["metadata"]["labels"], deployment["spec"]["template"]["metadata"]["labels"]):
        assert labels["app.kubernetes.io/version"] == "0.9.0"


def test_a_volume_is_mounted_where_the_model_is_looked_for_and_cannot_be_written(checkout):
    state = deploy(checkout.deployed(), Candidate("my.xor", 3, volume=Volume("models", "of/xor")))
    rendered = written(checkout, state)
    spec = rendered["Deployment", "tidegate-serving"]["spec"]["template"]["spec"]
    (volume,) = [volume for volume in spec["volumes"] if "persistentVolumeClaim" in volume]
    assert volume["persistentVolumeClaim"] == {"claimName": "models", "readOnly": True}
    (mount,) = [mount for mount in spec["containers"][0]["volumeMounts"] if mount["name"] == volume["name"]]
    assert mount == {"name": volume["name"], "mountPath": "/models/my.xor", "subPath": "of/xor", "readOnly": True}


PLACE = Place("kind-tidegate", "trial")


def test_components_come_on_top(checkout):
    both = checkout.components("capped expose-route")
    rendered = written(checkout, replace(checkout.deployed(), components=both, place=PLACE))
    assert container(rendered, "web")["resources"]["limits"]["cpu"] == "200m"


@pytest.mark.parametrize("name", [Path(folder).name for folder in components()])
def test_every_component_can_be_put_on_top_by_its_name(checkout, name):
    rendered = written(checkout, replace(checkout.deployed(), components=checkout.components(name), place=PLACE))
    assert ("Deployment", "tidegate-web") in rendered
    assert {manifest["metadata"].get("namespace") for manifest in rendered.values()} == {"trial"}


def test_keda_is_told_the_namespace_that_is_deployed_to(checkout):
    names = checkout.components("inflight-autoscaling")
    rendered = written(checkout, replace(checkout.deployed(), components=names, place=PLACE))
    (trigger, _) = rendered["ScaledObject", "tidegate-serving"]["spec"]["triggers"]
    assert trigger["metadata"]["url"].startswith("http://tidegate-web-ops.trial.svc")


def test_components_stay_until_others_or_none_are_named(checkout):
    assert checkout.components("") is None
    assert checkout.components("none") == ()
    with pytest.raises(StateError, match=r"expected none, or some of capped, .*; came caped"):
        checkout.components("caped")
    checkout.write(replace(checkout.deployed(), components=checkout.components("capped"), place=PLACE), {})
    written(checkout, replace(checkout.deployed(), components=()))
    assert not (checkout.own / "namespace/kustomization.yaml").exists()


def test_a_card_goes_with_its_model_and_no_half_written_file_stays(checkout):
    checkout.write(with_xor(checkout), {"xor": CARD})
    assert {file.name for file in checkout.own.iterdir()} == {
        "cards",
        "kustomization.yaml",
        "models.config",
        "release.yaml",
        "routes.yaml",
    }
    checkout.write(checkout.examples(), {})
    assert {file.name for file in checkout.own.iterdir()} == {"cards", "kustomization.yaml", "release.yaml"}
    assert not list((checkout.own / "cards").iterdir())
