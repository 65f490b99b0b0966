"""What changed between the signatures of two versions, and which changes break clients that fit the old one."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest

from signatures import Shape, Signature, Tensor

MayFollow = Callable[[Shape | None, Shape | None], bool]
"""From the shape before and after, to whether clients may stay as they are."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes:
        text: What it is, and whom it breaks.
        breaking: Whether the new version refuses a request that fitted the old one, or answers it in another form.
    """

    text: str
    breaking: bool


def changes(old: Mapping[str, Signature], new: Mapping[str, Signature]) -> list[Change]:
    """Compare all signatures of two versions."""
    found = [Change(f"signature {name} is gone", breaking=True) for name in old.keys() - new.keys()]
    found += [Change(f"signature {name} is new", breaking=False) for name in new.keys() - old.keys()]
    for name in old.keys() & new.keys():
        found += _of_inputs(old[name], new[name])
        found += _of_outputs(old[name], new[name])
    return sorted(found, key=lambda change: (not change.breaking, change.text))


def takes_the_same(old: Signature, new: Signature) -> bool:
    """Whether every row that fits the old signature fits the new one."""
    return old.by_rows == new.by_rows and not any(change.breaking for change in _of_inputs(old, new))


def _of_inputs(old: Signature, new: Signature) -> Iterator[Change]:
    where = f"{old.name}, input"
    for name in old.inputs.keys() - new.inputs.keys():
        yield Change(f"{where} {name} is gone: rows that name it are refused", breaking=True)
    for name in new.inputs.keys() - old.inputs.keys():
        yield Change(f"{where} {name} {new.inputs[name]} is new: rows without it are refused", breaking=True)
    for name in old.inputs.keys() & new.inputs.keys():
        yield from _of_tensor(f"{where} {name}", old.inputs[name], new.inputs[name], _takes_all)


def _of_outputs(old: Signature, new: Signature) -> Iterator[Change]:
    where = f"{old.name}, output"
    for name in old.outputs.keys() - new.outputs.keys():
        yield Change(f"{where} {name} is gone", breaking=True)
    was_alone = len(old.outputs) == 1
    for name in new.outputs.keys() - old.outputs.keys():
        why = ": a lone output stands without its name, and now all have one" if was_alone else ""
        yield Change(f"{where} {name} {new.outputs[name]} is new{why}", breaking=was_alone)
    for name in old.outputs.keys() & new.outputs.keys():
        yield from _of_tensor(f"{where} {name}", old.outputs[name], new.outputs[name], _stays_within)


def _of_tensor(where: str, old: Tensor, new: Tensor, may_follow: MayFollow) -> Iterator[Change]:
    if old != new:
        breaking = old.dtype != new.dtype or not may_follow(old.shape, new.shape)
        yield Change(f"{where} was {old}, is {new}", breaking)


def _takes_all(old: Shape | None, new: Shape | None) -> bool:
    """Whether an input of the new shape takes all that fitted the old one."""
    if new is None or old is None:
        return new is None
    return all(after in {None, before} for before, after in zip_longest(old, new, fillvalue=-1))


def _stays_within(old: Shape | None, new: Shape | None) -> bool:
    """Whether all answers of the new shape have the old one."""
    return _takes_all(new, old)
