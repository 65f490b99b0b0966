"""What the page shows of a model's answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tidegate_web.codec.json_text import dumps
from tidegate_web.codec.values import from_array, is_finite
from tidegate_web.prediction import Array, Outcome

MOST_BARS = 20
"""Of more classes only the largest are drawn."""

LARGEST_BARS = 10
"""How many of those."""

ROUNDING = 1e-3
"""How far shares may be from adding up to one."""

MOST_JSON = 20_000
"""Characters of an output that are shown."""

REST = "rest"
"""Stage of the time that no other stage took."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One class: its index and name, its share in percent, and whether it is the largest."""

    index: int
    name: str
    percent: float
    largest: bool


@dataclass(frozen=True, slots=True)
class ShownOutput:
    """One output.

    Attributes:
        name: Its name.
        bars: Its classes, where it is a distribution over classes.
        of: How many classes there are; more than bars where only the largest are shown.
        text: Its JSON.
    """

    name: str
    bars: tuple[Bar, ...]
    of: int
    text: str


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the time that the answer took.

    Attributes:
        name: What took it.
        took_ms: How long it took.
        start_percent: Where it starts, as if one came after the other, in percent of the whole.
        percent: How long it took, in percent of the whole.
    """

    name: str
    took_ms: float
    start_percent: float
    percent: float


@dataclass(frozen=True, slots=True)
class ShownResult:
    """The answer to one row.

    Attributes:
        best: The largest class of the first distribution; None without one.
        score: The only number of the only output; empty where there are others.
        version: The version that answered.
        outputs: All outputs.
        stages: Where the time went.
        total_ms: How long it took from the request's arrival here to the answer.
    """

    best: Bar | None
    score: str
    version: int
    outputs: tuple[ShownOutput, ...]
    stages: tuple[Stage, ...]
    total_ms: float


def show(outcome: Outcome, class_names: Sequence[str], total_s: float) -> ShownResult:
    """Prepare an Outcome of one row for the page."""
    outputs = tuple(_show_output(name, array, class_names) for name, array in outcome.outputs.items())
    return ShownResult(
        best=next((bar for output in outputs for bar in output.bars if bar.largest), None),
        score=_score(outcome.outputs),
        version=outcome.version,
        outputs=outputs,
        stages=_stages(outcome.timings, total_s),
        total_ms=1e3 * total_s,
    )


def class_name(index: int, class_names: Sequence[str], of: int) -> str:
    """Return the name of a class, where the names are as many as the classes."""
    return class_names[index] if len(class_names) == of else f"Class {index}"


def _show_output(name: str, array: Array, class_names: Sequence[str]) -> ShownOutput:
    finite = is_finite(array)
    text = dumps(from_array(array, name, plain=not finite), finite=finite).decode()
    if len(text) > MOST_JSON:
        text = f"{text[:MOST_JSON]}… ({len(text)} characters)"
    if not _is_distribution(array):
        return ShownOutput(name, (), 0, text)
    shares = array[0].astype(np.float64)
    best = int(shares.argmax())
    shown = range(shares.size) if shares.size <= MOST_BARS else (-shares).argsort(kind="stable")[:LARGEST_BARS].tolist()
    bars = (Bar(i, class_name(i, class_names, shares.size), 100 * float(shares[i]), i == best) for i in shown)
    return ShownOutput(name, tuple(bars), shares.size, text)


def _score(outputs: Mapping[str, Array]) -> str:
    arrays = list(outputs.values())
    is_one = len(arrays) == 1 and arrays[0].size == 1 and arrays[0].dtype.kind in "fiu"
    return str(arrays[0].ravel()[0]) if is_one else ""


def _is_distribution(array: Array) -> bool:
    """Whether it is one row of non-negative shares that add up to one."""
    if array.dtype.kind != "f" or array.shape[:1] != (1,) or array[0].ndim != 1:
        return False
    shares = array[0].astype(np.float64)
    return shares.size > 1 and bool((shares >= 0).all()) and bool(abs(shares.sum() - 1) < ROUNDING)


def _stages(timings: Mapping[str, float], total_s: float) -> tuple[Stage, ...]:
    parts = {**timings, REST: max(0.0, total_s - sum(timings.values()))}
    whole = sum(parts.values()) or 1.0
    stages: list[Stage] = []
    start = 0.0
    for name, took in parts.items():
        stages.append(Stage(name, 1e3 * took, 100 * start / whole, 100 * took / whole))
        start += took
    return tuple(stages)
