"""`tidegate-proof verify FOLDER`: compute a record or a proof again, offline, and name the first thing that differs."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from tidegate_proof.commands.given import refusal
from tidegate_proof.record.documents import read_document
from tidegate_proof.record.errors import RecordError
from tidegate_proof.record.folder import PLAN
from tidegate_proof.record.manifest import digest
from tidegate_proof.record.plan import Plan
from tidegate_proof.record.proof import PROOF, Proof
from tidegate_proof.report import render
from tidegate_proof.verdict.proof import verify_proof
from tidegate_proof.verdict.trying import try_controls
from tidegate_proof.verdict.verify import Outcome, Renderer, Verified, verify

EPILOG = """exit codes:
  0  verified, and the verdict is passed
  1  verified, and the verdict is failed, not valid, or void
  2  something differs: edited, damaged, or computed by another version
  3  partial: the run did not come to its end
  4  no usable record
  5  a negative control was not found out (--controls)
"""
UNDETECTED = 5


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "verify",
        help="compute a record again and name the first thing that differs",
        description="Computes a run's record, or a proof of several, again from its raw data. Needs no cluster.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of a run's record, or of a proof")
    parser.add_argument(
        "--controls", action="store_true", help="also falsify copies of the record; each must be found out"
    )
    parser.add_argument(
        "--plan",
        action="append",
        default=[],
        metavar="SHA256",
        help="the plan's hash, as it was printed before the run; of a proof, as often as it has runs",
    )
    parser.add_argument(
        "--traces", type=Path, metavar="DIR", help="where the plan's trace is (default: the load test's own)"
    )


def main(args: argparse.Namespace) -> int:
    """Check a folder and say what came of it."""
    folder: Path = args.folder
    refused = refusal(folder)
    if refused is not None:
        return _said(folder, Verified(Outcome.UNUSABLE, refused))
    is_proof = (folder / PROOF).exists()
    renderer = _renderer(folder)
    found = (verify_proof if is_proof else verify)(folder, renderer, args.traces)
    sound = found.outcome not in {Outcome.DIFFERS, Outcome.UNUSABLE}
    runs = read_document(folder / PROOF, Proof).runs if is_proof and sound else ()
    if sound:
        found = _as_printed([folder / run.folder for run in runs] or [folder], args.plan) or found
    code = _said(folder, found)
    if not args.controls:
        return code
    if found.outcome is not Outcome.PASSED:
        print("controls: not tried, since the record itself does not pass", file=sys.stderr)
        return code
    passing = [folder / run.folder for run in runs if run.expect == "pass"] or [folder]
    return max(_controls(run, args.traces) for run in passing)


def _renderer(folder: Path) -> Renderer | None:
    """Return what draws the folder's reports again; None, with a word, where another version drew them."""
    try:
        runs = read_document(folder / PROOF, Proof).runs if (folder / PROOF).exists() else ()
        drawn = read_document(folder / (runs[0].folder if runs else "") / PLAN, Plan).versions.get(
            "tidegate", "unknown"
        )
    except RecordError:
        return render  # which the check names, too
    if drawn == version("tidegate-proof"):
        return render
    print(f"{folder}: drawn by version {drawn}, so that reports are held against their hashes alone", file=sys.stderr)
    return None


def _as_printed(folders: Sequence[Path], printed: Sequence[str]) -> Verified | None:
    """Hold hashes that were printed against the plans of runs; None when each is that of one."""
    recomputed = [digest(folder / PLAN) for folder in folders]
    for sha256 in printed:
        if sha256 not in recomputed:
            there = f"it is {recomputed[0]}" if len(folders) == 1 else "no run has that plan"
            return Verified(Outcome.DIFFERS, f"{PLAN}: sha256: {sha256} was printed, {there}")
    return None


def _said(folder: Path, found: Verified) -> int:
    print(f"{folder}: {found.text}", file=sys.stdout if found.outcome is Outcome.PASSED else sys.stderr)
    return int(found.outcome)


def _controls(folder: Path, traces: Path | None) -> int:
    words = {True: "found out", False: "NOT FOUND OUT", None: "-"}
    undetected = False
    for tried in try_controls(folder, traces=traces):
        undetected |= tried.found_out is False
        print(f"{folder}: control {tried.control.name}: {words[tried.found_out]}: {tried.text}", flush=True)
    if undetected:
        print(f"{folder}: void: a falsified copy passes", file=sys.stderr)
    return UNDETECTED if undetected else int(Outcome.PASSED)
