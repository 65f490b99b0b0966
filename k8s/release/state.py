"""What is deployed: `k8s/overlays/own/release.yaml`, from which the rest of that folder is written."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

STABLE, CANARY, PREVIOUS = "stable", "canary", "previous"
"""The labels there are: what clients go to, what comes next, and what was before."""

HEADER = """\
# What is deployed here. `make deploy`, `release`, `canary`, `promote` and `rollback` write this file and, from it, the
# others of this folder, which `kubectl apply -k` takes. Commit the folder if you like.
"""


class StateError(Exception):
    """A release.yaml that cannot be used; the text names the place, what was expected and what came."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A PersistentVolumeClaim with a model's versions.

    Attributes:
        claim: Its name.
        path: The folder of the versions in it; empty for its root.
    """

    claim: str
    path: str = ""

    def __str__(self) -> str:
        return f"pvc:{self.claim}{f'/{self.path}' if self.path else ''}"


@dataclass(frozen=True, slots=True)
class Model:
    """A model that is served.

    Attributes:
        name: What it is served as.
        labels: The versions that are loaded, by what clients call them.
        weights: The share of the clients that each label gets.
        digests: Of each version that `make` has put into the image, the hash of its content. Others come with the
            serving image or lie on the volume.
        volume: Where its versions lie, when not in the image.
    """

    name: str
    labels: Mapping[str, int]
    weights: Mapping[str, int]
    digests: Mapping[int, str]
    volume: Volume | None = None

    @property
    def stable(self) -> int:
        """The version that clients go to unless they ask for another."""
        return self.labels[STABLE]

    @property
    def versions(self) -> list[int]:
        """The versions that are loaded."""
        return sorted(set(self.labels.values()))

    def shares(self) -> dict[int, int]:
        """Return the versions that clients go to without asking, with their weights."""
        return {self.labels[label]: weight for label, weight in self.weights.items() if weight}


@dataclass(frozen=True, slots=True)
class Image:
    """A tier's image.

    Attributes:
        tag: What runs.
        previous: What ran before; empty where nothing did.
    """

    tag: str
    previous: str = ""

    def moved(self, tag: str) -> "Image":
        """Return the image after a change to another tag; the same where that is no change."""
        return self if tag == self.tag else Image(tag, self.tag)


@dataclass(frozen=True, slots=True)
class Place:
    """A namespace of a cluster.

    Attributes:
        context: What kubectl calls the cluster.
        namespace: The namespace.
    """

    context: str
    namespace: str

    def __str__(self) -> str:
        return f"namespace {self.namespace} of {self.context}"


@dataclass(frozen=True, slots=True)
class State:
    """All that is deployed.

    Attributes:
        base: The kustomization below, a folder of the checkout.
        components: Folders of components on top of it.
        registry: What stands before the images' names; empty where they were loaded into the cluster.
        web: The gateway's image.
        serving: The model servers' image.
        models: What is served, the form's first one first.
        place: Where it is deployed; None where it is nowhere yet.
    """

    base: str
    components: tuple[str, ...]
    registry: str
    web: Image
    serving: Image
    models: tuple[Model, ...]
    place: Place | None = None

    def model(self, name: str) -> Model:
        """Return a model.

        Raises:
            StateError: It is not deployed.
        """
        for model in self.models:
            if model.name == name:
                return model
        there = ", ".join(model.name for model in self.models)
        raise StateError(f"NAME={name or '(nothing)'}: expected a model that is deployed, there are: {there}")

    def with_model(self, changed: Model) -> "State":
        """Return the state with a model in the place of the one of its name."""
        models = (changed if model.name == changed.name else model for model in self.models)
        return replace(self, models=tuple(models))

    def image(self, tier: str) -> str:
        """Return the full name of a tier's image."""
        return f"{self.repository(tier)}:{self.tag(tier)}"

    def tag(self, tier: str) -> str:
        """Return the tag of a tier's image."""
        return {"web": self.web, "serving": self.serving}[tier].tag

    def repository(self, tier: str) -> str:
        """Return the name of a tier's image without its tag."""
        return f"{self.registry}/tidegate-{tier}" if self.registry else f"tidegate/{tier}"


def dump(state: State) -> str:
    """Write a state as YAML."""
    where = {} if state.place is None else {"context": state.place.context, "namespace": state.place.namespace}
    document = where | {
        "base": state.base,
        "components": list(state.components),
        "registry": state.registry,
        "web": _image_document(state.web),
        "serving": _image_document(state.serving),
        "models": [_model_document(model) for model in state.models],
    }
    return HEADER + yaml.safe_dump(document, sort_keys=False, default_flow_style=None, allow_unicode=True)


def _image_document(image: Image) -> dict[str, str]:
    return {"tag": image.tag} | ({"previous": image.previous} if image.previous else {})


def _model_document(model: Model) -> dict[str, object]:
    document: dict[str, object] = {
        "name": model.name,
        "labels": dict(model.labels),
        "weights": dict(model.weights),
        "digests": dict(model.digests),
    }
    if model.volume is not None:
        document["volume"] = {"claim": model.volume.claim, "path": model.volume.path}
    return document


def load(text: str) -> State:
    """Read what `dump` wrote, and people may have edited.

    Raises:
        StateError: It is not that.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise StateError(f"expected YAML: {' '.join(str(error).split())}") from None
    root = _Place("", document)
    models = tuple(_model(entry) for entry in root.at("models").entries())
    if not models or len({model.name for model in models}) < len(models):
        raise StateError("models: expected one or more, each name once")
    context, namespace = root.at("context", "").text(), root.at("namespace", "").text()
    if bool(context) != bool(namespace):
        raise root.at("namespace" if context else "context", "").wrong("both context and namespace, or neither")
    return State(
        base=root.at("base").text(),
        components=tuple(entry.text() for entry in root.at("components").entries()),
        registry=root.at("registry").text(),
        web=_image(root.at("web")),
        serving=_image(root.at("serving")),
        models=models,
        place=Place(context, namespace) if context else None,
    )


def _image(place: "_Place") -> Image:
    return Image(place.at("tag").text(), place.at("previous", "").text())


def _model(place: "_Place") -> Model:
    labels = {label: number.integer(1) for label, number in place.at("labels").members()}
    weights = {label: number.integer(0) for label, number in place.at("weights").members()}
    if unknown := labels.keys() - {STABLE, CANARY, PREVIOUS}:
        raise place.at("labels").wrong(f"the labels stable, canary and previous, not {', '.join(sorted(unknown))}")
    if STABLE not in labels:
        raise place.at("labels").wrong("one named stable")
    if not weights.keys() <= labels.keys() or not sum(weights.values()):
        raise place.at("weights").wrong("weights of the labels above, one of them above 0")
    volume = place.at("volume", None)
    return Model(
        name=place.at("name").text(),
        labels=labels,
        weights=weights,
        digests={
            _Place(f"{place.name}.digests", key).integer(1): digest.text()
            for key, digest in place.at("digests").members()
        },
        volume=None if volume.value is None else Volume(volume.at("claim").text(), volume.at("path", "").text()),
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """A value in the document, with its name for messages."""

    name: str
    value: Any

    def at(self, key: str, *default: object) -> "_Place":
        """Return a member; the default where there is none and one is given."""
        if not isinstance(self.value, dict):
            raise self.wrong("a mapping")
        name = f"{self.name}.{key}".lstrip(".")
        if key not in self.value and not default:
            raise StateError(f"{name}: expected, but it is not there")
        return _Place(name, self.value.get(key, *default))

    def entries(self) -> Iterable["_Place"]:
        if not isinstance(self.value, list):
            raise self.wrong("a list")
        return [_Place(f"{self.name}[{number}]", entry) for number, entry in enumerate(self.value)]

    def members(self) -> Iterable[tuple[Any, "_Place"]]:
        if not isinstance(self.value, dict):
            raise self.wrong("a mapping")
        return [(key, _Place(f"{self.name}.{key}", value)) for key, value in self.value.items()]

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.wrong("a text")
        return self.value

    def integer(self, at_least: int) -> int:
        if isinstance(self.value, bool) or not isinstance(self.value, int) or self.value < at_least:
            raise self.wrong(f"a whole number from {at_least}")
        return self.value

    def wrong(self, expected: str) -> StateError:
        return StateError(f"{self.name or 'the file'}: expected {expected}, came {self.value!r}")
