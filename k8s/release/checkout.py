"""What this checkout holds: its versions, its examples, and the folder of what is deployed."""

import os
import tomllib
from pathlib import Path

import yaml
from google.protobuf import text_format

from release import files
from release.state import Image, Model, State, StateError, load
from tidegate_proto.server_config_pb2 import ModelServerConfig

OWN = "k8s/overlays/own"

BASE = "k8s/base"
LOADTEST = "k8s/components/loadtest"
NO_COMPONENTS = "none"
WHOLE = "k8s"
"""Lists the base alone. An overlay below it cannot name it: to kustomize that is a cycle."""


class Checkout:
    """The files that a release reads and writes.

    Args:
        root: The checkout.
        own: The folder of what is deployed, from there or absolute; k8s/overlays/own when empty.
    """

    def __init__(self, root: Path, own: str = "") -> None:
        self.root = root
        self.own = root / (own or OWN)

    def version(self, image: str) -> str:
        """Return the version of an image's package (web, serving, loadtest), which is its tag."""
        package = self.root if image == "loadtest" else self.root / "services" / image
        text = (package / "pyproject.toml").read_text()
        return str(tomllib.loads(text)["project"]["version"])

    def deployed(self) -> State:
        """Return what the folder says is deployed; the examples where there is no folder.

        Raises:
            StateError: release.yaml cannot be used.
        """
        file = self.own / files.STATE_FILE
        if not file.exists():
            return self.examples()
        try:
            return load(file.read_text())
        except StateError as error:
            raise StateError(f"{self._within(file)}: {error}") from None

    def examples(self) -> State:
        """Return what the base deploys by itself."""
        config = ModelServerConfig()
        text_format.Parse((self.root / BASE / "models.config").read_text(), config)
        weights = yaml.safe_load((self.root / BASE / "routes.yaml").read_text())
        models = (
            Model(model.name, dict(model.version_labels), weights[model.name], {})
            for model in config.model_config_list.config
        )
        web, serving = Image(self.version("web")), Image(self.version("serving"))
        return State(BASE, (), "", web, serving, tuple(models))

    def base(self, overlay: str) -> str:
        """Return what OVERLAY names as a folder of the checkout; empty for what is deployed already.

        Raises:
            StateError: There is no kustomization.
        """
        if not overlay:
            return ""
        folder = Path(overlay).expanduser().resolve()
        if folder == self.own.resolve():
            return ""
        if not (folder / "kustomization.yaml").is_file():
            raise StateError(f"OVERLAY={overlay}: expected a folder with a kustomization.yaml")
        if folder == (self.root / WHOLE).resolve():
            return BASE
        return self._within(folder)

    def components(self, names: str) -> tuple[str, ...] | None:
        """Return what COMPONENTS names: folders of k8s/components, or others; None for what is deployed already.

        Raises:
            StateError: There is no such component.
        """
        if names in {"", NO_COMPONENTS}:
            return () if names else None
        found = []
        for name in names.split():
            folder = self.root / "k8s/components" / name
            if not (folder / "kustomization.yaml").is_file():
                there = ", ".join(sorted(path.name for path in folder.parent.iterdir()))
                raise StateError(f"COMPONENTS={names}: expected {NO_COMPONENTS}, or some of {there}; came {name}")
            found.append(self._within(folder))
        return tuple(found)

    def _within(self, folder: Path) -> str:
        try:
            return str(folder.resolve().relative_to(self.root.resolve()))
        except ValueError:
            return str(folder)

    def write(self, state: State, cards: dict[str, str]) -> None:
        """Write the overlay of a state.

        Args:
            state: The state.
            cards: The cards of models that are new; those of others are kept.
        """
        kept = files.stored_cards(self.root / BASE / "cards", self.own / "cards") | cards
        files.write(self.own, files.overlay(state, self.examples(), kept, self._way))

    def _way(self, folder: str) -> str:
        return os.path.relpath(self.root / folder, self.own)
