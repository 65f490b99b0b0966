"""The List that `explain` needs, read from a cluster by the kubectl that the user has."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from . import autoscaler, documents, labels
from .errors import InputError
from .node import Node
from .snapshot import group

if TYPE_CHECKING:
    from .autoscaler import Autoscaler, MetricSpec

Kubectl = Callable[[Sequence[str]], str]
_TIMEOUT_S = 30


class KubectlError(Exception):
    """kubectl failed: its words."""


def kubectl(arguments: Sequence[str]) -> str:
    """Run the kubectl on the PATH, which knows the user's KUBECONFIG and how to log in.

    Raises:
        KubectlError: it failed.
        InputError: there is none.
    """
    try:
        done = subprocess.run(  # noqa: S603 - arguments are a list, no shell
            ["kubectl", *arguments],  # noqa: S607 - the user's own
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        raise InputError("expected kubectl on the PATH, found none") from None
    except subprocess.TimeoutExpired:
        raise KubectlError(f"kubectl {' '.join(arguments)}: no answer within {_TIMEOUT_S} s") from None
    if done.returncode:
        raise KubectlError(done.stderr.strip() or f"kubectl {' '.join(arguments)}: exit code {done.returncode}")
    return done.stdout


@dataclass(frozen=True)
class Reading:
    """What was read, and what could not be: metrics that are not there are an answer, not a failure."""

    documents: list[Node]
    failures: tuple[str, ...]


def read(ask: Kubectl, namespace: str | None, name: str | None) -> Reading:
    """Read one HPA, or all of a namespace, with everything that their reconcile looks at.

    Args:
        ask: runs kubectl.
        namespace: None = the one of the user's context.
        name: None = all HPAs of the namespace.

    Raises:
        InputError: the HPAs cannot be read.
    """
    scope = ["-n", namespace] if namespace else []
    try:
        scalers = _parsed(ask(["get", "horizontalpodautoscalers.autoscaling", *scope, "-o", "json"]))
    except KubectlError as error:
        raise InputError(f"expected the HorizontalPodAutoscalers: {error}") from None
    nodes = scalers.members("items")
    known = [autoscaler.from_object(node, _namespace(node)) for node in nodes]
    wanted = [hpa for hpa in known if name in {None, hpa.name}]
    if not wanted:
        there = ", ".join(hpa.name for hpa in known) or "none"
        raise InputError(f"expected a HorizontalPodAutoscaler {name or ''} in the namespace, found {there}")
    reader = _Reader(ask)
    # The rivals of the wanted ones come with their targets, or their selectors would not be known
    found = [document for hpa in known for document in reader.of_target(hpa)]
    found += [document for hpa in wanted for document in reader.of_metrics(hpa)]
    return Reading([*nodes, *found], tuple(dict.fromkeys(reader.failures)))


def _parsed(text: str) -> Node:
    return documents.parse(text, "kubectl")[0]


def _namespace(node: Node) -> str:
    metadata = node.get("metadata")
    return (metadata.text("namespace") if metadata else "") or "default"


class _Reader:
    def __init__(self, ask: Kubectl) -> None:
        self._ask = ask
        self._resources: dict[tuple[str, str], str] = {}
        self._selectors: dict[str, str] = {}
        self._pods: set[str] = set()
        self._asked: set[str] = set()
        self.failures: list[str] = []

    def of_target(self, hpa: Autoscaler) -> Iterator[Node]:
        """The object, its scale, and its namespace's pods."""
        reference = hpa.target
        resource = self._resource(reference.kind, group(reference.api_version))
        scope = [resource, reference.name, "-n", hpa.namespace]
        yield from self._get(["get", *scope, "-o", "json", "--show-managed-fields"])
        for scale in self._get(["get", *scope, "--subresource=scale", "-o", "json"]):
            yield _with_zero(scale)
            status = scale.get("status")
            self._selectors[hpa.key] = status.text("selector") if status else ""
        if hpa.namespace not in self._pods:
            self._pods.add(hpa.namespace)
            yield from self._get(["get", "pods", "-n", hpa.namespace, "-o", "json"])

    def of_metrics(self, hpa: Autoscaler) -> Iterator[Node]:
        """Every figure that the HPA's metrics ask for."""
        selector = self._selectors.get(hpa.key, "")
        if any(spec.type in {"Resource", "ContainerResource"} for spec in hpa.metrics):
            yield from self._raw(f"metrics.k8s.io/v1beta1/namespaces/{hpa.namespace}/pods", labelSelector=selector)
        for spec in hpa.metrics:
            chosen = _selector(spec)
            if spec.type == "Pods":
                path = f"custom.metrics.k8s.io/v1beta2/namespaces/{hpa.namespace}/pods/*/{spec.name}"
                yield from self._raw(path, labelSelector=selector, metricLabelSelector=chosen)
            if spec.type == "Object":
                version, kind, name = spec.described
                resource = self._resource(kind, group(version))
                path = f"custom.metrics.k8s.io/v1beta2/namespaces/{hpa.namespace}/{resource}/{name}/{spec.name}"
                yield from self._raw(path, metricLabelSelector=chosen)
            if spec.type == "External":
                path = f"external.metrics.k8s.io/v1beta1/namespaces/{hpa.namespace}/{spec.name}"
                for values in self._raw(path, labelSelector=chosen):
                    yield _labelled(values, spec)

    def _resource(self, kind: str, api_group: str) -> str:
        """The plural, which the metrics APIs address objects by."""
        key = (kind, api_group)
        if key not in self._resources:
            self._resources[key] = f"{kind.lower()}s" + (f".{api_group}" if api_group else "")
            try:
                table = self._ask(["api-resources", f"--api-group={api_group}", "--no-headers"])
            except KubectlError as error:
                self.failures.append(str(error))
                return self._resources[key]
            for columns in (line.split() for line in table.splitlines()):
                if columns[-1:] == [kind]:
                    self._resources[key] = columns[0] + (f".{api_group}" if api_group else "")
        return self._resources[key]

    def _get(self, arguments: Sequence[str]) -> Iterable[Node]:
        try:
            return [_parsed(self._ask(arguments))]
        except KubectlError as error:
            self.failures.append(str(error))
            return []

    def _raw(self, path: str, **query: str) -> Iterable[Node]:
        """Ask once: two HPAs that share a metric would count it twice."""
        wanted = "&".join(f"{key}={quote(value)}" for key, value in query.items() if value)
        url = f"/apis/{path}" + (f"?{wanted}" if wanted else "")
        if url in self._asked:
            return []
        self._asked.add(url)
        return self._get(["get", "--raw", url])


def _selector(spec: MetricSpec) -> str:
    try:
        return str(labels.from_object(spec.selector))
    except labels.SelectorError:
        # The reconcile says what is wrong with it
        return ""


def _labelled(values: Node, spec: MetricSpec) -> Node:
    """Give external values without labels those that they were asked by: KEDA answers its selector without any.

    Without them a value would fit every HPA whose metric has the same name, as KEDA's `s0-prometheus` has.
    """
    try:
        asked = labels.from_object(spec.selector).requirements
    except labels.SelectorError:
        return values
    own = {one.key: min(one.values, default="") for one in asked if one.operator in {"=", "in", "exists"}}
    items = [
        value.value if value.texts("metricLabels") else {**value.mapping(), "metricLabels": own}
        for value in values.members("items")
    ]
    return Node({**values.mapping(), "items": items}, values.path)


def _with_zero(scale: Node) -> Node:
    """The API leaves replicas out of a scale when they are zero."""
    spec, status = scale.get("spec"), scale.get("status")
    there = {"replicas": 0, **(spec.mapping() if spec else {})}, {"replicas": 0, **(status.mapping() if status else {})}
    return Node({**scale.mapping(), "spec": there[0], "status": there[1]}, scale.path)


def as_json(reading: Reading) -> str:
    """Return what was read as one List, for a bug report or another look."""
    items = [documents.plain(node.value) for node in reading.documents]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=1)
