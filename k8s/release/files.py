"""The overlay that a state stands for: plain kustomize, and how it is written."""

import json
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import yaml

from release.images import server_version
from release.state import Model, State, Volume, dump
from tidegate_serving.model_source import ModelSource, configuration

STATE_FILE = "release.yaml"
CARDS = "cards"
NAMESPACE_FILE = "namespace/kustomization.yaml"
TIERS = ("web", "serving")

HEAD = """\
# Written from release.yaml: change that with make, or this by hand until the next make.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - {base}
"""

NAMESPACE = """\
# Before the other components: some of them put the namespace into what they write
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
namespace: {namespace}
"""

CONFIGURATION = """\
configMapGenerator:
  # Its name ends with a hash: a change rolls the model servers
  - name: tidegate-models
    behavior: merge
    files: [models.config]
  - name: tidegate-routes
    behavior: replace
    files: [routes.yaml]
    options: {{ disableNameSuffixHash: true }}
  - name: tidegate-cards
    behavior: replace
    {cards}
    options: {{ disableNameSuffixHash: true }}
"""

OFFER = """\
  - patch: |
      apiVersion: apps/v1
      kind: Deployment
      metadata: {{ name: tidegate-web }}
      spec:
        template:
          spec:
            containers:
              - name: web
                env:
                  - {{ name: TIDEGATE_MODELS, value: {models} }}
  # What the load component asks for, where it is in use
  - target: {{ kind: ConfigMap, name: tidegate-loadtest }}
    patch: |
      - op: add
        path: /data/model
        value: {first}
"""

VERSION = """\
  - target: {{ kind: Deployment, name: tidegate-{tier} }}
    patch: |
      - op: replace
        path: /metadata/labels/app.kubernetes.io~1version
        value: {version}
      - op: replace
        path: /spec/template/metadata/labels/app.kubernetes.io~1version
        value: {version}
"""

VOLUME = """\
  - target: {{ kind: Deployment, name: tidegate-serving }}
    patch: |
      - op: add
        path: /spec/template/spec/volumes/-
        value: {{ name: {volume}, persistentVolumeClaim: {{ claimName: {claim}, readOnly: true }} }}
      - op: add
        path: /spec/template/spec/containers/0/volumeMounts/-
        value: {{ name: {volume}, mountPath: {path}, subPath: {sub_path}, readOnly: true }}
"""


def base_path(model: str) -> PurePosixPath:
    """Return where the model servers find a model's versions."""
    return PurePosixPath("/models") / model


def overlay(state: State, below: State, cards: Mapping[str, str], way: Callable[[str], str]) -> dict[str, str]:
    """Write the files of the overlay. It says only what differs from what lies below it.

    Args:
        state: What is to be deployed.
        below: What the base deploys by itself.
        cards: The card of each model that has one, by the model's name.
        way: The relative path from the overlay to a folder of the checkout.

    Returns:
        Text by path within the folder.
    """
    files = {STATE_FILE: dump(state)}
    patches = "".join(_version(tier, state, below) for tier in TIERS)
    text = HEAD.format(base=way(state.base))
    if state.components:
        first = ""
        if state.place is not None:
            namespace = json.dumps(state.place.namespace)
            files[NAMESPACE_FILE] = NAMESPACE.format(namespace=namespace)
            text += f"namespace: {namespace}\n"  # for what components bring
            first = f"  - {PurePosixPath(NAMESPACE_FILE).parent}\n"
        text += f"components:\n{first}" + "".join(f"  - {way(component)}\n" for component in state.components)
    if state.models != below.models:
        shown = {f"{CARDS}/{model.name}.json": cards[model.name] for model in state.models if model.name in cards}
        text += CONFIGURATION.format(cards=f"files: [{', '.join(shown)}]" if shown else "literals: []")
        patches += _offer(state.models)
        files |= shown | {"models.config": _models_config(state.models), "routes.yaml": _routes(state.models)}
    tags = {tier: state.tag(tier) for tier in TIERS if state.tag(tier) != below.tag(tier)}
    images = "".join(_image(name, state, tags.get(name, "")) for name in (*TIERS, "loadtest"))
    text += f"images:\n{images}" if images else ""
    text += f"patches:\n{patches}" if patches else ""
    return {"kustomization.yaml": text} | files


def _models_config(models: tuple[Model, ...]) -> str:
    return configuration(ModelSource(model.name, Path(base_path(model.name)), model.labels) for model in models)


def _routes(models: tuple[Model, ...]) -> str:
    weights = {model.name: dict(model.weights) for model in models}
    return yaml.safe_dump(weights, sort_keys=False, default_flow_style=None)


def _offer(models: tuple[Model, ...]) -> str:
    names = [model.name for model in models]
    volumes = (_volume(number, model.name, model.volume) for number, model in enumerate(models) if model.volume)
    return OFFER.format(models=json.dumps(",".join(names)), first=json.dumps(names[0])) + "".join(volumes)


def _volume(number: int, model: str, volume: Volume) -> str:
    return VOLUME.format(
        volume=f"models-{number}",  # a model's name may hold what a volume's must not
        claim=volume.claim,
        path=json.dumps(str(base_path(model))),
        sub_path=json.dumps(volume.path),
    )


def _image(name: str, state: State, tag: str) -> str:
    renamed = f", newName: {state.repository(name)}" if state.registry else ""
    tagged = f", newTag: {json.dumps(tag)}" if tag else ""
    return f"  - {{ name: tidegate/{name}{renamed}{tagged} }}\n" if renamed or tagged else ""


def _version(tier: str, state: State, below: State) -> str:
    """Have the pods carry the version that they run: the part of the tag before the models."""
    tag = state.tag(tier)
    version = server_version(tag) if tier == "serving" else tag
    return "" if version == below.tag(tier) else VERSION.format(tier=tier, version=json.dumps(version))


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files, and no others of ours: each whole, none half when interrupted."""
    with _undisturbed():
        (folder / CARDS).mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            part = folder / f"{name}.part"
            part.parent.mkdir(exist_ok=True)
            part.write_text(text)
            part.replace(folder / name)
        others = (folder / name for name in ("models.config", "routes.yaml", NAMESPACE_FILE))
        for left in [*(folder / CARDS).glob("*.json"), *others]:
            if left.relative_to(folder).as_posix() not in files:
                left.unlink(missing_ok=True)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let Ctrl-C wait."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})


def stored_cards(*folders: Path) -> dict[str, str]:
    """Read the cards of folders, by the model's name; of two for one model the later one."""
    return {card.stem: card.read_text() for folder in folders for card in sorted(folder.glob("*.json"))}
