"""What every kustomization promises, read off its rendering.

Schemas, pod security, network policies and rules have files of their own beside this one.
"""

import re
import tomllib

import pytest

from tests.manifests.kustomizations import applied, components, everything, over_base
from tests.manifests.rendering import ROOT, Manifest, render
from tidegate_web.settings import Settings

TIERS = ("web", "serving")
LONGEST_REQUEST_S = 10
PLAIN = ("k8s", "k8s/overlays/laptop", "k8s/overlays/production", "k8s/overlays/capped")
"""Those that add no kinds to the base's."""

WHOLE = tuple(folder for folder in applied() if ("Deployment", "tidegate-web") in render(folder))
"""Those that deploy Tidegate; the others deploy a part of it."""

plain = pytest.mark.parametrize("folder", PLAIN)
every_folder = pytest.mark.parametrize("folder", WHOLE)
every_rendering = pytest.mark.parametrize("folder", [*applied(), *components()])
every_tier = pytest.mark.parametrize("tier", TIERS)


def pod(folder: str, tier: str) -> Manifest:
    template: Manifest = render(folder)["Deployment", f"tidegate-{tier}"]["spec"]["template"]
    return template


def container(folder: str, tier: str) -> Manifest:
    (only,) = pod(folder, tier)["spec"]["containers"]
    return dict(only)


def settings(folder: str) -> dict[str, str | None]:
    return {variable["name"]: variable.get("value") for variable in container(folder, "web")["env"]}


def test_kustomizations_are_found():
    assert {*PLAIN, "k8s/base", "k8s/overlays/production/cluster", "hpa"} <= set(applied())
    assert {"k8s/components/capped", "k8s/components/observability"} <= set(components())
    assert "hpa" not in WHOLE


@plain
def test_it_holds_what_the_names_say(folder):
    assert set(render(folder)) == {
        *((kind, f"tidegate-{tier}") for tier in TIERS for kind in ("Deployment", "HorizontalPodAutoscaler")),
        *(("PodDisruptionBudget", f"tidegate-{tier}") for tier in TIERS),
        *(("Service", name) for name in ("tidegate-web", "tidegate-web-ops", "tidegate-serving")),
        *((kind, "tidegate-web") for kind in ("ServiceAccount", "Role", "RoleBinding")),
        *(("ConfigMap", name) for name in ("tidegate-models", "tidegate-routes", "tidegate-cards")),
    }


@every_folder
def test_every_config_map_that_a_pod_mounts_is_there(folder):
    """By its whole name: kustomize puts a hash behind some."""
    there = {manifest["metadata"]["name"] for (kind, _), manifest in render(folder).items() if kind == "ConfigMap"}
    volumes = [volume for tier in TIERS for volume in pod(folder, tier)["spec"]["volumes"]]
    assert {volume["configMap"]["name"] for volume in volumes if "configMap" in volume} <= there


@plain
def test_nothing_names_a_namespace(folder):
    assert not any("namespace" in manifest["metadata"] for manifest in render(folder).values())


@every_folder
@every_tier
def test_one_autoscaler_owns_the_number_of_replicas(folder, tier):
    found = render(folder)
    assert "replicas" not in found["Deployment", f"tidegate-{tier}"]["spec"]
    kinds = ("HorizontalPodAutoscaler", "ScaledObject")
    (autoscaler,) = [found[kind, f"tidegate-{tier}"] for kind in kinds if (kind, f"tidegate-{tier}") in found]
    assert {"apiVersion": "apps/v1", "kind": "Deployment"} | autoscaler["spec"]["scaleTargetRef"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": f"tidegate-{tier}",
    }


@pytest.mark.parametrize(
    ("folder", "web", "serving"),
    [
        ("k8s", (2, 6), (2, 5)),
        ("k8s/overlays/laptop", (1, 6), (1, 5)),
        ("k8s/overlays/production", (3, 6), (3, 5)),
        ("k8s/overlays/capped", (2, 6), (2, 5)),
    ],
)
def test_each_overlay_has_its_bounds(folder, web, serving):
    for tier, bounds in (("web", web), ("serving", serving)):
        spec = render(folder)["HorizontalPodAutoscaler", f"tidegate-{tier}"]["spec"]
        assert (spec["minReplicas"], spec["maxReplicas"]) == bounds


@every_folder
@every_tier
def test_utilisation_has_a_request_to_be_a_share_of(folder, tier):
    requests = container(folder, tier)["resources"]["requests"]
    assert requests["cpu"] == {"web": "100m", "serving": "150m"}[tier]
    assert "memory" in requests


@every_folder
def test_only_the_capped_overlay_limits_cpu(folder):
    limits = [container(folder, tier)["resources"]["limits"].get("cpu") for tier in TIERS]
    assert limits == (["200m", "500m"] if folder == "k8s/overlays/capped" else [None, None])


@every_folder
@every_tier
def test_selectors_name_only_what_never_changes(folder, tier):
    labels = {"app.kubernetes.io/name": "tidegate", "app.kubernetes.io/component": tier}
    found = render(folder)
    assert found["Deployment", f"tidegate-{tier}"]["spec"]["selector"]["matchLabels"] == labels
    assert found["PodDisruptionBudget", f"tidegate-{tier}"]["spec"]["selector"]["matchLabels"] == labels
    assert found["Service", f"tidegate-{tier}"]["spec"]["selector"] == labels
    assert labels.items() <= pod(folder, tier)["metadata"]["labels"].items()


@every_rendering
def test_everything_carries_the_recommended_labels(folder):
    # hpa/ is the base's: what it lacks by itself the base gives it
    if folder != "hpa":
        for manifest in everything()[folder].values():
            labels = manifest["metadata"]["labels"]
            assert {"app.kubernetes.io/name", "app.kubernetes.io/component"} <= labels.keys()
            assert labels["app.kubernetes.io/part-of"] == "tidegate"
            assert labels["app.kubernetes.io/managed-by"] == "kustomize"


@every_folder
@every_tier
def test_images_and_labels_carry_the_packages_version(folder, tier):
    version = tomllib.loads((ROOT / "services" / tier / "pyproject.toml").read_text())["project"]["version"]
    assert container(folder, tier)["image"] == f"tidegate/{tier}:{version}"
    assert container(folder, tier)["imagePullPolicy"] == "IfNotPresent"
    assert pod(folder, tier)["metadata"]["labels"]["app.kubernetes.io/version"] == version


@every_folder
@every_tier
def test_probes_are_quick_to_start_and_patient_to_kill(folder, tier):
    only = container(folder, tier)
    assert only["startupProbe"]["periodSeconds"] == 1
    assert only["livenessProbe"]["periodSeconds"] * only["livenessProbe"]["failureThreshold"] >= 60
    kind = {"web": "httpGet", "serving": "tcpSocket"}[tier]
    assert all(kind in only[f"{probe}Probe"] for probe in ("startup", "readiness", "liveness"))


@every_folder
def test_a_planned_stop_has_time_for_the_longest_request(folder):
    web, serving = pod(folder, "web")["spec"], pod(folder, "serving")["spec"]
    drain_s = float(settings(folder).get("TIDEGATE_DRAIN_S") or Settings().drain_s)
    assert web["terminationGracePeriodSeconds"] >= drain_s + LONGEST_REQUEST_S + 1
    sleep_s = serving["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert sleep_s >= LONGEST_REQUEST_S
    assert serving["terminationGracePeriodSeconds"] >= sleep_s + LONGEST_REQUEST_S


@every_folder
def test_ports_are_those_of_the_design(folder):
    found = render(folder)
    ports = {
        name: [(port["port"], port["targetPort"]) for port in found["Service", name]["spec"]["ports"]]
        for name in ("tidegate-web", "tidegate-web-ops", "tidegate-serving")
    }
    assert ports == {
        "tidegate-web": [(8080, "http")],
        "tidegate-web-ops": [(8081, 8081)],
        "tidegate-serving": [(8500, 8500), (8501, 8501)],
    }
    assert found["Service", "tidegate-serving"]["spec"]["clusterIP"] == "None"
    assert found["Service", "tidegate-web-ops"]["spec"]["clusterIP"] == "None"


def test_production_spreads_over_nodes_and_prefers_zones():
    for tier in TIERS:
        constraints = pod("k8s/overlays/production", tier)["spec"]["topologySpreadConstraints"]
        assert {one["topologyKey"]: one["whenUnsatisfiable"] for one in constraints} == {
            "kubernetes.io/hostname": "DoNotSchedule",
            "topology.kubernetes.io/zone": "ScheduleAnyway",
        }
        assert all(one["labelSelector"]["matchLabels"]["app.kubernetes.io/component"] == tier for one in constraints)


def test_production_lets_nodes_be_drained_a_quarter_at_a_time():
    for tier in TIERS:
        spec = render("k8s/overlays/production")["PodDisruptionBudget", f"tidegate-{tier}"]["spec"]
        assert spec["maxUnavailable"] == "25%"
        assert render("k8s")["PodDisruptionBudget", f"tidegate-{tier}"]["spec"]["maxUnavailable"] == 1


def test_production_names_the_priority_that_the_cluster_shares():
    """Apart from the overlay: deleting one namespace's must not take it from the others."""
    ((kind, name),) = render("k8s/overlays/production/cluster")
    assert (kind, name) not in render("k8s/overlays/production")
    assert {pod("k8s/overlays/production", tier)["spec"]["priorityClassName"] for tier in TIERS} == {name}
    assert all("priorityClassName" not in pod("k8s", tier)["spec"] for tier in TIERS)


@every_folder
@every_tier
def test_a_pod_that_is_not_ready_never_holds_up_a_drain(folder, tier):
    budget = render(folder)["PodDisruptionBudget", f"tidegate-{tier}"]
    assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_components_go_together():
    """All but variants: one with another's name and a suffix stands in its place."""
    chosen = [name for name in components() if not any(name.startswith(f"{other}-") for other in components())]
    together = set(over_base(*chosen))
    assert {"PodMonitor", "NetworkPolicy"} <= {kind for kind, _ in together}
    assert all(set(over_base(component)) - set(over_base()) <= together for component in chosen)


def test_the_laptop_overlay_fixes_its_port():
    assert render("k8s")["Service", "tidegate-web"]["spec"]["type"] == "LoadBalancer"
    assert render("k8s/overlays/laptop")["Service", "tidegate-web"]["spec"]["ports"][0]["nodePort"] == 30080


@every_folder
def test_the_gateway_may_watch_endpoints_and_nothing_else(folder):
    assert render(folder)["Role", "tidegate-web"]["rules"] == [
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["get", "list", "watch"]}
    ]
    assert pod(folder, "serving")["spec"]["automountServiceAccountToken"] is False


def test_the_capped_overlay_exposes_the_route():
    assert settings("k8s/overlays/capped")["TIDEGATE_EXPOSE_ROUTE"] == "1"


@every_folder
def test_the_gateway_offers_what_the_model_servers_serve_and_has_a_card_of_each(folder):
    served = re.findall(
        r'name: "(\w+)"\s+base_path: "/models/\1"',
        render(folder)["ConfigMap", "tidegate-models"]["data"]["models.config"],
    )
    said = settings(folder)
    assert (said["TIDEGATE_MODELS"] or "").split(",") == served == ["and_gate", "digits"]
    assert set(render(folder)["ConfigMap", "tidegate-cards"]["data"]) == {f"{name}.json" for name in served}
    (mount,) = [mount for mount in container(folder, "web")["volumeMounts"] if mount["name"] == "cards"]
    assert (mount["mountPath"], mount["readOnly"]) == (said["TIDEGATE_CARDS_DIR"], True)
    (volume,) = [volume for volume in pod(folder, "web")["spec"]["volumes"] if volume["name"] == "cards"]
    assert volume["configMap"]["name"] == "tidegate-cards"


def test_the_cards_are_those_of_the_trained_models(model_folder):
    """`make cards` writes them. They do not hang on the weights, so they are the same everywhere."""
    for card in (ROOT / "k8s/base/cards").iterdir():
        assert card.read_text() == (model_folder / card.stem / "1/assets.extra/tidegate.json").read_text()
