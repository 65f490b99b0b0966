"""What is sent to the AND gate, and what the right answer is, worked out here and not asked of the model."""

import random
from collections.abc import Sequence

SAMPLES = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 12.0)
"""Inputs: zeros and numbers that are plainly not zero."""

ZEROS = 0.3
"""Share of rows whose first input is made zero."""

CLASSES = 2
ROUNDING = 1e-3
"""How far the shares may be from adding up to 1."""

Row = tuple[float, float]


def draw(rows: int, source: random.Random) -> list[Row]:
    """Draw rows, a good third of them with a zero."""
    return [
        (source.choice(SAMPLES) if source.random() >= ZEROS else 0.0, source.choice(SAMPLES[1:])) for _ in range(rows)
    ]


def expected(row: Row) -> int:
    """The class of a row: 1 where both inputs are non-zero."""
    return int(row[0] != 0 and row[1] != 0)


def wrong(rows: Sequence[Row], shares: object) -> str:
    """Hold an answer against the truth.

    Args:
        rows: What was sent.
        shares: What came back: the shares of both classes for each row.

    Returns:
        What is wrong with it; empty when nothing is.
    """
    if not isinstance(shares, list) or len(shares) != len(rows):
        return f"expected {len(rows)} rows of shares, came {str(shares)[:80]}"
    for row, pair in zip(rows, shares, strict=True):
        if not isinstance(pair, list) or len(pair) != CLASSES or not all(isinstance(share, float) for share in pair):
            return f"expected two shares for {row}, came {str(pair)[:80]}"
        if abs(sum(pair) - 1) > ROUNDING:
            return f"expected shares that add up to 1 for {row}, came {pair}"
        if (answered := int(pair[1] > pair[0])) != expected(row):
            return f"wrong class for {row}: expected {expected(row)}, came {answered}"
    return ""
