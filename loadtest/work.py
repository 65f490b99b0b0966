"""What is sent to the model `work`, and what the right answer is, worked out here and not asked of the model.

The model multiplies a 64 by 64 matrix A into a row's first matrix S as often as the row asks for, modulo 251, and
answers the sum of the result. Sums commute with all of that, 1ᵀ AⁿS 1 = (1ᵀAⁿ)(S1): one vector for each number of
iterations and one for each seed are enough.
"""

import random
from collections.abc import Sequence
from functools import cache

SIDE = 64
PRIME = 251
SEEDS = PRIME
"""Seeds beyond these come to the same as one of them."""

MOST_ITERATIONS = 100_000
"""The model stops there."""

MIX = (1, 10, 100, 1000)
"""Iterations of rows where nobody says how many."""

Row = tuple[int, int]
"""Seed and iterations."""


def draw(rows: int, source: random.Random, iterations: int | None = None) -> list[Row]:
    """Draw rows.

    Args:
        rows: How many.
        source: Of the seeds.
        iterations: Of each row; None draws them from `MIX`.
    """
    return [(source.randrange(SEEDS), source.choice(MIX) if iterations is None else iterations) for _ in range(rows)]


def inputs(row: Row) -> dict[str, int]:
    """Return a row by the names of the model's inputs."""
    return dict(zip(("seed", "iterations"), row, strict=True))


def expected(row: Row) -> int:
    """Return a row's checksum."""
    seed, iterations = row
    weights, sums = _weights(min(max(iterations, 0), MOST_ITERATIONS)), _sums(seed % PRIME)
    return sum(weight * total for weight, total in zip(weights, sums, strict=True)) % PRIME


def wrong(rows: Sequence[Row], sums: object) -> str:
    """Hold an answer against the truth.

    Args:
        rows: What was sent.
        sums: What came back: a checksum for each row.

    Returns:
        What is wrong with it; empty when nothing is.
    """
    if not isinstance(sums, list) or len(sums) != len(rows):
        return f"expected {len(rows)} checksums, came {str(sums)[:80]}"
    for row, came in zip(rows, sums, strict=True):
        if type(came) is not int or came != expected(row):
            return f"wrong checksum for seed and iterations {row}: expected {expected(row)}, came {str(came)[:80]}"
    return ""


@cache
def _multiplier() -> list[list[int]]:
    """Return A: the first numbers of ANSI C's linear congruential generator."""
    numbers, state = [], 1
    for _ in range(SIDE * SIDE):
        state = (1103515245 * state + 12345) % 2**31
        numbers.append((state >> 16) % PRIME)
    return [numbers[row * SIDE : (row + 1) * SIDE] for row in range(SIDE)]


@cache
def _weights(iterations: int) -> list[int]:
    """Return 1ᵀAⁿ."""
    columns = list(zip(*_multiplier(), strict=True))
    found = [1] * SIDE
    for _ in range(iterations):
        found = [sum(map(int.__mul__, found, column)) % PRIME for column in columns]
    return found


@cache
def _sums(seed: int) -> list[int]:
    """Return S1, where S has (seed + 7i + 13j) modulo 251 in row i and column j."""
    return [sum((seed + 7 * row + 13 * column) % PRIME for column in range(SIDE)) % PRIME for row in range(SIDE)]
