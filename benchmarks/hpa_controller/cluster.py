"""The objects on the cluster: an API service for the metrics, and a Deployment with its HPA for each scenario."""

import json
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from hpa_controller.metrics_api import GROUP_VERSION
from hpa_controller.scenarios import Scenario

API_SERVICE = "v1beta2.custom.metrics.k8s.io"


class Cluster:
    """A namespace on the cluster that a kubectl command reaches.

    Args:
        kubectl: The command, with its options.
        namespace: Made and removed.
    """

    def __init__(self, kubectl: list[str], namespace: str) -> None:
        self._kubectl = kubectl
        self._namespace = namespace

    def run(self, *arguments: str, content: object = None) -> str:
        """Run kubectl in the namespace and return what it prints."""
        command = [*self._kubectl, "-n", self._namespace, *arguments]
        text = None if content is None else json.dumps(content)
        return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout

    @contextmanager
    def prepared(self, scenarios: Iterable[Scenario], address: str, port: int) -> Iterator[None]:
        """Make everything but the HPAs, and take it away afterwards."""
        try:
            existing = self.run("get", "apiservice", API_SERVICE, "--ignore-not-found", "-o", "name")
            if existing:
                raise SystemExit(f"{API_SERVICE} is served already; this needs a cluster without an adapter of its own")
            self.run("create", "namespace", self._namespace)
            self.apply([*self._api(address, port), *(item for s in scenarios for item in _target(s))])
            self.run("wait", "--for=condition=Available", f"apiservice/{API_SERVICE}", "--timeout=60s")
            yield
        finally:
            subprocess.run([*self._kubectl, "delete", "apiservice", API_SERVICE, "--ignore-not-found"], check=False)
            subprocess.run([*self._kubectl, "delete", "namespace", self._namespace, "--wait=false"], check=False)

    def apply(self, items: list[dict[str, Any]]) -> None:
        """Apply objects."""
        self.run("apply", "-f", "-", content={"apiVersion": "v1", "kind": "List", "items": items})

    def watch(self, second: Callable[[], float], seen: dict[str, list[tuple[float, int]]]) -> "subprocess.Popen[str]":
        """Note every desiredReplicas with its time, until the returned process is ended."""
        command = [
            *self._kubectl,
            "-n",
            self._namespace,
            "get",
            "hpa",
            "--watch",
            "--output-watch-events",
            "-o",
            "json",
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

        def follow() -> None:
            for event in _documents(process):
                hpa = event["object"]
                desired = hpa.get("status", {}).get("desiredReplicas")
                if desired is not None:
                    seen.setdefault(hpa["metadata"]["name"], []).append((second(), desired))

        threading.Thread(target=follow, daemon=True).start()
        return process

    def _api(self, address: str, port: int) -> list[dict[str, Any]]:
        metadata = {"name": "scripted-metrics"}
        group, version = GROUP_VERSION.split("/")
        return [
            {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 443}]}},
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {**metadata, "labels": {"kubernetes.io/service-name": metadata["name"]}},
                "addressType": "IPv4",
                "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
                "ports": [{"port": port}],
            },
            {
                "apiVersion": "apiregistration.k8s.io/v1",
                "kind": "APIService",
                "metadata": {"name": API_SERVICE},
                "spec": {
                    "group": group,
                    "version": version,
                    "insecureSkipTLSVerify": True,
                    "groupPriorityMinimum": 100,
                    "versionPriority": 100,
                    "service": {**metadata, "namespace": self._namespace, "port": 443},
                },
            },
        ]


def _documents(process: "subprocess.Popen[str]") -> Iterator[dict[str, Any]]:
    """Parse one JSON document after another, as kubectl prints them."""
    decoder, buffer = json.JSONDecoder(), ""
    for line in process.stdout or ():
        buffer += line
        try:
            document, end = decoder.raw_decode(buffer.lstrip())
        except ValueError:
            continue
        buffer = buffer.lstrip()[end:]
        yield document


def _target(scenario: Scenario) -> list[dict[str, Any]]:
    """A Deployment whose pods no node takes: the HPA counts them, and they cost nothing."""
    labels = {"app": scenario.name}
    container = {"name": "none", "image": "none", "resources": {"requests": {"cpu": "1m"}}}
    security = {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    pod = {
        "nodeSelector": {"tidegate/none": "none"},
        "containers": [{**container, "securityContext": security}],
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": scenario.name},
        "spec": {
            "replicas": max(1, scenario.minimum),
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    return [deployment]
