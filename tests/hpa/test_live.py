"""`explain --live` reads what it needs by kubectl, and no more."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hpa.test_explain import PODS, USAGES, Object, cpu, deployment, external, hpa
from tidegate_hpa import documents, labels, live, snapshot
from tidegate_hpa.errors import InputError
from tidegate_hpa.horizontal import Scale

SCALE = {"kind": "Scale", "metadata": {"name": "web"}, "spec": {}, "status": {"selector": "app=web"}}
OBJECT = {
    "type": "Object",
    "object": {
        "metric": {"name": "qps"},
        "describedObject": {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "main"},
        "target": {"type": "Value", "value": "10"},
    },
}
PER_POD = {"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "1"}}}
METRICS = [cpu(60), external(type="AverageValue", averageValue="5"), OBJECT, PER_POD]


class Cluster:
    """A kubectl that answers from a table and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        scalers = {"kind": "List", "items": [hpa(metrics=METRICS)]}
        self.answers = {
            "get horizontalpodautoscalers.autoscaling -n shop -o json": json.dumps(scalers),
            "api-resources --api-group=apps --no-headers": "deployments  deploy  apps/v1  true  Deployment\n",
            "api-resources --api-group=networking.k8s.io --no-headers": "ingresses ing v1 true Ingress\n",
            "get deployments.apps web -n default -o json --show-managed-fields": json.dumps(deployment()),
            "get deployments.apps web -n default --subresource=scale -o json": json.dumps(SCALE),
            "get pods -n default -o json": json.dumps({"kind": "PodList", "items": PODS}),
            "get --raw /apis/metrics.k8s.io/v1beta1/namespaces/default/pods?labelSelector=app%3Dweb": json.dumps(
                {"kind": "PodMetricsList", "items": USAGES}
            ),
        }

    def __call__(self, arguments):
        self.asked.append(" ".join(arguments))
        try:
            return self.answers[self.asked[-1]]
        except KeyError:
            raise live.KubectlError("Error from server (NotFound)") from None


def test_everything_that_the_metrics_ask_for_is_read():
    cluster = Cluster()
    reading = live.read(cluster, "shop", "web")
    assert set(cluster.answers) <= set(cluster.asked)
    assert [asked for asked in cluster.asked if asked not in cluster.answers] == [
        "get --raw /apis/external.metrics.k8s.io/v1beta1/namespaces/default/queue",
        "get --raw /apis/custom.metrics.k8s.io/v1beta2/namespaces/default/ingresses.networking.k8s.io/main/qps",
        "get --raw /apis/custom.metrics.k8s.io/v1beta2/namespaces/default/pods/*/rps?labelSelector=app%3Dweb",
    ]
    assert reading.failures == ("Error from server (NotFound)",)
    taken = snapshot.take(reading.documents)
    assert (len(taken.autoscalers), len(taken.pods)) == (1, 2)
    assert taken.surroundings(taken.autoscalers[0], 0).scale == Scale(0, 0, "app=web")


def keda(name: str) -> Object:
    selector = {"matchLabels": {"scaledobject.keda.sh/name": name}}
    target = {"type": "AverageValue", "averageValue": "5"}
    metric = {"type": "External", "external": {"metric": {"name": "queue", "selector": selector}, "target": target}}
    return hpa(name, metrics=[metric, metric])


def test_values_without_labels_count_once_and_only_for_the_hpa_that_asked_for_them():
    cluster = Cluster()
    scalers = {"kind": "List", "items": [keda("web"), keda("other")]}
    cluster.answers["get horizontalpodautoscalers.autoscaling -n shop -o json"] = json.dumps(scalers)
    for name, value in (("web", "20"), ("other", "700")):
        values = {"kind": "ExternalMetricValueList", "items": [{"metricName": "queue", "value": value}]}
        path = "/apis/external.metrics.k8s.io/v1beta1/namespaces/default/queue"
        asked = f"{path}?labelSelector=scaledobject.keda.sh/name%3D{name}"
        cluster.answers[f"get --raw {asked}"] = json.dumps(values)
    taken = snapshot.take(live.read(cluster, "shop", None).documents)
    for scaler, milli in zip(taken.autoscalers, (20_000, 700_000), strict=True):
        selector = labels.from_object(scaler.metrics[0].selector)
        assert taken.figures.get_external_metric("queue", "default", selector) == [milli]


def test_what_was_read_can_be_kept_and_explained_again():
    reading = live.read(Cluster(), "shop", None)
    again = snapshot.take([*documents.parse(live.as_json(reading), "kept")])
    assert again.autoscalers == snapshot.take(reading.documents).autoscalers


def test_an_hpa_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(InputError, match="found web"):
        live.read(Cluster(), "shop", "wbe")


def test_hpas_that_cannot_be_read_are_an_error():
    with pytest.raises(InputError, match="NotFound"):
        live.read(Cluster(), "elsewhere", None)


@pytest.fixture
def path(tmp_path: Path) -> str:
    script = tmp_path / "kubectl"
    script.write_text("#!/bin/sh\necho 'error: no configuration has been provided' >&2\nexit 1\n")
    script.chmod(0o755)
    return f"{tmp_path}:{os.environ['PATH']}"


def explained(path: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tidegate_hpa", "explain", "--live"]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path})


def test_kubectls_own_words_come_through(path):
    result = explained(path)
    assert (result.returncode, result.stdout) == (2, "")
    assert "no configuration has been provided" in result.stderr


def test_a_missing_kubectl_is_named(tmp_path):
    result = explained(str(tmp_path))
    assert result.returncode == 2
    assert "expected kubectl on the PATH" in result.stderr
