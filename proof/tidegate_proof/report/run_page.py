"""The report of a run as a page."""

from tidegate_proof.report import accounts, circumstances, evidence
from tidegate_proof.report.accounts import refusals
from tidegate_proof.report.outcome import CONTROLS, outcome
from tidegate_proof.report.page import Highlight, Page
from tidegate_proof.report.recovery import recovery
from tidegate_proof.report.run import Run
from tidegate_proof.report.svg import Picture
from tidegate_proof.report.wording import count, duration, percent, seconds

FOOTER = (
    "Drawn by tidegate-proof from the record in this folder alone: it loads nothing, runs nothing, and is the same, "
    "byte by byte, whenever it is drawn again."
)


def run_page(run: Run, knee: Picture | None) -> Page:
    """Lay out a run's report.

    Args:
        run: The run.
        knee: The picture of the knee that it was measured by; None where the record does not hold it.
    """
    sections = [
        circumstances.thresholds(run),
        evidence.over_time(run),
        evidence.scale_ups(run),
        evidence.capacity(run, knee),
        accounts.pods(run),
        accounts.spread(run),
        accounts.lost(run),
        circumstances.validity(run),
        circumstances.cannot(run),
        circumstances.surroundings(run),
        circumstances.check(run),
    ]
    verdict = outcome(run.record.plan, run.verdict)
    return Page("Report of a run", run.title, verdict, _claim(run), _highlights(run), sections, FOOTER)


def _claim(run: Run) -> list[tuple[str, str]]:
    plan = run.record.plan
    control = [] if plan.control is None else [("Control", f"{CONTROLS[plan.control].capitalize()}, on purpose.")]
    return [
        ("Hypothesis", plan.hypothesis),
        *control,
        ("Fixed before", f"plan.json, sha256 {run.plan_sha256}, printed before the first request"),
        ("Run", f"{run.started:%Y-%m-%d %H:%M:%S} UTC, {duration(len(run.record.arrivals))}, seed {plan.seed}"),
    ]


def _highlights(run: Run) -> list[Highlight]:
    figures, plan = run.verdict.figures, run.record.plan
    total = figures.total
    agreed = "client and gateways agree" if figures.lost.reconciled else "gateways do not confirm it"
    refused = refusals(figures.phases)
    turned = f", {count(refused)} refused" if refused else ""
    shown = [
        Highlight("Good answers", percent(total.good_share), f"of {count(total.arrivals)} requests{turned}"),
        Highlight("Lost requests", count(total.lost), agreed),
        Highlight("Objective missed", duration(total.violation_s), f"of {duration(total.duration_s)} measured"),
    ]
    reaction = figures.reaction.get(plan.tier)
    if reaction and reaction.ups:
        back = recovery(run)
        after = "after the load changed" if back.timed else ""
        shown += [
            Highlight(
                "First new pod answered", seconds(reaction.first_answer_s), f"after the load changed, tier {plan.tier}"
            ),
            Highlight("Objective met again", back.met, ", ".join(filter(None, (after, back.later)))),
        ]
    return shown
