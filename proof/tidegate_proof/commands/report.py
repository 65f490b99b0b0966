"""`tidegate-proof report FOLDER`: draw the report of a run or of a proof again."""

import argparse
import sys
from pathlib import Path

from tidegate_proof.commands.given import refusal
from tidegate_proof.record.documents import read_document
from tidegate_proof.record.errors import RecordError
from tidegate_proof.record.folder import REPORT
from tidegate_proof.record.manifest import MANIFEST, Manifest
from tidegate_proof.report import render

SEALED = (
    "{path} would change, and {manifest} vouches for it as it is: another version drew it, or it was edited. Nothing "
    "was written; `--to DIR` draws elsewhere, `tidegate-proof verify` says what differs."
)


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "report",
        help="draw the report of a run or of a proof",
        description="Writes report.html, summary.md and junit.xml from a record alone: offline, the same each time.",
        epilog="Exit codes: 0 written, 1 the record's manifest vouches for another report, 2 no record.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of a run's record, or of a proof")
    parser.add_argument("--to", type=Path, metavar="DIR", help="write there instead of into FOLDER")


def main(args: argparse.Namespace) -> int:
    """Draw the report and say where it is."""
    folder: Path = args.folder
    target: Path = args.to or folder
    refused = refusal(folder)
    if refused is not None:
        print(f"{folder}: {refused}", file=sys.stderr)
        return 2
    try:
        files = render(folder)
        changed = None if args.to else _sealed(folder, files)
    except RecordError as error:
        print(f"{folder}: {error}", file=sys.stderr)
        return 2
    if changed is not None:
        print(SEALED.format(path=changed, manifest=MANIFEST), file=sys.stderr)
        return 1
    target.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (target / name).write_bytes(content)
    print(target / REPORT)
    return 0


def _sealed(folder: Path, files: dict[str, bytes]) -> Path | None:
    """Find a file that would change although the manifest has its hash."""
    if not (folder / MANIFEST).exists():
        return None
    listed = read_document(folder / MANIFEST, Manifest).files
    kept = (folder / name for name in files if name in listed)
    return next((path for path in kept if not path.exists() or path.read_bytes() != files[path.name]), None)
