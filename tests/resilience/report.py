"""What a scenario found: the promises, what was observed, and whether they hold."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.resilience.load import Outcome, failures, first_words, tally


@dataclass(frozen=True, slots=True)
class Check:
    """One promise held against what was observed."""

    promise: str
    observed: str
    holds: bool


@dataclass
class Report:
    """The checks of one scenario, and other figures that it measured."""

    scenario: str
    full: bool
    checks: list[Check] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def check(self, promise: str, observed: object, *, holds: bool) -> None:
        """Hold a promise against what was observed."""
        self.checks.append(Check(promise, str(observed), holds))

    def no_failures(self, outcomes: Sequence[Outcome], promise: str = "zero failed requests") -> None:
        """Hold every outcome against ok; idle closes are figures of their own."""
        counts = tally(outcomes)
        self.figures["requests"] = counts
        failed = failures(outcomes)
        said = f" ({first_words(failed)})" if failed else ""
        self.check(promise, f"{len(failed)} of {counts['requests']} failed{said}", holds=not failed and bool(outcomes))

    @property
    def holds(self) -> bool:
        """Whether every promise holds."""
        return bool(self.checks) and all(check.holds for check in self.checks)

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self) | {"holds": self.holds}

    def table(self) -> str:
        """Write it for people."""
        width = max(len(check.promise) for check in self.checks)
        lines = [f"== {self.scenario} ({'full' if self.full else 'short'})"]
        lines += [
            f"  {'holds' if check.holds else 'FAILS'}  {check.promise:<{width}}  {check.observed}"
            for check in self.checks
        ]
        lines += [f"         {name}: {value}" for name, value in self.figures.items()]
        return "\n".join(lines)
