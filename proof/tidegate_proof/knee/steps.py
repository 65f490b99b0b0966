"""What a search for the knee measures, and what it finds."""

from collections.abc import Mapping
from dataclasses import dataclass

MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Slo:
    """What users are promised.

    Attributes:
        latency_ms: The 99th percentile, from the intended time to the whole answer, is at most this.
        success: Share of arrivals with a right answer, at least.
    """

    latency_ms: float
    success: float = 0.999

    @property
    def latency_ns(self) -> int:
        """The same in ns."""
        return round(self.latency_ms * MS)


@dataclass(frozen=True, slots=True)
class Step:
    """One load, offered for a while; warm-up is left out.

    Attributes:
        offered_rps: Arrivals a second that were asked for.
        goodput_rps: Right answers a second within the promised latency.
        p50_ns: Of the latency from the intended time, over all answers that were right; 0 where none was.
        p95_ns: The same.
        p99_ns: The same.
        mean_pending: Requests in the tier under test on average; None where nobody told.
        cores_used: Processors that it used on average; None where nobody told.
        duration_s: How long.
        n: Arrivals.
        errors: How many ended under which word.
        faults: Why the generator does not vouch for the step; empty where it does.
    """

    offered_rps: float
    goodput_rps: float
    p50_ns: int
    p95_ns: int
    p99_ns: int
    mean_pending: float | None
    cores_used: float | None
    duration_s: float
    n: int
    errors: Mapping[str, int]
    faults: tuple[str, ...] = ()

    @property
    def success(self) -> float:
        """Share of arrivals with a right answer; 1 where nothing arrived."""
        return 1 - sum(self.errors.values()) / self.n if self.n else 1.0

    def keeps(self, slo: Slo) -> bool:
        """Whether it keeps what is promised."""
        return self.p99_ns <= slo.latency_ns and self.success >= slo.success

    def __str__(self) -> str:
        failed = sum(self.errors.values())
        return f"{self.offered_rps:.4g} requests/s: p99 {self.p99_ns / MS:.1f} ms, {failed} of {self.n} failed"


@dataclass(frozen=True, slots=True)
class Knee:
    """The highest load that kept the promise.

    Attributes:
        capacity_rps: That load, which is the bracket's lower end.
        low: Highest load that kept it, in most of its steps.
        high: Lowest load that did not.
        p99_ns: At the capacity, the worst of its steps that kept the promise.
        mean_pending: At the capacity, on average; None where nobody told.
        cores_used: The same.
    """

    capacity_rps: float
    low: float
    high: float
    p99_ns: int
    mean_pending: float | None
    cores_used: float | None


class KneeError(Exception):
    """There is no knee to be had; the text says why and what to do.

    Args:
        reason: The text.
        steps: What was measured until then.
    """

    def __init__(self, reason: str, steps: tuple[Step, ...]) -> None:
        super().__init__(reason)
        self.steps = steps
