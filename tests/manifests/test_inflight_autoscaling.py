"""What the component inflight-autoscaling promises, read off its renderings."""

import os
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from tests.manifests.rendering import ROOT, Manifest, render
from tidegate_web.metrics import Metrics
from tidegate_web.settings import Settings

OVERLAY = "k8s/overlays/inflight"
COMPONENT = ROOT / "k8s/components/inflight-autoscaling"
PROMETHEUS = ROOT / "k8s/components/inflight-autoscaling-prometheus"


def over(base: str, to: Path, component: Path = COMPONENT, namespace: str | None = "somewhere") -> dict[str, Manifest]:
    """Render the component over a kustomization that a user may have, in a namespace; gives what scales, by kind."""
    folder = to.resolve() / "own"
    names = folder / "namespace"
    names.mkdir(parents=True)
    kustomization = {
        "kind": "Kustomization",
        "resources": [os.path.relpath(ROOT / base, folder)],
        "components": [*(["namespace"] if namespace else []), os.path.relpath(component, folder)],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    kind = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", "namespace": namespace}
    (names / "kustomization.yaml").write_text(yaml.safe_dump(kind))
    return of_serving(render(str(folder)))


def of_serving(rendering: dict[tuple[str, str], Manifest]) -> dict[str, Manifest]:
    return {kind: manifest for (kind, name), manifest in rendering.items() if name == "tidegate-serving"}


def triggers(scaled: Manifest) -> tuple[Manifest, Manifest]:
    pending, cpu = scaled["spec"]["triggers"]
    return pending, cpu


def test_the_model_servers_have_one_autoscaler_and_keda_writes_it_under_the_bases_name():
    rendering = render(OVERLAY)
    assert [name for kind, name in rendering if kind == "HorizontalPodAutoscaler"] == ["tidegate-web"]
    scaled = rendering["ScaledObject", "tidegate-serving"]
    assert scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["name"] == "tidegate-serving"
    assert scaled["metadata"]["annotations"] == {"scaledobject.keda.sh/transfer-hpa-ownership": "true"}
    assert scaled["spec"]["scaleTargetRef"] == {"name": "tidegate-serving"}


def test_everything_else_is_the_bases():
    def bare(folder: str) -> dict[tuple[str, str], Manifest]:
        return {
            name: {key: value for key, value in manifest.items() if key not in {"metadata", "subjects"}}
            for name, manifest in render(folder).items()
        }

    mine, base = bare(OVERLAY), bare("k8s")
    del mine["ScaledObject", "tidegate-serving"]
    del base["HorizontalPodAutoscaler", "tidegate-serving"]
    assert mine == base


@pytest.mark.parametrize("base", ["k8s/base", "k8s/overlays/laptop", "k8s/overlays/production"])
def test_bounds_behaviour_and_cpu_target_are_those_of_the_autoscaler_it_replaces(base, tmp_path):
    old = render(base)["HorizontalPodAutoscaler", "tidegate-serving"]["spec"]
    new = over(base, tmp_path)["ScaledObject"]["spec"]
    assert (new["minReplicaCount"], new["maxReplicaCount"]) == (old["minReplicas"], old["maxReplicas"])
    assert new["minReplicaCount"] >= 1
    assert new["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == old["behavior"]
    (cpu,) = old["metrics"]
    assert triggers(over(base, tmp_path / "again")["ScaledObject"])[1] == {
        "type": "cpu",
        "metricType": cpu["resource"]["target"]["type"],
        "metadata": {"value": str(cpu["resource"]["target"]["averageUtilization"])},
    }


def test_keda_is_told_the_service_of_the_gateways_own_ports_in_the_namespace_that_it_goes_to(tmp_path):
    scaled = over("k8s/base", tmp_path, namespace="elsewhere")["ScaledObject"]
    assert scaled["metadata"]["namespace"] == "elsewhere"
    pending, _ = triggers(scaled)
    assert pending["type"] == "metrics-api"
    url = urlsplit(pending["metadata"]["url"])
    assert url.hostname == "tidegate-web-ops.elsewhere.svc.cluster.local"
    assert url.path == "/metrics"
    (port,) = render("k8s")["Service", "tidegate-web-ops"]["spec"]["ports"]
    assert port["targetPort"] == url.port
    (container,) = render("k8s")["Deployment", "tidegate-web"]["spec"]["template"]["spec"]["containers"]
    assert url.port in [port["containerPort"] for port in container["ports"]]


def test_keda_adds_up_an_unlabelled_gauge_that_the_gateway_exports():
    pending, _ = triggers(render(OVERLAY)["ScaledObject", "tidegate-serving"])
    assert pending["metricType"] == "AverageValue"
    metadata = pending["metadata"]
    assert (metadata["format"], metadata["aggregationType"]) == ("prometheus", "sum")
    assert metadata["aggregateFromKubeServiceEndpoints"] == "true"
    assert float(metadata["targetValue"]) > 0
    exported = {sample.name: sample.labels for family in Metrics().registry.collect() for sample in family.samples}
    assert exported[metadata["valueLocation"]] == {}


def test_a_gateway_takes_in_more_than_keeps_two_model_servers_on_target():
    """Otherwise overload would be turned away before the autoscaler saw it."""
    pending, _ = triggers(render(OVERLAY)["ScaledObject", "tidegate-serving"])
    settings = Settings()
    assert settings.max_inflight + settings.max_queue >= 2 * float(pending["metadata"]["targetValue"])


def test_without_a_namespace_it_does_not_render_and_the_words_lead_to_the_component(tmp_path):
    with pytest.raises(AssertionError, match=r"components/inflight-autoscaling.*metadata\.namespace` is missing"):
        over("k8s/base", tmp_path, namespace=None)


def test_a_namespace_that_was_never_said_is_none_that_the_cluster_has():
    assert {manifest["metadata"]["namespace"] for manifest in render(OVERLAY).values()} == {"your-namespace"}


def test_prometheus_is_asked_for_the_same_sum_of_one_namespace_and_its_silence_is_no_zero(tmp_path):
    scaled = over("k8s/base", tmp_path, PROMETHEUS)["ScaledObject"]
    pending, cpu = triggers(scaled)
    plain, same_cpu = triggers(over("k8s/base", tmp_path / "again")["ScaledObject"])
    assert cpu == same_cpu
    assert pending["type"] == "prometheus"
    assert pending["metadata"] == {
        "serverAddress": "http://prometheus-operated.monitoring.svc:9090",
        "query": f'sum({plain["metadata"]["valueLocation"]}{{namespace="somewhere"}})',
        "threshold": plain["metadata"]["targetValue"],
        "ignoreNullValues": "false",
    }


@pytest.fixture
def choose(tmp_path):
    """Run k8s/autoscaling.sh with a kubectl that answers as the given lines of a shell's case say."""

    def run(signal: str, *answers: str, **settings: str) -> subprocess.CompletedProcess[str]:
        kubectl = tmp_path / "kubectl"
        kubectl.write_text("\n".join(["#!/bin/sh", 'case "$*" in', *answers, "esac"]))
        kubectl.chmod(0o755)
        environment = {"SIGNAL": signal, "PATH": f"{tmp_path}:/usr/bin:/bin"} | settings
        command = ["k8s/autoscaling.sh"]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize("signal", ["", "memory"])
def test_the_script_names_the_signals_that_there_are(choose, signal):
    done = choose(signal)
    assert done.returncode == 1
    assert f"SIGNAL={signal}: expected inflight or cpu" in done.stderr


@pytest.mark.parametrize(("setting", "value"), [("TARGET", "many"), ("TARGET", "0"), ("CPU", "60%")])
def test_the_script_takes_no_target_that_keda_could_not_read(choose, setting, value):
    done = choose("inflight", "*apply*) echo changed >&2 ;;", **{setting: value})
    assert done.returncode == 1
    assert f"{setting}={value}: expected a whole number above 0" in done.stderr
    assert "changed" not in done.stderr


def test_the_script_asks_for_keda_before_it_changes_anything(choose):
    done = choose("inflight", "*crd*) exit 1 ;;", "*apply*) echo changed >&2 ;;")
    assert done.returncode == 1
    assert "the cluster has no KEDA" in done.stderr
    assert "2.20 or newer" in done.stderr
    assert "changed" not in done.stderr


def test_the_script_asks_for_a_deployment_where_there_is_none(choose):
    done = choose("inflight", '*"get hpa"*) echo \'"tidegate-serving" not found\' >&2; exit 1 ;;')
    assert done.returncode == 1
    assert '"tidegate-serving" not found' in done.stderr
    assert "Deploy first: make deploy" in done.stderr


def test_the_script_leaves_cpu_alone_where_it_is_what_counts(choose):
    done = choose("cpu", "*delete* | *patch*) exit 1 ;;")
    assert done.returncode == 0
    assert "scales on CPU alone already" in done.stdout
