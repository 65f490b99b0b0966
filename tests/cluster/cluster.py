"""A namespace of its own on the cluster of the user's kubectl, and Tidegate in it."""

import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tests.cluster import overlay
from tests.tools import lacking

ROOT = overlay.ROOT
URL = "TIDEGATE_TEST_URL"
"""Names the gateway's address where neither a node's port nor a LoadBalancer's can be reached from here."""

DEPLOY_S = 700
ADDRESS_S = 90
"""How long a cloud may take to make a load balancer."""

Pod = dict[str, Any]
Found = TypeVar("Found")


class Cluster:
    """One namespace, with a kubeconfig of its own that names it, so that plain `kubectl` and our scripts work in it.

    Args:
        kubectl: Path of the user's.
        namespace: Exists.
        folder: Where the kubeconfig and generated kustomizations go. Inside the checkout: kustomize wants relative
            paths to what is built upon.

    Attributes:
        environment: For commands that are to work in the namespace.
    """

    def __init__(self, kubectl: str, namespace: str, folder: Path) -> None:
        self.namespace = namespace
        self.folder = folder
        config = json.loads(_run([kubectl, "config", "view", "--minify", "--flatten", "--raw", "-o", "json"]))
        config["contexts"][0]["context"]["namespace"] = namespace
        kubeconfig = folder / "kubeconfig"
        kubeconfig.touch(0o600)
        kubeconfig.write_text(json.dumps(config))
        # Some distributions' kubectl is a script that sets KUBECONFIG itself; the option wins everywhere
        wrapper = folder / "bin" / "kubectl"
        wrapper.parent.mkdir()
        wrapper.write_text(f"#!/bin/sh\nexec '{kubectl}' --kubeconfig='{kubeconfig}' \"$@\"\n")
        wrapper.chmod(0o755)
        self.environment = os.environ | {
            "KUBECONFIG": str(kubeconfig),
            "OWN": str(folder / "own"),  # what `make deploy` keeps of it
            "PATH": f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}",
        }

    def run(
        self,
        *command: str,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout_s: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the checkout in the namespace, whatever its exit code says."""
        return subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment | dict(env or {}),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout_s: float = 120) -> str:
        """Run kubectl; fails with its words where it fails."""
        done = self.run("kubectl", *arguments, stdin=stdin, timeout_s=timeout_s)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def get(self, *arguments: str) -> Any:
        """Run `kubectl get … -o json`."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def apply(self, folder: Path | str) -> str:
        """Apply a kustomization."""
        return self.kubectl("apply", "-k", str(folder))

    def overlay(self, name: str = "overlay", **choices: Any) -> Path:
        """Write a kustomization for this namespace; `overlay.write` tells what may be chosen."""
        return overlay.write(self.folder / name, node_port=_node_port(), **choices)

    def deploy(self, folder: Path | str) -> None:
        """Apply a kustomization as `make deploy` does, and wait for its pods and for the autoscalers' first metric."""
        done = self.run("k8s/deploy.sh", env={"SKIP_BUILD": "1", "OVERLAY": str(folder)}, timeout_s=DEPLOY_S)
        assert done.returncode == 0, f"k8s/deploy.sh: {done.stdout}{done.stderr}"

    def pods(self, tier: str, *, leaving: bool = False) -> dict[str, Pod]:
        """Return the pods of a tier by name; those that are terminating only where they are asked for."""
        selector = f"app.kubernetes.io/name=tidegate,app.kubernetes.io/component={tier}"
        return {
            pod["metadata"]["name"]: pod
            for pod in self.get("pods", "-l", selector)["items"]
            if leaving or "deletionTimestamp" not in pod["metadata"]
        }

    def ready(self, tier: str) -> dict[str, Pod]:
        """Return those that are Ready and not terminating."""
        return {name: pod for name, pod in self.pods(tier).items() if is_ready(pod)}

    def answerers(self, tier: str) -> set[str]:
        """Return what the records of requests call the pods of a tier: gateways by name, model servers by address."""
        pods = self.pods(tier)
        return set(pods) if tier == "web" else {backend(pod) for pod in pods.values()}

    @cached_property
    def url(self) -> str:
        """The gateway's address as seen from here."""
        if given := os.environ.get(URL):
            return given.rstrip("/")
        return wait_for(f"an address of tidegate-web that answers; {URL} may name one", self._reachable, ADDRESS_S)

    def _reachable(self) -> str | None:
        for host, port in self._addresses():
            with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=2):
                return f"http://{host}:{port}"
        return None

    def _addresses(self) -> Iterator[tuple[str, int]]:
        """Tell where the gateway may be: its load balancer, this machine's port, a node's port."""
        service = self.get("service", "tidegate-web")
        port = service["spec"]["ports"][0]
        for ingress in service["status"]["loadBalancer"].get("ingress", ()):
            yield ingress.get("ip") or ingress["hostname"], port["port"]
        yield "127.0.0.1", port["nodePort"]
        for node in self.get("nodes")["items"]:
            for address in node["status"]["addresses"]:
                if address["type"] == "InternalIP":
                    yield address["address"], port["nodePort"]

    def has_keda(self) -> bool:
        """Whether the cluster has KEDA."""
        return self.run("kubectl", "get", "crd", "scaledobjects.keda.sh").returncode == 0

    def need_keda(self) -> None:
        """Go on only on a cluster with KEDA."""
        if not self.has_keda():
            lacking("the cluster has no KEDA: https://keda.sh/docs/latest/deploy")

    def diagnosis(self) -> str:
        """Say what a person would look at first: pods, autoscalers, events, the last lines of every log."""
        parts = [
            self.run("kubectl", "get", "pods,hpa", "-o", "wide").stdout,
            self.run("kubectl", "get", "events", "--sort-by=.lastTimestamp").stdout[-4000:],
        ]
        parts += [
            f"== {name}\n{self.run('kubectl', 'logs', name, '--tail=10').stdout[-3000:]}"
            for name in self.run("kubectl", "get", "pods", "-o", "name").stdout.split()
        ]
        return "\n".join(parts)

    def delete(self) -> None:
        """Delete the namespace with all that is in it. Its port goes at once, the rest follows on its own."""
        self.kubectl("delete", "service", "--all")
        self.kubectl("delete", "namespace", self.namespace, "--wait=false")
        shutil.rmtree(self.folder)


@contextlib.contextmanager
def fresh(kubectl: str, name: str) -> Iterator[Cluster]:
    """Make a namespace that admits nothing below Pod Security `restricted`; deleted on leaving."""
    namespace = f"tidegate-{re.sub('[^a-z0-9]+', '-', name.lower())[:40]}-{secrets.token_hex(2)}"
    folder = ROOT / "build" / "cluster" / namespace
    folder.mkdir(parents=True)
    _run([kubectl, "create", "namespace", namespace])
    cluster = Cluster(kubectl, namespace, folder)
    try:
        cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
        yield cluster
    finally:
        cluster.delete()


def user_kubectl() -> str:
    """Return the path of the user's kubectl; tests are skipped where it reaches no cluster, but in CI that fails."""
    path = shutil.which("kubectl")
    reason = "kubectl is not installed"
    if path is not None:
        probe = subprocess.run([path, "version"], capture_output=True, text=True, check=False, timeout=60)
        reason = probe.stderr if probe.returncode else ""
    if path is None or reason:
        lacking(f"no cluster: {reason}")
    return path


def _node_port() -> int | None:
    """Return the port that the user's address for the gateway wants, where it is one that a node can have."""
    port = urlsplit(os.environ.get(URL, "")).port
    return port if port is not None and 30000 <= port <= 32767 else None


def is_ready(pod: Pod) -> bool:
    """Whether a pod is Ready."""
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", ()))


def backend(pod: Pod) -> str:
    """Return what a gateway calls a model server's pod."""
    return f"{pod['status']['podIP']}:8500"


def wait_for(what: str, look: Callable[[], Found | None], patience_s: float, every_s: float = 0.5) -> Found:
    """Look until something is found that is true; fails after so long."""
    ends = time.monotonic() + patience_s
    while True:
        if found := look():
            return found
        assert time.monotonic() < ends, f"waited {patience_s:g} s for {what}"
        time.sleep(every_s)


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout
