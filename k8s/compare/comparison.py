"""How far the answers of two versions lie apart: pure arithmetic on JSON values."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from answers import agrees, class_of, close

_NOTHING = object()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a version said of a row.

    Attributes:
        value: Its JSON; meaningless where it failed.
        problem: Status and text where it answered with an error.
    """

    value: object = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """Two answers to one row.

    Attributes:
        why: In what a user would tell them apart; empty where in nothing.
        largest: Largest absolute difference of two numbers that are both finite.
        total: Sum of these differences.
        numbers: How many pairs of numbers that are.
    """

    why: str
    largest: float = 0.0
    total: float = 0.0
    numbers: int = 0


def difference(old: Answer, new: Answer) -> Difference:
    """Compare two answers to one row.

    Where both have a distribution over classes they differ if their largest classes do, however far the shares have
    moved. Other numbers differ beyond 0.1 % (and 0.001), and texts, bytes and booleans if they are not the same. NaN is
    like NaN. An error differs from any answer, and is like any other error.
    """
    if old.problem or new.problem:
        if old.problem and new.problem:
            return Difference("")
        return Difference(f"only the {'new' if new.problem else 'old'} version fails")
    whys: list[str] = []
    largest = total = 0.0
    numbers = 0
    for one, other, why in _outputs(old.value, new.value):
        if why:
            whys.append(why)
        for before, after in zip(_finite(one), _finite(other), strict=False):
            if before is not None and after is not None:
                apart = abs(before - after)
                largest, total, numbers = max(largest, apart), total + apart, numbers + 1
    return Difference("; ".join(whys), largest, total, numbers)


def _outputs(old: object, new: object) -> Iterator[tuple[object, object, str]]:
    """Give the answers output by output, and why these differ."""
    if _is_named(old) and _is_named(new):
        assert isinstance(old, dict)  # noqa: S101 _is_named
        assert isinstance(new, dict)  # noqa: S101 _is_named
        for name in sorted(old.keys() | new.keys()):
            if name in old and name in new:
                why = _why(old[name], new[name])
                yield old[name], new[name], f"{name}: {why}" if why else ""
            else:
                yield None, None, f"only the {'old' if name in old else 'new'} version has {name}"
    else:
        yield old, new, _why(old, new)


def _is_named(value: object) -> bool:
    return isinstance(value, dict) and value.keys() != {"b64"}


def _why(old: object, new: object) -> str:
    before, after = class_of(old), class_of(new)
    if before is not None and after is not None and isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            return f"{len(old)} classes became {len(new)}"
        return "" if before == after else f"class {before} became {after}"
    leaves = list(zip_longest(_leaves(old), _leaves(new), fillvalue=_NOTHING))
    if _shape(old) != _shape(new) or any(_NOTHING in pair for pair in leaves):
        return "another shape"
    different = sum(not _same(one, other) for one, other in leaves)
    return f"{different} of {len(leaves)} values differ" if different else ""


def _same(one: object, other: object) -> bool:
    if _is_number(one) and _is_number(other):
        return close(one, other)  # type: ignore[arg-type]
    return type(one) is type(other) and one == other


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _finite(value: object) -> Iterator[float | None]:
    for leaf in _leaves(value):
        yield float(leaf) if _is_number(leaf) and math.isfinite(leaf) else None  # type: ignore[arg-type]


def _shape(value: object) -> tuple[int, ...]:
    return (len(value), *(_shape(value[0]) if value else ())) if isinstance(value, list) else ()


@dataclass(frozen=True, slots=True)
class Agreement:
    """The answers of two versions to the same rows.

    Attributes:
        rows: How many both had a chance at; those that both refuse are not among them.
        different: Numbers (from 0) and differences of the rows that they disagree on.
        refused: How many rows both refuse.
        newly_failing: How many only the new version fails on.
        largest: Largest absolute difference of two numbers.
        mean: Mean absolute difference of all pairs of numbers; NaN without any.
        expected: How many rows have an expected answer that can be compared.
        right: How many of these each version has right, the old one first.
    """

    rows: int
    different: Sequence[tuple[int, Difference]]
    refused: int
    newly_failing: int
    largest: float
    mean: float
    expected: int
    right: tuple[int, int]

    @property
    def share(self) -> float:
        """Share of the rows that they disagree on."""
        return len(self.different) / self.rows if self.rows else 0.0

    @property
    def accuracy_drop(self) -> float:
        """By how much the share of right answers is lower with the new version."""
        return (self.right[0] - self.right[1]) / self.expected if self.expected else 0.0


def agreement(
    old: Sequence[Answer], new: Sequence[Answer], expected: Sequence[object], names: Sequence[str]
) -> Agreement:
    """Compare the answers to all rows.

    Args:
        old: The old version's answers.
        new: The new version's, of the same rows.
        expected: The right answers; None where nobody knows.
        names: Of classes.
    """
    pairs = list(zip(old, new, strict=True))
    differences = [difference(before, after) for before, after in pairs]
    refused = sum(bool(before.problem and after.problem) for before, after in pairs)
    numbers = sum(found.numbers for found in differences)
    judged = [
        (_right(wanted, before, names), _right(wanted, after, names))
        for wanted, (before, after) in zip(expected, pairs, strict=True)
        if _right(wanted, before, names) is not None or _right(wanted, after, names) is not None
    ]
    return Agreement(
        rows=len(pairs) - refused,
        different=[(number, found) for number, found in enumerate(differences) if found.why],
        refused=refused,
        newly_failing=sum(bool(after.problem) and not before.problem for before, after in pairs),
        largest=max((found.largest for found in differences), default=0.0),
        mean=sum(found.total for found in differences) / numbers if numbers else math.nan,
        expected=len(judged),
        right=(sum(before is True for before, _ in judged), sum(after is True for _, after in judged)),
    )


def _right(expected: object, answer: Answer, names: Sequence[str]) -> bool | None:
    """Whether an answer is right; an error is not."""
    if expected is None:
        return None
    return False if answer.problem else agrees(expected, answer.value, names)
