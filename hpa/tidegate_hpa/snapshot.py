"""A List of Kubernetes objects as the world of one reconcile: HPAs, scales, pods and the metrics APIs' answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from . import autoscaler, labels, pods
from .documents import flattened
from .errors import InputError, ScaleError
from .figures import ExternalValue, Figures, ObjectValue, PodUsage
from .horizontal import Scale, Surroundings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .autoscaler import Autoscaler, TargetRef
    from .labels import Selector
    from .node import Node
    from .pods import Pod

NAMESPACE = "default"


@dataclass
class _Gathered:
    autoscalers: list[Autoscaler] = field(default_factory=list)
    pods: list[Pod] = field(default_factory=list)
    targets: dict[tuple[str, str, str], list[Node]] = field(default_factory=dict)
    usages: list[PodUsage] = field(default_factory=list)
    values: list[ObjectValue] = field(default_factory=list)
    externals: list[ExternalValue] = field(default_factory=list)
    manifests: dict[str, Node] = field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    """What a List holds.

    Args:
        autoscalers: in the List's order.
        manifests: the same as they were written, by namespace/name.
        pods: all of them.
        figures: the metrics APIs.
        targets: objects with a scale by kind, namespace and name; those of kind Scale among them.
    """

    autoscalers: tuple[Autoscaler, ...]
    manifests: Mapping[str, Node]
    pods: tuple[Pod, ...]
    figures: Figures
    targets: Mapping[tuple[str, str, str], list[Node]]

    def surroundings(self, hpa: Autoscaler, now: int) -> Surroundings:
        """Return what the reconcile of `hpa` sees at `now`, nanoseconds since 1970."""
        return Surroundings(self.scale(hpa), self.pods, self.figures, self.selecting, now)

    @cached_property
    def selecting(self) -> dict[str, Selector]:
        """Return the pods' selectors of all HPAs by namespace/name, where they can be told."""
        found: dict[str, Selector] = {}
        for hpa in self.autoscalers:
            scale = self.scale(hpa)
            if isinstance(scale, Scale) and scale.selector:
                try:
                    found[hpa.key] = labels.parse(scale.selector)
                except labels.SelectorError:
                    continue
        return found

    def target(self, hpa: Autoscaler) -> Node | None:
        """Return the object that an HPA scales, as it was written; None if it is not there."""
        return next(iter(self._targets(hpa)), None)

    def scale(self, hpa: Autoscaler) -> Scale | ScaleError:
        """Return the scale of an HPA's target, a Scale before the object itself; an error if there is neither."""
        reference = hpa.target
        if reference.api_version.count("/") > 1:
            cause = f"unexpected GroupVersion string: {reference.api_version}"
            return ScaleError(cause, f"invalid API version in scale target reference: {cause}")
        scales = self.targets.get(("Scale", hpa.namespace, reference.name), [])
        cause = f'{_resource(reference)} "{reference.name}" not found'
        for node in (*scales, *self._targets(hpa)):
            try:
                return _scale(node)
            except labels.SelectorError as error:
                cause = str(error)
        where = f"{reference.kind}/{hpa.namespace}/{reference.name}"
        return ScaleError(cause, f"failed to query scale subresource for {where}: {cause}")

    def _targets(self, hpa: Autoscaler) -> Iterable[Node]:
        reference = hpa.target
        wanted = group(reference.api_version)
        for node in self.targets.get((reference.kind, hpa.namespace, reference.name), []):
            version = node.text("apiVersion")
            # Without a version on either side there is nothing to tell apart
            if not version or not reference.api_version or group(version) == wanted:
                yield node


def group(api_version: str) -> str:
    """Return the API group of `group/version`, "" for the core's."""
    return api_version.rpartition("/")[0]


def _resource(reference: TargetRef) -> str:
    api_group = group(reference.api_version)
    return f"{reference.kind.lower()}s" + (f".{api_group}" if api_group else "")


def _scale(node: Node) -> Scale:
    spec, status = node.get("spec"), node.get("status")
    asked = spec.integer("replicas") if spec else None
    there = status.integer("replicas") if status else None
    spec_replicas = 1 if asked is None else asked
    return Scale(spec_replicas, spec_replicas if there is None else there, _selector(node, spec, status))


def _selector(node: Node, spec: Node | None, status: Node | None) -> str:
    if node.text("kind") == "Scale":
        return status.text("selector") if status else ""
    selector = spec.get("selector") if spec else None
    if selector is None:
        return status.text("selector") if status and isinstance(status.mapping().get("selector"), str) else ""
    if isinstance(selector.value, str):
        return selector.value
    if not selector.mapping().keys() & {"matchLabels", "matchExpressions"}:
        # A ReplicationController's is a plain map
        return ",".join(f"{key}={value}" for key, value in sorted(spec.texts("selector").items())) if spec else ""
    return str(labels.from_object(selector))


def take(documents: Iterable[Node]) -> Snapshot:
    """Sort the objects of a List. A pod that is in it twice is one pod, as it was written last.

    Raises:
        InputError: an object has no kind, or a field of the wrong type.
    """
    gathered = _Gathered()
    try:
        for document in documents:
            for kind, node in flattened(document):
                _sort(gathered, kind, node)
    except RecursionError:
        raise InputError("expected lists that end, got one within itself") from None
    every = tuple({(pod.namespace, pod.name): pod for pod in gathered.pods}.values())
    return Snapshot(
        autoscalers=tuple(gathered.autoscalers),
        manifests=gathered.manifests,
        pods=every,
        figures=Figures(every, gathered.usages, gathered.values, gathered.externals),
        targets=gathered.targets,
    )


def _sort(gathered: _Gathered, kind: str, node: Node) -> None:
    metadata = node.get("metadata")
    namespace = (metadata.text("namespace") if metadata else "") or NAMESPACE
    match kind:
        case "HorizontalPodAutoscaler":
            hpa = autoscaler.from_object(node, namespace)
            gathered.autoscalers.append(hpa)
            gathered.manifests[hpa.key] = node
        case "Pod":
            gathered.pods.append(pods.from_object(node, namespace))
        case "PodMetrics":
            gathered.usages.append(PodUsage.from_object(node, namespace))
        case "MetricValue":
            gathered.values.append(ObjectValue.from_object(node))
        case "ExternalMetricValue":
            gathered.externals.append(ExternalValue.from_object(node))
        case _ if metadata is not None:
            gathered.targets.setdefault((kind, namespace, metadata.text("name")), []).append(node)
