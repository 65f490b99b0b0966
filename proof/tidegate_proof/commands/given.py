"""The folder that a command was given: whether it can be a record or a proof at all."""

from pathlib import Path

from tidegate_proof.record.folder import PLAN, REQUESTS
from tidegate_proof.record.manifest import MANIFEST, PARTIAL
from tidegate_proof.record.proof import PROOF

_KNOWN = (PROOF, PLAN, REQUESTS, MANIFEST, PARTIAL)
_EXPECTED = "expected a folder with a run's record, or with a proof"


def refusal(folder: Path) -> str | None:
    """Say why a folder is neither a record nor a proof; None when some file of one is there.

    Args:
        folder: As it was given; need not exist.
    """
    if not folder.exists():
        return f"{_EXPECTED}; there is no such folder"
    if not folder.is_dir():
        return f"{_EXPECTED}; this is a file"
    if _holds(folder):
        return None
    try:
        inside = sorted(path.name for path in folder.iterdir() if path.is_dir() and _holds(path))
    except OSError as error:
        return f"{_EXPECTED}; this one cannot be read: {error.strerror}"
    if inside:
        return f"{_EXPECTED}; this one holds several, name one of them: {', '.join(inside)}"
    return f"{_EXPECTED}; it has neither plan.json nor proof.json"


def _holds(folder: Path) -> bool:
    return any((folder / name).exists() for name in _KNOWN)
