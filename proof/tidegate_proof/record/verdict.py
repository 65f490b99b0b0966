"""`verdict.json`: everything that is computed from a run's raw data. How is written beside what computes it."""

from dataclasses import dataclass
from typing import Literal

from tidegate_proof.record.documents import Real
from tidegate_proof.record.load_figures import Generator, Heat, Lost, PhaseFigures, Total
from tidegate_proof.record.plan import Tier
from tidegate_proof.record.scaling_figures import (
    Agreement,
    Efficiency,
    Elasticity,
    Oracle,
    PodShare,
    Reaction,
    Replicas,
    ScaleEvent,
    Spread,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All figures.

    Attributes:
        phases: In the plan's order.
        violations: First seconds of the windows in which the SLO was not kept, whole run.
        total: Over the measured phases.
        replicas: By tier.
        scale_events: In order of decision.
        reaction: By tier.
        efficiency: Of the plan's tier.
        oracle: Of tiers of known capacity: the plan's, with a knee.
        elasticity: The same.
        forecast: Of tiers that the plan has one for.
        lost: Whole run.
        pods: By pod, of both tiers.
        spread: By tier.
        heat: Whole run.
        generator: Whole run.
    """

    phases: tuple[PhaseFigures, ...]
    violations: tuple[int, ...]
    total: Total
    replicas: dict[Tier, Replicas]
    scale_events: tuple[ScaleEvent, ...]
    reaction: dict[Tier, Reaction]
    efficiency: Efficiency
    oracle: dict[Tier, Oracle]
    elasticity: dict[Tier, Elasticity]
    forecast: dict[Tier, Agreement]
    lost: Lost
    pods: dict[str, PodShare]
    spread: dict[Tier, Spread]
    heat: Heat
    generator: Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidityCheck:
    """A condition without which a run says nothing.

    Attributes:
        name: What.
        value: What it was; None where it could not be told, which does not pass.
        limit: At most.
        passed: Whether.
    """

    name: str
    value: Real | None
    limit: Real
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A threshold of the plan, held against its figure.

    Attributes:
        name: From the plan.
        metric: The same.
        op: The same.
        limit: The same.
        value: The figure; None where there is none, which does not pass.
        margin: How far on the right side of the limit, below 0 on the wrong one; in the figure's unit.
        passed: Whether.
    """

    name: str
    metric: str
    op: Literal["<=", ">=", "=="]
    limit: Real
    value: Real | None
    margin: Real | None
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a run showed.

    Attributes:
        plan_sha256: Of plan.json.
        state: Whether the run came to its end.
        reason: Why not.
        valid: Whether the run can say anything.
        validity: Why.
        figures: What happened.
        thresholds: In the plan's order.
        passed: Whether all thresholds hold; None when the run is partial or not valid.
        format: 1.
    """

    plan_sha256: str
    state: Literal["complete", "partial"]
    reason: str | None
    valid: bool
    validity: tuple[ValidityCheck, ...]
    figures: Figures
    thresholds: tuple[Judged, ...]
    passed: bool | None
    format: Literal[1] = 1
