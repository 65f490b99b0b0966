"""Whether the objective was met again after the load had changed, in words."""

from dataclasses import dataclass

from tidegate_proof.report.run import Run
from tidegate_proof.report.wording import MISSING, duration, seconds
from tidegate_proof.verdict.scale_events import HOLD_WINDOWS


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of the objective.

    Attributes:
        met: When it was met again, counted from the change of the load, or a word where it was not, or not missed.
        timed: Whether `met` is a time.
        later: What came then; "" where there is nothing to say.
    """

    met: str
    timed: bool = False
    later: str = ""

    def __str__(self) -> str:
        words = f"after {self.met}" if self.timed else self.met
        return f"{words}, {self.later}" if self.later else words


def recovery(run: Run) -> Recovery:
    """Say whether the objective was missed, when it was met again, and whether it stayed so.

    Args:
        run: Any; of one whose load did not change there is nothing to say.
    """
    figures, plan = run.verdict.figures, run.record.plan
    if not figures.total.violation_s:
        return Recovery("never missed")
    spans = [(phase.start_s, end_s) for phase, end_s in plan.changes() if phase.measured]
    reaction = figures.reaction.get(plan.tier)
    if reaction is None or not spans:
        return Recovery(MISSING)
    if reaction.slo_back_s is None:
        return Recovery("no")
    missed = {second for first in figures.violations for second in range(first, first + plan.slo.window_s)}
    hold_s = HOLD_WINDOWS * plan.slo.window_s
    if any(missed.issuperset(range(max(start_s, end_s - hold_s), end_s)) for start_s, end_s in spans):
        return Recovery("no", later="missed at the end")
    later_s = sum(len(missed & set(_later(span, reaction.slo_back_s))) for span in spans)
    then = f"then missed for {duration(later_s)} more" if later_s else ""
    return Recovery(seconds(reaction.slo_back_s), timed=True, later=then)


def _later(span: tuple[int, int], back_s: float) -> range:
    """Return the seconds of a stretch by which each change of the load had been followed."""
    start_s, end_s = span
    return range(min(end_s, start_s + round(back_s)), end_s)
