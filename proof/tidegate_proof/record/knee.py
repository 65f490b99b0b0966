"""`knee.json`: how much one replica takes before its answers come too late, and what was measured to know it."""

from dataclasses import dataclass
from typing import Literal

from tidegate_proof.record.documents import Real
from tidegate_proof.record.plan import Cluster, GeneratorLimits, Slo, Tier

KNEE = "knee.json"

MS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One load, offered for a while; warm-up is left out.

    Attributes:
        offered_rps: Arrivals a second that were asked for.
        goodput_rps: Right answers a second within the SLO's latency.
        p50_ns: Of the latency from the intended time; None where more than half of the arrivals have no right answer,
            which counts as never.
        p95_ns: The same for the 95th percentile.
        p99_ns: The same for the 99th.
        mean_pending: Requests in the tier under test on average; None where nobody told.
        cores_used: Processors that it used on average; None where nobody told.
        duration_s: How long.
        n: Arrivals.
        errors: By word, those that occurred.
        valid: Whether the generator vouches for it.
        faults: Why it does not.
    """

    offered_rps: Real
    goodput_rps: Real
    p50_ns: int | None
    p95_ns: int | None
    p99_ns: int | None
    mean_pending: Real | None
    cores_used: Real | None
    duration_s: Real
    n: int
    errors: dict[str, int]
    valid: bool
    faults: tuple[str, ...] = ()

    @property
    def failed(self) -> int:
        """Arrivals without a right answer."""
        return sum(self.errors.values())

    def keeps(self, slo: Slo) -> bool:
        """Whether it keeps the SLO: of its 99th percentile and its share of right answers."""
        success = 1 - self.failed / self.n if self.n else 1.0
        return self.p99_ns is not None and self.p99_ns <= slo.latency_ns and success >= slo.success

    def __str__(self) -> str:
        p99 = "never" if self.p99_ns is None else f"{self.p99_ns / MS:.1f} ms"
        return f"{self.offered_rps:.4g} requests/s: p99 {p99}, {self.failed} of {self.n} failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Knee:
    """The highest load that kept the SLO.

    Attributes:
        capacity_rps: That load, which is the bracket's lower end.
        low: Highest load that kept it, in most of its steps.
        high: Lowest load that did not.
        p99_ns: At the capacity, the worst of its steps that kept the SLO.
        mean_pending: At the capacity, on average; None where nobody told.
        cores_used: The same.
    """

    capacity_rps: Real
    low: Real
    high: Real
    p99_ns: int
    mean_pending: Real | None
    cores_used: Real | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How to search.

    Attributes:
        lowest_rps: First load; the SLO must be kept here.
        highest_rps: No more is offered.
        duration_s: Of each step, without warm-up.
        resolution: How wide the bracket may be, relative to its lower end.
        contradiction: How far a load that kept the SLO even once may lie above one that did not in most of its
            steps, relative to the latter.
        most_steps: After these the search is given up.
    """

    lowest_rps: Real = 4.0
    highest_rps: Real = 20_000.0
    duration_s: Real = 10.0
    resolution: Real = 0.03
    contradiction: Real = 0.15
    most_steps: int = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class KneeRecord:
    """All of knee.json.

    Attributes:
        tier: Whose replica; the other tier had more than enough.
        target: Where requests went.
        model: That was asked.
        rows: In a request.
        work_iterations: For each row of model `work`; None for other models.
        process: How arrivals were spread within their second.
        seed: Of arrivals and payloads.
        slo: What was to be kept.
        warm_up_s: Left out before each step.
        generator: When a step says nothing.
        steps: In the order they were made.
        knee: None where the search was refused.
        refusal: Why; None where it was not.
        cluster: None where the target is plain.
        versions: `tidegate`, `python`.
        started: Wall clock, RFC 3339.
        search: How loads were chosen, so that it can be done again; None where nobody told.
        format: 1.
    """

    tier: Tier
    target: str
    model: str
    rows: int
    work_iterations: int | None
    process: Literal["paced", "poisson"]
    seed: int
    slo: Slo
    warm_up_s: Real
    generator: GeneratorLimits
    steps: tuple[Step, ...]
    knee: Knee | None
    refusal: str | None
    cluster: Cluster | None
    versions: dict[str, str]
    started: str
    search: Search | None = None
    format: Literal[1] = 1
