"""The report of a proof as a page: runs that have to pass, controls that have to fail, and what repeats agree on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from tidegate_proof.record.folder import REPORT
from tidegate_proof.record.proof import Interval, Proof, ProofRun
from tidegate_proof.report import evidence, svg
from tidegate_proof.report.accounts import refusals
from tidegate_proof.report.circumstances import VERIFY
from tidegate_proof.report.judged import figure
from tidegate_proof.report.limits import limits
from tidegate_proof.report.outcome import CONTROLS, outcome
from tidegate_proof.report.page import Highlight, Listing, Outcome, Page, Pair, Part, Section, Words
from tidegate_proof.report.recovery import recovery
from tidegate_proof.report.run import Run
from tidegate_proof.report.run_page import FOOTER
from tidegate_proof.report.tables import Cell, Column, Mark, Noted, Table
from tidegate_proof.report.wording import count, duration, percent, several

HASH = 16
"""Digits of a plan's hash; each run's own report has all of them."""


@dataclass(frozen=True, slots=True)
class Member:
    """A run of a proof: what the proof says of it, and what it is."""

    said: ProofRun
    run: Run

    @property
    def did(self) -> bool:
        """Whether it did what it had to."""
        return self.said.state == "complete" and self.said.passed is (self.said.expect == "pass")


def proof_page(proof: Proof, members: Sequence[Member], knees: Sequence[svg.Picture]) -> Page:
    """Lay out a proof's report.

    Args:
        proof: What proof.json says.
        members: Its runs.
        knees: Pictures of the knees that they were measured by.
    """
    sections = [
        Section("runs", "Runs", "Runs and controls", _RUNS, [_runs(members)]),
        Section("beside", "Side by side", "The same rates, with and without", _BESIDE, _beside(members)),
        Section("repeats", "Repeats", "What repeats agree on", _REPEATS, [_intervals(proof.intervals)]),
        *([Section("knees", "Capacity", "Capacity of one replica", "", [Pair(knees)])] if knees else []),
        Section("limits", "Limits", "What this proof can show, and what it cannot", "", [Words(_limits(members))]),
        Section("verify", "Verify", "Check it yourself", _CHECK, [Listing("In this folder", VERIFY, open=True)]),
    ]
    claims = dict.fromkeys(member.run.record.plan.hypothesis for member in members if member.said.control is None)
    title = "Proof: " + " and ".join(_scenarios(members))
    claim = _claim(list(claims), members)
    return Page("Report of a proof", title, _outcome(proof, members), claim, _highlights(members), sections, FOOTER)


_RUNS = (
    "A run shows something only when the same measurement fails where it has to. Each control was made in the "
    "same way, with one thing broken on purpose. “Missed” is the time in which the objective was not met; “Met again” "
    "says when it was met again, counted from the change of the load."
)
_BESIDE = "Arrivals differ by their seeds, and each picture has axes of its own. Each run's own report has all of them."
_REPEATS = (
    "Means over the runs of one scenario, controls left out, with the 95 % interval by Student's t. Of few runs it is "
    "wide, and may reach beyond what can be, such as below 0."
)
_CHECK = (
    "Without a network or the cluster, this computes every figure of every run again from its raw data and holds "
    "proof.json against them."
)


def _scenarios(members: Sequence[Member]) -> list[str]:
    return list(dict.fromkeys(f"{member.said.scenario.replace('-', ' ')}" for member in members))


def _outcome(proof: Proof, members: Sequence[Member]) -> Outcome:
    controls = [member for member in members if member.said.expect == "fail"]
    if proof.void:
        passed = [member.said.folder for member in controls if not member.did]
        why = f"{', '.join(passed)} did not fail as it must" if passed else "there is no control"
        return Outcome("void", "Void", f"This shows nothing: {why}.")
    if proof.passed:
        runs = several(len(members) - len(controls), "run")
        failed = several(len(controls), "control")
        return Outcome(
            "passed",
            "Passed",
            f"{runs} held every threshold; {failed} failed, as {'it' if len(controls) == 1 else 'they'} must.",
        )
    wrong = ", ".join(member.said.folder for member in members if not member.did)
    return Outcome("failed", "Failed", f"Not as expected: {wrong}.")


def _claim(claims: Sequence[str], members: Sequence[Member]) -> list[tuple[str, str]]:
    started = sorted(member.run.started for member in members)
    first = f", the first at {started[0]:%Y-%m-%d %H:%M:%S} UTC" if started else ""
    return [*(("Hypothesis", claim) for claim in claims), ("Runs", f"{several(len(members), 'run')}{first}")]


def _highlights(members: Sequence[Member]) -> list[Highlight]:
    runs = [member.run.verdict.figures for member in members if member.said.control is None]
    if not runs:
        return []
    arrivals = sum(figures.total.arrivals for figures in runs)
    least = min(figures.total.good_share for figures in runs)
    lost = sum(figures.total.lost for figures in runs)
    refused = sum(refusals(figures.phases) for figures in runs)
    turned = f"; {count(refused)} refused" if refused else ""
    worst = max(figures.total.violation_s for figures in runs)
    failed = sum(member.did for member in members if member.said.expect == "fail")
    controls = sum(member.said.expect == "fail" for member in members)
    return [
        Highlight("Good answers", percent(least), f"in the worst of {several(len(runs), 'run')}"),
        Highlight("Lost requests", count(lost), f"of {count(arrivals)}, controls left out{turned}"),
        Highlight("Objective missed", duration(worst), "in the worst run"),
        Highlight("Controls that failed", f"{failed} of {controls}", "as they must"),
    ]


def _runs(members: Sequence[Member]) -> Table:
    titles = ("Good", "Lost", "Missed")
    figures = [Column(title, number=True) for title in titles]
    columns = [Column("Run"), Column("Had to"), Column("Did"), *figures, Column("Met again")]
    return Table("Runs and controls", columns, [_row(member) for member in members])


def _row(member: Member) -> list[Cell]:
    plan, total = member.run.record.plan, member.run.verdict.figures.total
    broken = [judged.name for judged in member.run.verdict.thresholds if not judged.passed]
    control = f", {CONTROLS[plan.control]}" if plan.control else ""
    did = outcome(plan, member.run.verdict).word.lower()
    broke = f"broke {', '.join(broken)}" if broken and member.said.passed is False else ""
    return [
        Noted(
            member.said.folder,
            f"{plan.scenario}{control}{f': {broke}' if broke else ''}; plan {member.run.plan_sha256[:HASH]}…",
            f"./{quote(member.said.folder)}/{REPORT}",
        ),
        member.said.expect,
        Mark(member.did, did),
        percent(total.good_share),
        count(total.lost),
        duration(total.violation_s),
        str(recovery(member.run)),
    ]


def _beside(members: Sequence[Member]) -> list[Part]:
    """Put load and pods of each run side by side, run below run, as they are drawn for narrow pages."""
    parts: list[Part] = []
    for member in members:
        drawn = evidence.pictures(member.run, replace(member.run.course, run=member.said.folder))
        wanted = ("load", f"replicas-{member.run.record.plan.tier}")
        parts.append(Pair([_small(picture) for picture in drawn if picture.caption.name.endswith(wanted)]))
    return parts


def _small(picture: svg.Picture) -> svg.Picture:
    return svg.Picture(picture.caption, picture.narrow or picture.wide)


REPEATED = {
    "good_share": "Good answers",
    "violation_s": "Objective missed",
    "p50": "Latency, p50",
    "p99": "Latency, p99",
    "decided_s": "Change of the load until decided",
    "first_answer_s": "Until a new pod answered",
    "slo_back_s": "Until the objective was met again",
    "over_pod_seconds": "Pod-seconds beyond the oracle's",
    "under_pod_seconds": "Pod-seconds needed beyond those ready",
}
"""Figures of repeats in words, by the last one of their paths."""


def _intervals(intervals: Sequence[Interval]) -> Table:
    titles = ("Runs", "Mean", "From", "To")
    columns = [Column("Figure"), *(Column(title, number=True) for title in titles)]
    rows: list[list[Cell]] = [
        [
            Noted(REPEATED.get(of.metric.rpartition(".")[2], of.metric), f"{of.scenario}, {of.metric}"),
            str(of.n),
            figure(of.metric, of.mean),
            figure(of.metric, of.low),
            figure(of.metric, of.high),
        ]
        for of in intervals
    ]
    return Table("Intervals over repeats", columns, rows, "No scenario was repeated: one run is one observation.")


def _limits(members: Sequence[Member]) -> list[str]:
    """List what all runs' limits say, each once."""
    return list(dict.fromkeys(sentence for member in members for sentence in limits(member.run.record)))
