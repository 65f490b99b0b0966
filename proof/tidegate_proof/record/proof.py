"""`proof.json`: several runs that together are a proof."""

from dataclasses import dataclass
from typing import Literal

from tidegate_proof.record.documents import Real
from tidegate_proof.record.plan import Control

PROOF = "proof.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRun:
    """A run of a proof.

    Attributes:
        folder: Its record, relative to proof.json.
        scenario: From its plan.
        control: The same.
        expect: What it has to do: a control has to fail.
        passed: From its verdict.
        state: The same.
        manifest_sha256: Of its manifest.json.
    """

    folder: str
    scenario: str
    control: Control | None
    expect: Literal["pass", "fail"]
    passed: bool | None
    state: Literal["complete", "partial"]
    manifest_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofKnee:
    """A knee that runs were measured by.

    Attributes:
        folder: Of its knee.json, relative to proof.json.
        sha256: Of its knee.json.
    """

    folder: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure over runs of one scenario: mean, and 95 % interval by Student's t.

    Attributes:
        scenario: Which.
        metric: Path into the figures.
        n: Runs that have it.
        mean: Of them.
        low: Lower end; None for a single run.
        high: Upper end.
    """

    scenario: str
    metric: str
    n: int
    mean: Real
    low: Real | None
    high: Real | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a folder of records shows.

    Attributes:
        runs: In the order they were made.
        knees: In the order they were made.
        intervals: Of runs without control.
        void: Whether a control did not fail, or there is none: then nothing is shown.
        passed: Whether it is not void and every run did what was expected.
        format: 1.
    """

    runs: tuple[ProofRun, ...]
    knees: tuple[ProofKnee, ...]
    intervals: tuple[Interval, ...]
    void: bool
    passed: bool
    format: Literal[1] = 1
