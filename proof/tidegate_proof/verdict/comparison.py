"""Whether the runs of a proof can be held against each other, when each of them is sound by itself."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tidegate_proof.record.documents import Object, plain, read_document
from tidegate_proof.record.folder import CLUSTER, PLAN, REQUESTS, VERDICT
from tidegate_proof.record.manifest import digest
from tidegate_proof.record.plan import Plan, Threshold
from tidegate_proof.record.proof import PROOF, Proof, ProofRun
from tidegate_proof.record.verdict import Verdict
from tidegate_proof.verdict.differences import Difference, differences

SAME = (
    *("tier", "model", "rows", "work_iterations", "process", "shape", "warm_up_s", "phases", "slo", "timeout_s"),
    *("generator", "knee"),
)
"""Fields of a plan that runs of one scenario share; arrivals differ, by their seed."""

FORECAST = "forecast."
"""How a metric begins whose threshold a plan has only where there is a forecast."""


@dataclass(frozen=True, slots=True)
class _Member:
    """A run with what was planned and what came."""

    said: ProofRun
    plan: Plan
    verdict: Verdict

    @property
    def plan_file(self) -> str:
        return f"{self.said.folder}/{PLAN}"


def incomparable(root: Path, proof: Proof) -> Iterator[Difference]:
    """Find what makes runs and controls of a proof say nothing about each other.

    A run counts once, none that was judged is left out, all of a scenario have one load and the same thresholds, and a
    control fails by a threshold that its run had to hold, with that broken which it says is.

    Args:
        root: Folder of proof.json.
        proof: As concluded from the records.

    Raises:
        RecordError: A file is missing or is not what it should be.
    """
    yield from _twice(root, proof)
    yield from _left_out(root, proof)
    members = [
        _Member(run, read_document(root / run.folder / PLAN, Plan), read_document(root / run.folder / VERDICT, Verdict))
        for run in proof.runs
    ]
    judges: dict[str, _Member] = {}
    for member in members:
        if member.said.expect == "pass":
            judges.setdefault(member.said.scenario, member)
    for member in members:
        judge = judges.get(member.said.scenario)
        if judge is None:
            found = f"{member.said.scenario}, which no run has to pass"
            yield Difference(member.plan_file, "scenario", found, "that of a run that has to pass")
            continue
        yield from _unlike(member, judge)
        if member.said.control is not None:
            yield from _by_another(member, judge)
            yield from _unbroken(member)


def _twice(root: Path, proof: Proof) -> Iterator[Difference]:
    seen: dict[str, str] = {}
    for run in proof.runs:
        first = seen.setdefault(digest(root / run.folder / REQUESTS), run.folder)
        if first != run.folder or [other.folder for other in proof.runs].count(run.folder) > 1:
            yield Difference(f"{run.folder}/{REQUESTS}", "the run", f"that of {first} again", "a run of its own")


def _left_out(root: Path, proof: Proof) -> Iterator[Difference]:
    """Find judged runs that nobody names; one that is not valid, and was done again, stays beside the others."""
    named = {(root / run.folder).resolve() for run in proof.runs}
    for folder in sorted(path for path in root.iterdir() if (path / VERDICT).is_file()):
        if folder.resolve() not in named and read_document(folder / VERDICT, Verdict).passed is not None:
            yield Difference(PROOF, "runs", f"without {folder.name}", "every run that was judged")


def _unlike(member: _Member, judge: _Member) -> Iterator[Difference]:
    mine, others = _compared(member.plan), _compared(judge.plan)
    for found in differences(member.plan_file, mine, others):
        yield replace(found, recomputed=f"{found.recomputed}, as in {judge.said.folder}")


def _compared(plan: Plan) -> Object:
    document = plain(plan)
    lasting = [threshold for threshold in document["thresholds"] if not threshold["metric"].startswith(FORECAST)]
    return {
        **{name: document[name] for name in SAME},
        "thresholds": {threshold["name"]: threshold for threshold in lasting},
    }


def _by_another(control: _Member, judge: _Member) -> Iterator[Difference]:
    def key(threshold: Threshold) -> tuple[str, str, float]:
        return threshold.metric, threshold.op, threshold.limit

    to_hold = {key(threshold) for threshold in judge.plan.thresholds}
    failed = {judged.name for judged in control.verdict.thresholds if not judged.passed}
    broken = {key(threshold) for threshold in control.plan.thresholds if threshold.name in failed}
    if not broken & to_hold:
        names = ", ".join(sorted(failed))
        yield Difference(control.plan_file, "thresholds that broke", names, f"one that {judge.said.folder} had to hold")


def _unbroken(control: _Member) -> Iterator[Difference]:
    """Find a control whose breakage did not take place, so that it fails for some other reason."""
    folder, tier, figures = control.said.folder, control.plan.tier, control.verdict.figures
    if control.said.control == "frozen-hpa":
        for event in figures.scale_events:
            if event.tier == tier and event.replicas_to > event.replicas_from:
                grown = f"{event.replicas_from} to {event.replicas_to}"
                yield Difference(f"{folder}/{CLUSTER}", f"replicas of {tier}", grown, "none added, by its control")
    else:
        answering = sum(share.tier == tier and share.requests > 0 for share in figures.pods.values())
        if answering != 1:
            yield Difference(f"{folder}/{REQUESTS}", f"pods of {tier} that answered", answering, "1, by its control")
