"""Turns a folder, of a run or of a proof, into the bytes of its report, its Markdown summary and its JUnit XML."""

from pathlib import Path

from tidegate_proof.record.documents import read_document
from tidegate_proof.record.errors import RecordError
from tidegate_proof.record.folder import JUNIT, REPORT, SUMMARY
from tidegate_proof.record.knee import KNEE, KneeRecord
from tidegate_proof.record.manifest import digest
from tidegate_proof.record.proof import PROOF, Proof
from tidegate_proof.report import curves
from tidegate_proof.report.junit import Case, Suite, junit
from tidegate_proof.report.markdown import summary
from tidegate_proof.report.outcome import cases
from tidegate_proof.report.page import Page, html
from tidegate_proof.report.proof_page import Member, proof_page
from tidegate_proof.report.run import Run, read_run
from tidegate_proof.report.run_page import run_page
from tidegate_proof.report.svg import Picture


def render(folder: Path) -> dict[str, bytes]:
    """Render all that people and CI systems read, from the record alone: the same folder gives the same bytes.

    Args:
        folder: Of a run that has its verdict, or of a proof.

    Returns:
        By file name: report.html, summary.md and junit.xml.

    Raises:
        RecordError: A file is missing or is not what it should be.
    """
    page, suites = _of_proof(folder) if (folder / PROOF).exists() else _of_run(folder)
    return {
        REPORT: html(page).encode(),
        SUMMARY: summary(page, ("thresholds", "runs", "validity")).encode(),
        JUNIT: junit(suites).encode(),
    }


def _of_run(folder: Path) -> tuple[Page, list[Suite]]:
    run = read_run(folder)
    used = run.record.plan.knee
    knee = None if used is None else _knee(folder / KNEE, used.sha256, "")
    return run_page(run, knee), [_suite(run, run.record.plan.scenario)]


def _of_proof(folder: Path) -> tuple[Page, list[Suite]]:
    proof = read_document(folder / PROOF, Proof)
    members = [Member(said, read_run(folder / said.folder)) for said in proof.runs]
    suites = [_suite(member.run, member.said.folder) for member in members]
    if members:
        first = members[0].run
        expected = [
            Case("proof", f"{member.said.folder} has to {member.said.expect}", member.did, f"it is {_did(member)}")
            for member in members
        ]
        controlled = Case("proof", "controls fail", not proof.void, "a proof without a control that fails is void")
        name = first.record.plan.cluster.namespace
        suites.insert(0, Suite("proof", _stamp(first), name, 0, [], [*expected, controlled]))
    found = (_knee(folder / knee.folder / KNEE, knee.sha256, knee.folder) for knee in proof.knees)
    return proof_page(proof, members, [knee for knee in found if knee is not None]), suites


def _knee(path: Path, sha256: str, name: str) -> Picture | None:
    """Draw the knee that was measured by; None where the record has no copy of it, or the search was refused.

    Raises:
        RecordError: It is another one than was measured by.
    """
    if not path.exists():
        return None
    if digest(path) != sha256:
        raise RecordError(path, f"expected the one with sha256 {sha256}, which the plan names, came {digest(path)}")
    found = read_document(path, KneeRecord)
    if found.knee is None:
        return None
    steps = [curves.KneeStep(step.offered_rps, step.goodput_rps, step.p99_ns, step.valid) for step in found.steps]
    return curves.knee(
        steps, found.knee.capacity_rps, found.slo.latency_ns, name or f"One replica of tier {found.tier}"
    )


def _did(member: Member) -> str:
    if member.said.passed is None:
        return f"not judged ({member.said.state})"
    return "passed" if member.said.passed else "failed"


def _suite(run: Run, name: str) -> Suite:
    plan = run.record.plan
    properties = [
        ("plan.sha256", run.plan_sha256),
        ("scenario", plan.scenario),
        ("control", plan.control or "none"),
        ("tier", plan.tier),
        ("seed", str(plan.seed)),
        ("kubernetes", plan.cluster.kubernetes),
        *((f"version.{of}", version) for of, version in sorted(plan.versions.items())),
    ]
    host = plan.cluster.namespace
    return Suite(name, _stamp(run), host, len(run.record.arrivals), properties, cases(plan, run.verdict))


def _stamp(run: Run) -> str:
    return f"{run.started:%Y-%m-%dT%H:%M:%S}"
