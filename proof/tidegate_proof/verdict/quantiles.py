"""Exact quantiles by nearest rank."""

from fractions import Fraction

import numpy as np

from tidegate_proof.record.load_figures import Quantiles
from tidegate_proof.record.requests import Int


def rank(share: float, n: int) -> int:
    """Return how many of n are at least this share of them.

    Args:
        share: As people write it: 0.07 of 100 is 7, though its float is a little more than 0.07.
        n: Of all.
    """
    return -int(-Fraction(str(share)) * n // 1)


def quantile(ordered: Int, share: float, n: int) -> int | None:
    """Return the smallest value that this share of n does not exceed.

    Args:
        ordered: Ascending.
        share: Between 0 and 1.
        n: Of all, `ordered` and those that count as infinite.

    Returns:
        None where it is infinite, or n is 0.
    """
    place = max(1, rank(share, n))
    return int(ordered[place - 1]) if place <= len(ordered) else None


def quantiles(values: Int, n: int) -> Quantiles:
    """Return the usual quantiles of n values, of which those that are not in `values` count as infinite."""
    ordered = np.sort(values)
    return Quantiles(
        p50=quantile(ordered, 0.5, n),
        p90=quantile(ordered, 0.9, n),
        p95=quantile(ordered, 0.95, n),
        p99=quantile(ordered, 0.99, n),
        p999=quantile(ordered, 0.999, n),
        max=int(ordered[-1]) if len(ordered) else None,
        n=len(ordered),
    )
