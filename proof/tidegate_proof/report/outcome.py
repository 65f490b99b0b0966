"""The verdict of a run in a word and a sentence, and as cases for CI systems."""

from tidegate_proof.record.plan import Control, Plan
from tidegate_proof.record.verdict import Judged, Verdict
from tidegate_proof.report.judged import demand, distance, figure
from tidegate_proof.report.junit import Case
from tidegate_proof.report.page import Outcome
from tidegate_proof.report.wording import MISSING, digits, several

CONTROLS: dict[Control, str] = {
    "frozen-hpa": "the autoscaler was frozen",
    "pinned": "all traffic was pinned to one pod",
}
"""What was broken on purpose."""


def outcome(plan: Plan, verdict: Verdict) -> Outcome:
    """Put a run's verdict into words."""
    if verdict.state == "partial":
        reason = verdict.reason or "no reason is known"
        return Outcome("partial", "Partial", f"The run did not come to its end: {reason}. Nothing is judged.")
    if not verdict.valid:
        broken = "; ".join(check.name for check in verdict.validity if not check.passed)
        sentence = f"The run says nothing about the system under test, because it was not measured well: {broken}."
        return Outcome("invalid", "Invalid", sentence)
    if plan.control is not None:
        return _control(plan.control, verdict)
    if verdict.passed:
        every = several(len(verdict.thresholds), "threshold")
        return Outcome(
            "passed",
            "Passed",
            f"{every}, fixed before the first request: {'it holds' if len(verdict.thresholds) == 1 else 'all hold'}.",
        )
    return Outcome("failed", "Failed", _broken(verdict))


def _control(control: Control, verdict: Verdict) -> Outcome:
    """Say whether a run that was broken on purpose failed, as it must."""
    done = f"On purpose {CONTROLS[control]}"
    if verdict.passed:
        return Outcome(
            "void", "Passed, and must not", f"{done}, and the thresholds held all the same: they show nothing."
        )
    return Outcome("control", "Failed, as this control must", f"{done}. {_broken(verdict)}")


def _broken(verdict: Verdict) -> str:
    broken = [judged for judged in verdict.thresholds if not judged.passed]
    told = "; ".join(f"{judged.name} ({_was(judged)})" for judged in broken)
    return f"{len(broken)} of {several(len(verdict.thresholds), 'threshold')} did not hold: {told}."


def _was(judged: Judged) -> str:
    """Write the figure beside its limit."""
    value = "no figure" if judged.value is None else figure(judged.metric, judged.value)
    return f"{value}, limit {demand(judged.metric, judged.op, judged.limit)}"


def cases(plan: Plan, verdict: Verdict) -> list[Case]:
    """List what was judged. In a control thresholds are skipped, and one case asks whether it failed as it must."""
    shown = outcome(plan, verdict)
    complete = Case("record", "the run came to its end", verdict.state == "complete", verdict.reason or "")
    checks = [
        Case(
            "validity",
            check.name,
            check.passed,
            f"{MISSING if check.value is None else digits(check.value)}, at most {digits(check.limit)}",
        )
        for check in verdict.validity
    ]
    judging = verdict.passed is not None and plan.control is None
    thresholds = [
        Case(
            "threshold",
            judged.name,
            judged.passed if judging else None,
            f"{_was(judged)}: {distance(judged.metric, judged.limit, judged.value)}"
            + ("" if judging else f"; not judged: {shown.word.lower()}"),
        )
        for judged in verdict.thresholds
    ]
    control = (
        []
        if plan.control is None
        else [
            Case(
                "control",
                f"{plan.control} fails",
                None if verdict.passed is None else not verdict.passed,
                shown.sentence,
            )
        ]
    )
    return [complete, *checks, *thresholds, *control]
