"""The custom metrics API (custom.metrics.k8s.io/v1beta2), answered from scripted series; every question is noted."""

import json
import re
import ssl
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from hpa_controller.scenarios import STEP_S, Scenario

GROUP_VERSION = "custom.metrics.k8s.io/v1beta2"
_VALUE = re.compile(rf"/apis/{GROUP_VERSION}/namespaces/([^/]+)/services/([^/]+)/load-(\d+)")


@dataclass(frozen=True)
class Asked:
    """A question of the controller: when (seconds since the start), of which metric, and the answer in thousandths."""

    second: float
    scenario: str
    metric: int
    value: int | None


class MetricsApi:
    """The server.

    Args:
        address: Where to listen; the cluster's API server has to reach it.
        scenarios: Whose series it answers.
        folder: For the certificate, which nobody checks.
    """

    def __init__(self, address: str, scenarios: Mapping[str, Scenario], folder: Path) -> None:
        self.asked: list[Asked] = []
        self._scenarios = scenarios
        self._start = time.monotonic()
        self._lock = threading.Lock()
        certificate, key = folder / "certificate.pem", folder / "key.pem"
        subject = ["-subj", "/CN=hpa-validation", "-days", "1"]
        made = [
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            str(key),
            "-out",
            str(certificate),
            *subject,
        ]
        subprocess.run(["openssl", *made], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server = ThreadingHTTPServer((address, 0), self._handler())
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def second(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._start

    def start(self) -> None:
        """Begin to answer; the series begin now."""
        self._start = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str) -> tuple[int, object]:
        """Return status and body for a path."""
        found = _VALUE.match(path)
        if found is None:
            resource = {"name": "services/load-0", "namespaced": True, "kind": "MetricValueList", "verbs": ["get"]}
            listed = {
                "kind": "APIResourceList",
                "apiVersion": "v1",
                "groupVersion": GROUP_VERSION,
                "resources": [resource],
            }
            return 200, listed
        namespace, name, metric = found[1], found[2], int(found[3])
        second = self.second()
        value = self._scenarios[name].series[metric](int(second // STEP_S))
        with self._lock:
            self.asked.append(Asked(second, name, metric, value))
        items = [] if value is None else [_item(namespace, name, metric, value)]
        return 200, {"kind": "MetricValueList", "apiVersion": GROUP_VERSION, "metadata": {}, "items": items}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                status, body = api.answer(self.path)
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of http.server
                pass

        return Handler


def _item(namespace: str, name: str, metric: int, value: int) -> dict[str, object]:
    described = {"apiVersion": "v1", "kind": "Service", "namespace": namespace, "name": name}
    return {
        "describedObject": described,
        "metric": {"name": f"load-{metric}"},
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "value": f"{value}m",
    }
