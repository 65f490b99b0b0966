"""What the page shows of a model's answer."""

from dataclasses import dataclass

import numpy as np

from tidegate_web.codec.json_text import dumps
from tidegate_web.codec.values import from_array, is_finite
from tidegate_web.prediction import Array, Outcome

MOST_BARS = 20
"""A vector of more classes is written out instead."""


ROUNDING = 1e-3
"""How far shares may be from adding up to one."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One class: its index, its share in percent, and whether it is the largest."""

    index: int
    percent: float
    largest: bool


@dataclass(frozen=True, slots=True)
class ShownOutput:
    """One output: bars where it is a distribution over classes, else its JSON."""

    name: str
    bars: tuple[Bar, ...]
    text: str


@dataclass(frozen=True, slots=True)
class ShownResult:
    """The answer to one row.

    Attributes:
        klass: Index of the largest share of the first distribution; None without one.
        percent: That share.
        version: The version that answered.
        outputs: All outputs.
        timings: Milliseconds by stage.
    """

    klass: int | None
    percent: float
    version: int
    outputs: tuple[ShownOutput, ...]
    timings: dict[str, float]


def show(outcome: Outcome) -> ShownResult:
    """Prepare an Outcome of one row for the page."""
    outputs = tuple(_show_output(name, array) for name, array in outcome.outputs.items())
    largest = next((bar for output in outputs for bar in output.bars if bar.largest), None)
    return ShownResult(
        klass=None if largest is None else largest.index,
        percent=0.0 if largest is None else largest.percent,
        version=outcome.version,
        outputs=outputs,
        timings={stage: round(1e3 * took, 2) for stage, took in outcome.timings.items()},
    )


def _show_output(name: str, array: Array) -> ShownOutput:
    bars: tuple[Bar, ...] = ()
    if _is_distribution(array):
        shares = array[0].astype(np.float64)
        best = int(shares.argmax())
        bars = tuple(Bar(index, 100 * float(share), index == best) for index, share in enumerate(shares))
    finite = is_finite(array)
    return ShownOutput(name, bars, dumps(from_array(array, name, plain=not finite), finite=finite).decode())


def _is_distribution(array: Array) -> bool:
    """Whether it is one row of non-negative shares that add up to one."""
    if array.dtype.kind != "f" or array.shape[:1] != (1,) or array[0].ndim != 1:
        return False
    shares = array[0].astype(np.float64)
    return 1 < shares.size <= MOST_BARS and bool((shares >= 0).all()) and bool(abs(shares.sum() - 1) < ROUNDING)
