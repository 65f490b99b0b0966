"""What several runs show together."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from tidegate_proof.record.documents import plain, read_document
from tidegate_proof.record.errors import RecordError
from tidegate_proof.record.folder import PLAN, VERDICT
from tidegate_proof.record.knee import KNEE, KneeRecord
from tidegate_proof.record.manifest import MANIFEST, PARTIAL, Partial, digest
from tidegate_proof.record.plan import Plan
from tidegate_proof.record.proof import PROOF, Interval, Proof, ProofKnee, ProofRun
from tidegate_proof.record.verdict import Verdict
from tidegate_proof.verdict.comparison import incomparable
from tidegate_proof.verdict.differences import Difference, differences
from tidegate_proof.verdict.knees import search_again
from tidegate_proof.verdict.repeats import intervals
from tidegate_proof.verdict.verify import Outcome, Renderer, Verified, check_manifest, check_redrawn, verify


def conclude(root: Path, runs: Sequence[str], knees: Sequence[str]) -> Proof:
    """Conclude from runs that have their verdicts.

    A control that does not fail makes the proof void: then thresholds hold whatever happens. So does the want of one.
    A control that is partial or not valid did not fail.

    Args:
        root: Where proof.json will be.
        runs: Their folders, relative to root.
        knees: Folders of knee.json, the same.

    Raises:
        RecordError: A file is missing or is not what it should be.
    """
    told = [_run(root, folder) for folder in runs]
    controls = [run for run in told if run.expect == "fail"]
    void = not controls or any(run.passed is not False for run in controls)
    others = [run for run in told if run.expect == "pass"]
    return Proof(
        runs=tuple(told),
        knees=tuple(ProofKnee(folder=folder, sha256=digest(root / folder / KNEE)) for folder in knees),
        intervals=_intervals(root, others),
        void=void,
        passed=not void and bool(others) and all(run.passed for run in others),
    )


def verify_proof(root: Path, render: Renderer | None = None, traces: Path | None = None) -> Verified:
    """Check a folder with a proof: every run's record, and what is concluded.

    Args:
        root: Folder of proof.json.
        render: As of `verify`.
        traces: The same.
    """
    try:
        edited = check_manifest(root)
        if edited is not None:
            return Verified(Outcome.DIFFERS, str(edited))
        recorded = read_document(root / PROOF, Proof)
        for run in recorded.runs:
            of_run = verify(root / run.folder, render, traces)
            if of_run.outcome in {Outcome.DIFFERS, Outcome.UNUSABLE}:
                return Verified(of_run.outcome, f"{run.folder}/{of_run.text}")
        again = conclude(root, [run.folder for run in recorded.runs], [knee.folder for knee in recorded.knees])
        found = chain(differences(PROOF, plain(recorded), plain(again)), _other_knees(root, again))
        if again.passed:
            found = chain(found, incomparable(root, again))
        different = next(found, None) or check_redrawn(root, render)
        broken = read_document(root / PARTIAL, Partial) if (root / PARTIAL).exists() else None
    except RecordError as error:
        return Verified(Outcome.UNUSABLE, str(error))
    if different is not None:
        return Verified(Outcome.DIFFERS, str(different))
    return _outcome(again, broken)


def _outcome(proof: Proof, broken: Partial | None) -> Verified:
    if broken is not None:
        return Verified(Outcome.PARTIAL, f"partial: {broken.reason}")
    if proof.passed:
        return Verified(Outcome.PASSED, f"verified, {len(proof.runs)} runs, passed")
    return Verified(Outcome.FAILED, f"verified, {_why_not(proof)}")


def _why_not(proof: Proof) -> str:
    if proof.void:
        passed = ", ".join(run.folder for run in proof.runs if run.expect == "fail" and run.passed is not False)
        return f"void: {f'controls that did not fail: {passed}' if passed else 'no control'}"
    failed = ", ".join(run.folder for run in proof.runs if run.expect == "pass" and not run.passed)
    return f"failed: {failed or 'no run but controls'}"


def _other_knees(root: Path, proof: Proof) -> Iterator[Difference]:
    """Find knees that their steps do not show, and runs whose load is a multiple of something else."""
    records = {listed: read_document(root / listed.folder / KNEE, KneeRecord) for listed in proof.knees}
    for listed, record in records.items():
        yield from search_again(f"{listed.folder}/{KNEE}", record)
    measured = {listed.sha256: record.knee for listed, record in records.items()}
    for run in proof.runs:
        used = read_document(root / run.folder / PLAN, Plan).knee
        if used is None:
            continue
        knee = measured.get(used.sha256)
        if knee is None:
            yield Difference(f"{run.folder}/{PLAN}", "knee.sha256", used.sha256, "that of one of the proof's knees")
        elif knee.capacity_rps != used.capacity_rps:
            yield Difference(f"{run.folder}/{PLAN}", "knee.capacity_rps", used.capacity_rps, knee.capacity_rps)


def _run(root: Path, folder: str) -> ProofRun:
    plan = read_document(root / folder / PLAN, Plan)
    verdict = read_document(root / folder / VERDICT, Verdict)
    if not (root / folder).resolve().is_relative_to(root.resolve()):
        raise RecordError(root / PROOF, f"expected folders below {root}, came {folder}")
    return ProofRun(
        folder=folder,
        scenario=plan.scenario,
        control=plan.control,
        expect="pass" if plan.control is None else "fail",
        passed=verdict.passed,
        state=verdict.state,
        manifest_sha256=digest(root / folder / MANIFEST),
    )


def _intervals(root: Path, runs: Sequence[ProofRun]) -> tuple[Interval, ...]:
    found: list[Interval] = []
    for scenario in dict.fromkeys(run.scenario for run in runs):
        folders = [root / run.folder for run in runs if run.scenario == scenario and run.passed is not None]
        found += intervals(scenario, [read_document(folder / VERDICT, Verdict) for folder in folders])
    return tuple(found)
