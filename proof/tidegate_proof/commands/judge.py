"""`tidegate-proof judge FOLDER`: judge what was recorded once more, by this version."""

import argparse
import sys
from pathlib import Path

from arrivals import ArrivalError
from tidegate_proof.commands.given import refusal
from tidegate_proof.live.conclusion import conclude, conclude_proof, words
from tidegate_proof.record.documents import read_document
from tidegate_proof.record.errors import RecordError
from tidegate_proof.record.folder import PLAN
from tidegate_proof.record.manifest import PARTIAL, Partial
from tidegate_proof.record.plan import Plan
from tidegate_proof.record.proof import PROOF, Proof
from tidegate_proof.verdict.verify import Outcome

EPILOG = """
For a record of an older version, whose figures this one computes in another way. Plans, arrivals, requests and all else
that was recorded stay as they are; verdict, report and manifest are written anew. `verify` tells whether that is due.

exit codes:
  0  judged
  4  no usable record, or it cannot be written
"""


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "judge",
        help="judge what was recorded once more, by this version",
        description="Writes verdict, report and manifest of a run, or of a proof and all its runs, from the raw data.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of a run's record, or of a proof")


def main(args: argparse.Namespace) -> int:
    """Judge, and say what came of it."""
    folder: Path = args.folder
    refused = refusal(folder)
    if refused is not None:
        print(f"{folder}: {refused}", file=sys.stderr)
        return int(Outcome.UNUSABLE)
    try:
        if not (folder / PROOF).exists():
            _judge(folder)
            return 0
        recorded = read_document(folder / PROOF, Proof)
        for run in sorted(plan.parent for plan in folder.glob(f"*/{PLAN}")):
            _judge(run)
        broken = read_document(folder / PARTIAL, Partial) if (folder / PARTIAL).exists() else None
        knees = [knee.folder for knee in recorded.knees]
        proof = conclude_proof(folder, [run.folder for run in recorded.runs], knees, broken)
    except (RecordError, ArrivalError, OSError) as error:
        print(f"{folder}: {error}", file=sys.stderr)
        return int(Outcome.UNUSABLE)
    print("VOID" if proof.void else "PASSED" if proof.passed else "FAILED")
    return 0


def _judge(folder: Path) -> None:
    """Judge a run.

    Raises:
        RecordError, ArrivalError: The raw data is not what it should be.
        OSError: Nothing can be written.
    """
    verdict = conclude(folder)
    control = read_document(folder / PLAN, Plan).control
    print(f"{folder.name}: {words(verdict, control=control is not None)[-1]}")
