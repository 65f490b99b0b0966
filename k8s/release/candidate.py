"""What MODEL, NAME and VERSION mean: a SavedModel of the user's that was tried, or a version on a volume."""

import logging
import re
from dataclasses import dataclass
from pathlib import Path

from release.images import NewVersion, digest_of
from release.state import Volume
from release.transitions import Candidate
from tidegate_serving.model_source import ModelSource, ModelSourceError, card_of, checked_name, find, is_saved_model
from tidegate_serving.quiet import quieten
from tidegate_serving.versions import INT64_MAX

VOLUME = re.compile(r"pvc:([a-z0-9]([a-z0-9.-]*[a-z0-9])?)(?:/(.*))?")


@dataclass(frozen=True, slots=True)
class Found:
    """What is to be served.

    Attributes:
        candidate: The version.
        new: Its folder here; None on a volume.
        card: What the form tells of it; empty for nothing.
    """

    candidate: Candidate
    new: NewVersion | None = None
    card: str = ""


def look(model: str, name: str, version: str, next_version: int, links: Path) -> Found:
    """Understand what the user names.

    Args:
        model: A SavedModel's folder, a folder of versions, or `pvc:CLAIM/path`.
        name: What to serve it as; the folder's name when empty.
        version: Its number; when empty, that of its folder, or of the newest in a folder of versions.
        next_version: Its number where neither tells one.
        links: A folder for links.

    Raises:
        ModelSourceError: There is no such model, or no such number.
    """
    number = _number(version)
    if model.startswith("pvc:"):
        return _on_volume(model, name, number)
    folder = Path(model).expanduser().resolve()
    source = find(model, name, links)
    if is_saved_model(folder):
        chosen = number or (int(folder.name) if folder.name.isdigit() else next_version)
        return _here(source, chosen, folder)
    there = source.versions()
    chosen = number or max(there)
    if chosen not in there:
        raise ModelSourceError(f"VERSION={chosen}: MODEL={model} holds {', '.join(str(n) for n in sorted(there))}")
    return _here(source, chosen, there[chosen])


def _here(source: ModelSource, version: int, folder: Path) -> Found:
    card = card_of(folder)
    return Found(
        Candidate(source.name, version, digest_of(folder)),
        NewVersion(source.name, version, folder),
        "" if card is None else card.read_text(),
    )


def _on_volume(model: str, name: str, number: int | None) -> Found:
    match = VOLUME.fullmatch(model)
    if match is None:
        raise ModelSourceError(f"MODEL={model}: expected pvc:CLAIM or pvc:CLAIM/path, with the claim's name")
    if not name or number is None:
        raise ModelSourceError(f"MODEL={model}: nobody can look into a volume from here: expected NAME=… and VERSION=…")
    volume = Volume(match[1], (match[3] or "").strip("/"))
    if ".." in Path(volume.path).parts:
        raise ModelSourceError(f"MODEL={model}: expected a path without '..'")
    return Found(Candidate(checked_name(name), number, volume=volume))


def _number(version: str) -> int | None:
    if not version:
        return None
    if not version.isascii() or not version.isdigit() or not 0 < int(version) <= INT64_MAX:
        raise ModelSourceError(f"VERSION={version}: expected a whole number from 1")
    return int(version)


def signatures(folder: Path) -> list[str]:
    """Load a SavedModel as the model server would, and return the names of what it can be asked for.

    Raises:
        ModelSourceError: It cannot be loaded.
    """
    quieten()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of its own deprecations
    from tidegate_serving.savedmodel import INIT_SIGNATURE, LoadError, SavedModel  # noqa: PLC0415 TensorFlow is slow

    try:
        model = SavedModel(folder)
    except LoadError as error:
        raise ModelSourceError(f"the model server could not load this model: {error}") from None
    model.close()
    return sorted(name for name in model.signatures if name != INIT_SIGNATURE)
