"""`manifest.json`, written last: every other file's hash; and `partial.json`: why a run did not come to its end."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tidegate_proof.record.documents import read_bytes, write_document

MANIFEST = "manifest.json"
PARTIAL = "partial.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The files of a record.

    Attributes:
        files: sha256 by name, of all but the manifest itself.
        format: 1.
    """

    files: dict[str, str]
    format: Literal[1] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """A run that was broken off.

    Attributes:
        reason: For people.
        t_ns: When.
        format: 1.
    """

    reason: str
    t_ns: int
    format: Literal[1] = 1


def digest(path: Path) -> str:
    """Return a file's sha256.

    Raises:
        RecordError: It cannot be read.
    """
    return hashlib.sha256(read_bytes(path)).hexdigest()


def files_of(folder: Path) -> list[str]:
    """Name the files that a manifest has to list: all of the folder's but itself and hidden ones, sorted."""
    return sorted(
        path.name for path in folder.iterdir() if path.is_file() and path.name != MANIFEST and path.name[0] != "."
    )


def seal(folder: Path) -> Manifest:
    """Write the manifest of what is in a folder."""
    manifest = Manifest(files={name: digest(folder / name) for name in files_of(folder)})
    write_document(folder / MANIFEST, manifest)
    return manifest
