"""What a release asks of the cluster, through the `kubectl` and the context that the user has."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from release.diagnosis import is_leaving, is_ready
from release.state import Model, Place, State

ROOT = Path(__file__).resolve().parents[2]

NAME = "app.kubernetes.io/name=tidegate"
COMPONENT = "app.kubernetes.io/component"

WAIT_S = 180.0
"""How long gateways may take to tell of what they should: more than a kubelet's sync period, plus jitter."""

LEAVING_S = 90.0
"""How long pods may take to leave: three times their grace period."""

STATUS = "http://127.0.0.1:8081/status.json?history=0"
ASK = f"import urllib.request as u; print(u.urlopen('{STATUS}', timeout=5).read().decode())"
"""Asked inside the pod: no NetworkPolicy, token or TLS stands in between."""

PATIENCE_S = 5.0
"""How long to wait without a word."""

SAME = 1e-6
"""Shares that differ by less are the same."""


class ClusterError(Exception):
    """The cluster is not as it should be; the text says what is missing and what to do."""


class LoadFailedError(ClusterError):
    """A model server could not load a version."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """What a gateway says of itself.

    Attributes:
        pod: Its name.
        routes: Of each model with weights, the share of the clients that each label has; None where it does not tell.
        backends: Of each model server that it uses, the state of each version of each model.
    """

    pod: str
    routes: Mapping[str, Mapping[str, float]] | None
    backends: Mapping[str, Mapping[str, Mapping[str, str]]]


def kubectl(*arguments: str) -> str:
    """Run kubectl and return what it writes.

    Raises:
        ClusterError: It failed; its words.
    """
    done = subprocess.run(["kubectl", *arguments], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise ClusterError(f"kubectl {' '.join(arguments[:3])} …: {done.stderr.strip()}")
    return done.stdout


def place() -> Place:
    """Return where kubectl points.

    Raises:
        ClusterError: It has no context.
    """
    template = "jsonpath={.current-context}{'\\n'}{.contexts[0].context.namespace}"
    context, _, namespace = kubectl("config", "view", "--minify", "--output", template).partition("\n")
    return Place(context, namespace.strip() or "default")


def hand_over(image: str, registry: str, environment: Mapping[str, str]) -> None:
    """Bring an image of the local Docker to where the cluster finds it.

    Raises:
        ClusterError: That failed; the reason has been written.
    """
    command = [str(ROOT / "k8s/load.sh"), image]
    if subprocess.run(command, check=False, env={**environment, "REGISTRY": registry}).returncode != 0:
        raise ClusterError(f"{image} was not handed to the cluster: the lines above say why")


def pods(tier: str) -> list[dict[str, Any]]:
    """Return the pods of a tier, those that are leaving too."""
    found = json.loads(kubectl("get", "pods", "--selector", f"{NAME},{COMPONENT}={tier}", "--output", "json"))
    return list(found["items"])


def gateways() -> list[Gateway]:
    """Ask every gateway that gets requests for what it goes by."""
    ready = [pod["metadata"]["name"] for pod in pods("web") if not is_leaving(pod) and is_ready(pod)]
    return [
        _gateway(json.loads(kubectl("exec", pod, "--container", "web", "--", "python3", "-c", ASK))) for pod in ready
    ]


def _gateway(document: Mapping[str, Any]) -> Gateway:
    backends = {backend["address"]: backend["models"] for backend in document["backends"]}
    return Gateway(document["pod"], document.get("routes"), backends)


def disagreement(model: Model, gateway: Gateway) -> str:
    """Say in what a gateway, or a model server that it uses, is not yet as a model is meant to be; empty where it is.

    Raises:
        LoadFailedError: A model server has given a version up.
    """
    if gateway.routes is None:
        return f"{gateway.pod} does not tell its weights: it is older than this checkout"
    total = sum(model.weights.values())
    meant = {label: weight / total for label, weight in model.weights.items() if weight}
    said = gateway.routes.get(model.name, {})
    if meant.keys() != said.keys() or any(abs(said[label] - share) > SAME for label, share in meant.items()):
        return f"{gateway.pod} sends its clients to {dict(said)}"
    if not gateway.backends:
        return f"{gateway.pod} knows no model server"
    for address, models in gateway.backends.items():
        states = models.get(model.name, {})
        for version in model.versions:
            state = states.get(str(version), "nothing")
            if state == "END":
                raise LoadFailedError(f"the model server {address} could not load version {version} of {model.name}")
            if state != "AVAILABLE":
                return f"the model server {address} says {state} of version {version} of {model.name}"
    return ""


def refresh_routes() -> None:
    """Have the kubelets renew the gateways' files at once: any change of a pod makes its kubelet look after it.

    Without, a mounted ConfigMap is renewed at the kubelet's next sync of the pod, a minute or more later.
    """
    stamp = f"tidegate.routes-asked-for={time.time_ns()}"
    kubectl("annotate", "pods", "--overwrite", "--selector", f"{NAME},{COMPONENT}=web", stamp)


def wait_until_agreed(state: State, tell: Callable[[str], None], wait_s: float = WAIT_S) -> None:
    """Wait until every gateway goes by the weights, and every model server that they use has the versions.

    Raises:
        ClusterError: They do not in time; says who does not.
        LoadFailedError: A model server cannot load a version.
    """
    deadline = time.monotonic() + wait_s
    told = ""
    patient_until = time.monotonic() + PATIENCE_S
    while True:
        asked = gateways()
        open_ends = [end for gateway in asked for model in state.models if (end := disagreement(model, gateway))]
        if asked and not open_ends:
            return
        why = open_ends[0] if open_ends else "no gateway is ready"
        if time.monotonic() > deadline:
            raise ClusterError(f"after {wait_s:g} s {why}")
        if any("sends its clients" in end for end in open_ends):
            refresh_routes()
        if why != told and time.monotonic() > patient_until:
            tell(f"Waiting: {why}")
            told = why
        time.sleep(0.5)


def wait_until_gone(tell: Callable[[str], None]) -> None:
    """Wait until no model server from before the roll-out runs any more: it means something else by the labels.

    Raises:
        ClusterError: One does not go.
    """
    deadline = time.monotonic() + LEAVING_S
    told = False
    while leaving := [pod["metadata"]["name"] for pod in pods("serving") if is_leaving(pod)]:
        if time.monotonic() > deadline:
            raise ClusterError(
                f"{', '.join(leaving)} did not leave within {LEAVING_S:g} s: kubectl describe pod {leaving[0]}"
            )
        if not told:
            tell(f"Waiting for the model servers from before to leave: {', '.join(leaving)}")
            told = True
        time.sleep(1)


def say_why_not_loaded() -> Iterator[str]:
    """Yield what the newest model servers' logs have of versions that could not be loaded."""
    for pod in sorted(pods("serving"), key=lambda pod: str(pod["metadata"]["creationTimestamp"]), reverse=True)[:1]:
        name = pod["metadata"]["name"]
        lines = kubectl("logs", name, "--tail=200").splitlines()
        bad = [line for line in lines if re.search(r"not loaded|waiting for models|rror", line)]
        yield f"{name}:"
        yield from (f"  {_ends(line)}" for line in (bad or lines)[-3:])


def _ends(line: str, most: int = 240) -> str:
    """Leave out the middle of a long line: a traceback says what it is at its end."""
    return line if len(line) <= 2 * most else f"{line[:most]} … {line[-most:]}"


@contextmanager
def forwarded(port: int) -> Iterator[str]:
    """Give an address of the gateway on this machine, for as long as it is needed.

    Raises:
        ClusterError: kubectl cannot forward.
    """
    command = ["kubectl", "port-forward", "service/tidegate-web", f":{port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101 it is a pipe
            found = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
            if found is None:
                raise ClusterError("kubectl port-forward service/tidegate-web did not begin: is the gateway ready?")
            yield f"http://127.0.0.1:{found[1]}"
        finally:
            process.terminate()


def describe(models: Sequence[Model]) -> Iterator[str]:
    """Yield a line for each model: its labels with their versions, and the clients' shares."""
    for model in models:
        labels = "  ".join(
            f"{label} {version}" + (f" ({weight} %)" if (weight := model.weights.get(label)) is not None else "")
            for label, version in model.labels.items()
        )
        yield f"{model.name}: {labels}"
