"""Whether a new version may take the old one's place: thresholds, and what lies past them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from compare.comparison import Agreement
from compare.contract import Change
from compare.latency import Latency, ratio


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The most that is allowed; decision 20 tells where the defaults come from.

    Attributes:
        disagreement: Share of rows on which the versions disagree.
        accuracy_drop: How much lower the share of right answers may be.
        latency_ratio: How many times as long the new version's median request may take.
    """

    disagreement: float = 0.05
    accuracy_drop: float = 0.0
    latency_ratio: float = 1.25


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that was found out.

    Attributes:
        changes: Of the signatures.
        agreement: Of the answers; None where a breaking change left nothing to compare.
        latencies: The old version's and the new one's; None as above.
    """

    changes: Sequence[Change]
    agreement: Agreement | None = None
    latencies: tuple[Latency, Latency] | None = None


def objections(found: Comparison, allowed: Thresholds) -> list[str]:
    """Say why the new version should not take the old one's place; empty where nothing speaks against it."""
    said = [f"breaking change: {change.text}" for change in found.changes if change.breaking]
    if found.agreement is not None:
        said += _of_answers(found.agreement, allowed)
    if found.latencies is not None:
        old, new = found.latencies
        if (slower := ratio(old.p50, new.p50)) > allowed.latency_ratio:
            said.append(f"the median request takes {slower:.2f} times as long (at most {allowed.latency_ratio:g})")
    return said


def _of_answers(agreement: Agreement, allowed: Thresholds) -> Iterator[str]:
    if agreement.newly_failing:
        yield f"the new version fails where the old one answers ({agreement.newly_failing} of {agreement.rows} rows)"
    if agreement.share > allowed.disagreement:
        yield f"they disagree on {agreement.share:.1%} of the rows (at most {allowed.disagreement:.1%})"
    if agreement.accuracy_drop > allowed.accuracy_drop:
        yield f"accuracy is {agreement.accuracy_drop:.1%} lower (at most {allowed.accuracy_drop:.1%})"
