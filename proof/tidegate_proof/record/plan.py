"""`plan.json`: what a run will do and what it must show, written and its hash printed before the first request."""

import hashlib
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from tidegate_proof.record.documents import Object, Real, text_of

Tier = Literal["web", "serving"]
TIERS: tuple[Tier, ...] = ("web", "serving")

LONGEST_S = 1_000_000
"""Eleven days: no run is longer, and a slip of the keys does not fill the memory with seconds."""

Seconds = Annotated[int, Field(ge=0, le=LONGEST_S)]
Length = Annotated[int, Field(ge=1, le=LONGEST_S)]
Share = Annotated[Real, Field(ge=0, le=1)]
Positive = Annotated[Real, Field(gt=0)]

Control = Literal["frozen-hpa", "pinned"]
"""What is broken on purpose in a run that has to fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How arrivals change; the arguments of `arrivals.rates`.

    Attributes:
        name: One of `arrivals.SHAPES`.
        base: Requests/s.
        peak: Requests/s.
        duration_s: Without warm-up.
        period_s: None where the shape has none.
        trace: File name of the trace below loadtest/samples; None for other shapes.
        time_scale: Seconds of the trace in a second.
    """

    name: str
    base: Annotated[Real, Field(ge=0)]
    peak: Annotated[Real, Field(ge=0)]
    duration_s: Length
    period_s: Length | None = None
    trace: str | None = None
    time_scale: Positive = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A stretch of a run, by intended time; phases follow on one another, and warm-up is the first.

    Attributes:
        name: Unique in its plan.
        start_s: First second.
        end_s: The second after the last.
        measured: Whether figures count it.
        change: Whether the load changes at its start.
    """

    name: str
    start_s: Seconds
    end_s: Length
    measured: bool
    change: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """The service level objective, of every window of arrivals.

    Attributes:
        latency_ms: From the intended start.
        quantile: The share of arrivals that must be answered right within `latency_ms`.
        success: The share of arrivals that must be answered right at all.
        window_s: Windows' length; they follow on one another from the start of the run.
    """

    latency_ms: Positive
    quantile: Share = 0.99
    success: Share = 0.999
    window_s: Length = 1

    @property
    def latency_ns(self) -> int:
        """The limit as the record counts."""
        return round(self.latency_ms * 1e6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A figure that the run must reach.

    Attributes:
        name: Unique in its plan.
        metric: Path into the verdict's figures, by dots; an element of a list by its `name`.
        op: How the figure compares with the limit.
        limit: In the figure's unit.
        why: For whoever reads the report.
    """

    name: str
    metric: str
    op: Literal["<=", ">=", "=="]
    limit: Real
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorLimits:
    """Beyond which the generator, not the system, was measured.

    Attributes:
        max_lag_ms: Of the 99th percentile of intended to sent.
        max_busy: Share of one core.
        max_undispatched_share: Of the arrivals.
    """

    max_lag_ms: Real = 5.0
    max_busy: Real = 0.7
    max_undispatched_share: Real = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class KneeUsed:
    """The measurement of one replica that the load is a multiple of.

    Attributes:
        sha256: Of its knee.json.
        capacity_rps: Requests/s that one replica answers within the SLO.
        folder: Where it is, relative to the record.
    """

    sha256: str
    capacity_rps: Positive
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What was expected of the replicas beforehand.

    Attributes:
        replicas: By tier, (second, desired replicas from then on).
        source: Who says so.
    """

    replicas: dict[Tier, tuple[tuple[Real, int], ...]]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of the cluster.

    Attributes:
        name: Its own.
        cpu: Allocatable, as Kubernetes writes it.
        memory: The same.
    """

    name: str
    cpu: str
    memory: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where the run took place.

    Attributes:
        kubernetes: The server's version.
        nodes: All of them.
        namespace: The run's own.
        images: By tier.
    """

    kubernetes: str
    nodes: tuple[Node, ...]
    namespace: str
    images: dict[Tier, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A run's plan.

    Attributes:
        scenario: A name of `scenarios.SCENARIOS`.
        hypothesis: A sentence that the run can refute.
        control: What is broken on purpose; None in a run that should pass.
        tier: Which one is the bottleneck.
        model: That requests go to.
        rows: In a request.
        work_iterations: For each row of model `work`; None for other models.
        seed: Of arrivals and payloads.
        process: How arrivals are spread within their second.
        shape: Of the load after warm-up.
        warm_up_s: At `shape.base`.
        phases: From 0 to the end.
        slo: What a good answer is.
        timeout_s: After which a request is given up.
        thresholds: What decides.
        generator: When the run says nothing.
        knee: Of the tier; None where nobody measured it.
        autoscaler: By tier, the HPA's spec as applied; a tier without an HPA is absent.
        forecast: Of the replicas; None where there is none.
        cluster: Where.
        versions: `tidegate`, `python`, …
        started: Wall clock, RFC 3339.
        format: 1.
    """

    scenario: str
    hypothesis: str
    control: Control | None
    tier: Tier
    model: str
    rows: int
    work_iterations: int | None
    seed: int
    process: Literal["paced", "poisson"]
    shape: Shape
    warm_up_s: Length
    phases: tuple[Phase, ...]
    slo: Slo
    timeout_s: Positive
    thresholds: tuple[Threshold, ...]
    generator: GeneratorLimits
    knee: KneeUsed | None
    autoscaler: dict[Tier, Object]
    forecast: Forecast | None
    cluster: Cluster
    versions: dict[str, str]
    started: str
    format: Literal[1] = 1

    @property
    def duration_s(self) -> int:
        """Seconds with arrivals, warm-up included."""
        return self.warm_up_s + self.shape.duration_s

    def changes(self) -> list[tuple[Phase, int]]:
        """Return the phases at whose start the load changes, each with the second of the next change, or of the end."""
        phases = [phase for phase in self.phases if phase.change]
        ends = [*(phase.start_s for phase in phases[1:]), self.duration_s]
        return list(zip(phases, ends, strict=False))  # without any change there is an end all the same

    def sha256(self) -> str:
        """Return the hash of plan.json as `write_document` writes it."""
        return hashlib.sha256(text_of(self, indent=1) + b"\n").hexdigest()
