"""What `make run` and `make deploy` serve: models that are trained here, or a folder of the user's (MODEL, NAME)."""

import json
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

SERVED_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


class ModelSourceError(Exception):
    """A folder or name that cannot be served; the text says what was expected and what came."""


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model as the model server wants it: a name, and a folder with a sub-folder per version.

    Attributes:
        name: What it is served as.
        base_path: The folder, as the model server sees it.
        labels: The versions to serve, by what clients call them; the newest one where there are none.
        every: Whether to serve all there are instead, those that come later among them.
    """

    name: str
    base_path: Path
    labels: Mapping[str, int] = field(default_factory=dict)
    every: bool = False

    def versions(self) -> dict[int, Path]:
        """Return the folder of each version there is."""
        return {int(folder.name): folder for folder in self.base_path.iterdir() if _is_version(folder)}

    def card(self) -> Path | None:
        """Return the newest version's card; None where it has none."""
        versions = self.versions()
        return card_of(versions[max(versions)])


def card_of(version: Path) -> Path | None:
    """Return the card of a version's folder; None where it has none."""
    card = version / "assets.extra" / "tidegate.json"
    return card if card.is_file() else None


def configuration(sources: Iterable[ModelSource]) -> str:
    """Write the model server's configuration file."""
    configs = []
    for source in sources:
        name, base_path = json.dumps(source.name), json.dumps(str(source.base_path), ensure_ascii=False)
        configs.append(
            f'  config {{\n    name: {name}\n    base_path: {base_path}\n    model_platform: "tensorflow"\n'
            f"{_policy(source)}  }}\n"
        )
    return f"model_config_list {{\n{''.join(configs)}}}\n"


def _policy(source: ModelSource) -> str:
    """Say which versions to serve and what they are called."""
    if source.every:
        return "    model_version_policy { all { } }\n"
    if not source.labels:
        return ""
    versions = " ".join(f"versions: {version}" for version in sorted(set(source.labels.values())))
    called = (f'    version_labels {{ key: "{label}" value: {version} }}\n' for label, version in source.labels.items())
    return f"    model_version_policy {{ specific {{ {versions} }} }}\n{''.join(called)}"


def write_cards(sources: Iterable[ModelSource], folder: Path) -> None:
    """Copy each model's card to `NAME.json` of a folder, which holds no others afterwards."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.json"):
        old.unlink()
    for source in sources:
        if (card := source.card()) is not None:
            shutil.copyfile(card, folder / f"{source.name}.json")


def is_saved_model(folder: Path) -> bool:
    """Whether a folder is one version of a SavedModel."""
    return (folder / "saved_model.pb").is_file() or (folder / "saved_model.pbtxt").is_file()


def _is_version(folder: Path) -> bool:
    return folder.name.isascii() and folder.name.isdigit() and is_saved_model(folder)


def checked_name(name: str) -> str:
    """Return a name that can be served.

    Raises:
        ModelSourceError: It cannot.
    """
    if not SERVED_NAME.fullmatch(name):
        raise ModelSourceError(
            f"NAME={name}: expected letters, digits, '_', '.' and '-', at most 63; choose one with NAME=…"
        )
    return name


def find(model: str, name: str, state: Path) -> ModelSource:
    """Understand MODEL and NAME.

    Args:
        model: A SavedModel's folder, or a folder with one in each numbered sub-folder.
        name: What to serve it as; the folder's name when empty.
        state: Where a single version gets its folder of versions.

    Raises:
        ModelSourceError: There is no model, or no such name.
    """
    folder = Path(model).expanduser().resolve()
    if not folder.is_dir():
        came = f"a file{_way_out(folder)}" if folder.exists() else "nothing"
        raise ModelSourceError(f"MODEL={model}: expected a SavedModel's folder, there is {came}")
    versions = [sub for sub in folder.iterdir() if _is_version(sub)]
    if is_saved_model(folder):
        chosen = checked_name(name or (folder.parent.name if folder.name.isdigit() else folder.name))
        return ModelSource(chosen, _as_only_version(folder, state / "links" / chosen))
    if not versions:
        there = ", ".join(sorted(sub.name for sub in folder.iterdir())[:8]) or "nothing"
        raise ModelSourceError(
            f"MODEL={model}: expected saved_model.pb, or numbered sub-folders (1, 2, …) that hold one; there is {there}"
        )
    return ModelSource(checked_name(name or folder.name), folder)


def _way_out(file: Path) -> str:
    """Say how one comes from a file to a SavedModel's folder, where that is known."""
    if file.suffix in {".keras", ".h5", ".hdf5"}:
        return (
            ". Keras writes a folder of it, in the Python that made it: "
            f"keras.models.load_model({str(file)!r}).export({str(file.with_suffix(''))!r})"
        )
    return f": name its folder, {file.parent}" if is_saved_model(file.parent) else ""


def _as_only_version(folder: Path, base_path: Path) -> Path:
    """Give a version folder a folder of versions, where it is the only one."""
    base_path.mkdir(parents=True, exist_ok=True)
    for old in base_path.iterdir():
        old.unlink()
    number = folder.name if folder.name.isdigit() else "1"
    (base_path / number).symlink_to(folder, target_is_directory=True)
    return base_path
