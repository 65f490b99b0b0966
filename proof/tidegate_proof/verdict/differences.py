"""What differs between a record and what it is computed from."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

DIGITS_TOLERANCE = 2e-6
"""Relative: one unit in the sixth significant digit, which rounding may turn over."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where a record says something else than its raw data.

    Attributes:
        file: Its name.
        field: Path into it, by dots; a line or a row where it has those.
        recorded: What it says.
        recomputed: What it should say.
    """

    file: str
    field: str
    recorded: object
    recomputed: object

    def __str__(self) -> str:
        return f"{self.file}: {self.field}: recorded {self.recorded}, recomputed {self.recomputed}"


def differences(file: str, recorded: object, recomputed: object, field: str = "") -> Iterator[Difference]:
    """Compare two JSON values: integers exactly, floats to six significant digits.

    Args:
        file: Where the first one stands.
        recorded: Of the record.
        recomputed: From its raw data.
        field: Where both stand in the file.
    """
    if isinstance(recorded, Mapping) and isinstance(recomputed, Mapping):
        for key in dict.fromkeys([*recorded, *recomputed]):
            inner = f"{field}.{key}" if field else str(key)
            yield from differences(file, recorded.get(key, "nothing"), recomputed.get(key, "nothing"), inner)
    elif isinstance(recorded, list) and isinstance(recomputed, list) and len(recorded) == len(recomputed):
        for place, (one, other) in enumerate(zip(recorded, recomputed, strict=True)):
            yield from differences(file, one, other, f"{field}.{_name(one, place)}")
    elif not _same(recorded, recomputed):
        yield Difference(file, field or "the document", recorded, recomputed)


def _name(item: object, place: int) -> str:
    return str(item.get("name", place)) if isinstance(item, Mapping) else str(place)


def _same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=DIGITS_TOLERANCE, abs_tol=1e-12)
    return type(one) is type(other) and one == other
