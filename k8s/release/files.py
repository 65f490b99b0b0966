"""The overlay that a state stands for: plain kustomize, and how it is written."""

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import yaml

from release.state import Model, State, dump
from tidegate_serving.model_source import ModelSource, configuration

STATE_FILE = "release.yaml"
CARDS = "cards"

KUSTOMIZATION = """\
# Written from release.yaml: change that with make, or this by hand until the next make.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - {base}
{components}configMapGenerator:
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
images:
  - {{ name: tidegate/web, newName: {web}, newTag: {web_tag} }}
  - {{ name: tidegate/serving, newName: {serving}, newTag: {serving_tag} }}
patches:
  - target: {{ kind: Deployment, name: tidegate-web }}
    patch: |
      - op: replace
        path: /metadata/labels/app.kubernetes.io~1version
        value: {web_tag}
      - op: replace
        path: /spec/template/metadata/labels/app.kubernetes.io~1version
        value: {web_tag}
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
        value: {model}
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


def overlay(state: State, cards: Mapping[str, str], folder: Path, root: Path) -> dict[str, str]:
    """Write the files of the overlay.

    Args:
        state: What is to be deployed.
        cards: The card of each model that has one, by the model's name.
        folder: Where the files are to lie, for the ways from there.
        root: The checkout that the state's folders are in.

    Returns:
        Text by path within the folder.
    """
    names = [model.name for model in state.models]
    shown = {f"{CARDS}/{name}.json": cards[name] for name in names if name in cards}
    files = {
        "kustomization.yaml": _kustomization(state, list(shown), lambda to: os.path.relpath(root / to, folder)),
        "models.config": configuration(ModelSource(m.name, Path(base_path(m.name)), m.labels) for m in state.models),
        "routes.yaml": yaml.safe_dump(
            {model.name: dict(model.weights) for model in state.models}, sort_keys=False, default_flow_style=None
        ),
        STATE_FILE: dump(state),
    }
    return shown | files


def _kustomization(state: State, cards: list[str], way: Callable[[str], str]) -> str:
    components = [f"  - {way(component)}\n" for component in state.components]
    names = [model.name for model in state.models]
    text = KUSTOMIZATION.format(
        base=way(state.base),
        components="".join(["components:\n", *components]) if components else "",
        cards=f"files: [{', '.join(cards)}]" if cards else "literals: []",
        web=state.repository("web"),
        web_tag=json.dumps(state.web.tag),
        serving=state.repository("serving"),
        serving_tag=json.dumps(state.serving.tag),
        models=json.dumps(",".join(names)),
        model=json.dumps(names[0]),
    )
    return text + "".join(_volume(number, model) for number, model in enumerate(state.models) if model.volume)


def _volume(number: int, model: Model) -> str:
    assert model.volume is not None  # noqa: S101 the caller has seen to it
    return VOLUME.format(
        volume=f"models-{number}",  # a model's name may hold what a volume's must not
        claim=model.volume.claim,
        path=json.dumps(str(base_path(model.name))),
        sub_path=json.dumps(model.volume.path),
    )


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files, and no others of ours: each whole, the state last, none half when interrupted.

    Whatever is interrupted, the folder stands for the state before, or the one after once the next command has run.
    """
    with _undisturbed():
        (folder / CARDS).mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            part = folder / f"{name}.part"
            part.write_text(text)
            part.replace(folder / name)
        for card in (folder / CARDS).glob("*.json"):
            if f"{CARDS}/{card.name}" not in files:
                card.unlink()


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
