"""What follows a run: its verdict, its report, its seal, and a word to the person who started it."""

from collections.abc import Sequence
from pathlib import Path

from tidegate_proof.record.documents import write_document
from tidegate_proof.record.folder import VERDICT, read_record
from tidegate_proof.record.manifest import PARTIAL, Partial, seal
from tidegate_proof.record.proof import PROOF, Proof
from tidegate_proof.record.verdict import Verdict
from tidegate_proof.report import render
from tidegate_proof.verdict.intended import rates_of
from tidegate_proof.verdict.judge import judge
from tidegate_proof.verdict.proof import conclude as conclude_runs


def conclude(folder: Path) -> Verdict:
    """Judge a run by its raw data as anybody can later, draw the report, seal the folder.

    Raises:
        RecordError: The raw data is not what it should be.
        OSError: The disk is full.
    """
    record = read_record(folder)
    verdict = judge(record, rates_of(record.plan))
    write_document(folder / VERDICT, verdict)
    _draw_and_seal(folder)
    return verdict


def conclude_proof(root: Path, runs: Sequence[str], knees: Sequence[str], broken: Partial | None = None) -> Proof:
    """Say what judged runs show together, draw the report, seal the folder.

    Args:
        root: Above them.
        runs: Their folders, relative to it.
        knees: Folders of knee.json, the same.
        broken: Why the programme did not come to its end; None when it did.

    Raises:
        RecordError: A record cannot be read.
        OSError: The disk is full.
    """
    proof = conclude_runs(root, runs, knees)
    write_document(root / PROOF, proof)
    if broken is not None:
        write_document(root / PARTIAL, broken)
    _draw_and_seal(root)
    return proof


def _draw_and_seal(folder: Path) -> None:
    for name, content in render(folder).items():
        (folder / name).write_bytes(content)
    seal(folder)


def words(verdict: Verdict, *, control: bool) -> list[str]:
    """Say in a few lines what a run showed."""
    total = verdict.figures.total
    lines = [
        f"{'✓' if one.passed else '✗'} {one.name}: {one.metric} {_number(one.value)} {one.op} {_number(one.limit)}"
        for one in verdict.thresholds
    ]
    lines.append(
        f"{total.arrivals:,} requests, {total.good:,} good, {total.lost} lost, "
        f"{total.violation_s} of {total.duration_s} s outside of the promise"
    )
    if verdict.state == "partial":
        lines.append(f"PARTIAL: {verdict.reason}")
    elif not verdict.valid:
        broken = ", ".join(f"{check.name} {_number(check.value)}" for check in verdict.validity if not check.passed)
        lines.append(f"NOT VALID: {broken}")
    elif control:
        lines.append("PASSED, which a control must not" if verdict.passed else "FAILED, as a control must")
    else:
        lines.append("PASSED" if verdict.passed else "FAILED")
    return lines


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:g}" if abs(value) < 1e6 else f"{value / 1e6:,.1f}e6"  # noqa: PLR2004 ns read badly
