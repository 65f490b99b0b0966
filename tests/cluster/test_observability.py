"""The component's rules and dashboard in a real Prometheus, over pods under load.

The operator is not there: what it would make of the PodMonitors is made here, through the API server's proxy, so that
pods need not be reachable from this machine. Nor is kube-state-metrics: what reads its metrics is left out.
"""

import json
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.cluster.cluster import Cluster, wait_for
from tests.cluster.load import KeepAliveLoad, failures
from tests.manifests.kustomizations import over_base
from tests.tools import tool

pytestmark = pytest.mark.cluster_full

COMPONENT = "k8s/components/observability"
OUTSIDE = "kube_"
ONLY_AFTER_FAILURES = {"namespace_backend:tidegate_backend_requests_failed:ratio_rate5m"}
EVERY_S = 5
LOAD_S = 45


class Prometheus:
    """A running one: where it answers."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1/query?"

    def query(self, expression: str) -> list[dict[str, Any]]:
        with urllib.request.urlopen(self._url + urllib.parse.urlencode({"query": expression}), timeout=10) as answer:
            return list(json.load(answer)["data"]["result"])

    def alerts(self, state: str) -> set[str]:
        return {found["metric"]["alertname"] for found in self.query(f'ALERTS{{alertstate="{state}"}}')}


def scrape_configs(cluster: Cluster, proxy: str) -> Iterator[dict[str, Any]]:
    """What the operator makes of each PodMonitor, for the pods that are there."""
    for (kind, name), monitor in over_base(COMPONENT).items():
        if kind != "PodMonitor":
            continue
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        targets = []
        for pod, manifest in cluster.pods(name.removeprefix("tidegate-")).items():
            (container,) = manifest["spec"]["containers"]
            (port,) = [one["containerPort"] for one in container["ports"] if one["name"] == endpoint["port"]]
            path = f"/api/v1/namespaces/{cluster.namespace}/pods/{pod}:{port}/proxy{endpoint['path']}"
            labels = {"namespace": cluster.namespace, "pod": pod, "instance": pod, "__metrics_path__": path}
            targets.append({"targets": [proxy], "labels": labels})
        yield {"job_name": f"{cluster.namespace}/{name}", "static_configs": targets}


@pytest.fixture(scope="module")
def prometheus(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, free_ports: Any) -> Iterator[Prometheus]:
    """Tidegate deployed, and a Prometheus that watches it."""
    binary = tool("prometheus")
    cluster.deploy(cluster.overlay())
    folder = tmp_path_factory.mktemp("prometheus")
    port, proxy_port = free_ports(), free_ports()
    every = {"scrape_interval": f"{EVERY_S}s", "evaluation_interval": f"{EVERY_S}s"}
    config = {
        "global": every,
        "rule_files": ["rules.yml"],
        "scrape_configs": list(scrape_configs(cluster, f"127.0.0.1:{proxy_port}")),
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    (folder / "rules.yml").write_text(yaml.safe_dump(over_base(COMPONENT)["PrometheusRule", "tidegate"]["spec"]))
    command = [
        binary,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(["kubectl", "proxy", f"--port={proxy_port}"], env=cluster.environment, stdout=log) as proxy,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            yield Prometheus(port)
        finally:
            process.terminate()
            proxy.terminate()


def questions(namespace: str) -> list[str]:
    """What the rules record and the panels ask, as far as it has an answer without kube-state-metrics and failures."""
    rendered = over_base(COMPONENT)
    groups = rendered["PrometheusRule", "tidegate"]["spec"]["groups"]
    recorded = [rule["record"] for group in groups for rule in group["rules"] if "record" in rule]
    panels = json.loads(rendered["ConfigMap", "tidegate-dashboard"]["data"]["dashboard.json"])["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    filled = [query.replace("$__rate_interval", "30s").replace("$namespace", namespace) for query in asked]
    return [query for query in (*recorded, *filled) if OUTSIDE not in query and query not in ONLY_AFTER_FAILURES]


def test_every_rule_and_every_panel_has_an_answer_under_load_and_no_alert_is_raised(cluster, prometheus):
    with KeepAliveLoad(cluster.url, clients=4, per_second=20) as load:
        time.sleep(LOAD_S)
        empty = [query for query in questions(cluster.namespace) if not prometheus.query(query)]
        unreached = prometheus.query("up == 0")
    assert not failures(load.requests)
    assert (empty, unreached) == ([], [])
    assert prometheus.query("namespace:tidegate_requests:rate5m > 1")
    assert prometheus.alerts("firing") == prometheus.alerts("pending") == set()


def test_without_model_servers_the_alert_says_so(cluster, prometheus):
    cluster.kubectl("scale", "deployment", "tidegate-serving", "--replicas=0")
    wait_for(
        "TidegateNoModelServer to fire", lambda: "TidegateNoModelServer" in prometheus.alerts("firing"), patience_s=240
    )
