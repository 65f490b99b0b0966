"""Which versions of a model a folder holds, which of them are wanted, and whether one is all there."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tidegate_proto.server_config_pb2 import ServableVersionPolicy

INT64_MAX = 2**63 - 1

SETTLED_S = 1.0
"""For how long nothing in a folder must have changed: a copy that is under way changes something more often."""


def present(base_path: Path) -> dict[int, Path]:
    """Return the folder of each version: sub-folders named by a non-negative int64, as TF Serving takes them."""
    if not base_path.is_dir():
        return {}
    return {
        int(folder.name): folder
        for folder in sorted(base_path.iterdir())
        if folder.name.isascii() and folder.name.isdigit() and int(folder.name) <= INT64_MAX and folder.is_dir()
    }


def wanted(versions: set[int], policy: ServableVersionPolicy) -> set[int]:
    """Apply a version policy: the latest one unless it says otherwise."""
    match policy.WhichOneof("policy_choice"):
        case "all":
            return versions
        case "specific":
            return versions & set(policy.specific.versions)
        case _:
            return set(sorted(versions)[-(policy.latest.num_versions or 1) :])


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a version's folder: equal contents are equal.

    Attributes:
        files: Path, bytes and time of change of each, in nanoseconds.
        changed_s: When the folder last changed, in seconds of the clock on the wall.
    """

    files: frozenset[tuple[str, int, int]]
    changed_s: float

    def settled(self, now_s: float) -> bool:
        """Whether it has been as it is for a while. One that changes in the future has a clock that is not ours."""
        return not 0 <= now_s - self.changed_s < SETTLED_S


def contents(folder: Path) -> Contents:
    """Look at a folder. The time of change is of the inode: copying tools set the other one to the past."""
    found = frozenset(_files(folder))
    return Contents(found, max((changed_ns for _, _, changed_ns in found), default=0) / 1e9)


def _files(folder: Path) -> Iterator[tuple[str, int, int]]:
    for parent, _, names in os.walk(folder):
        for path in (parent, *(os.path.join(parent, name) for name in names)):  # noqa: PTH118 as os.walk gives them
            try:
                stat = os.stat(path)  # noqa: PTH116 the same
            except FileNotFoundError:  # gone since
                continue
            yield path, stat.st_size, stat.st_ctime_ns
