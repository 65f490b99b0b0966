"""Numbers of replicas as functions of time that change in steps."""

from collections.abc import Iterable
from itertools import groupby

import numpy as np

from tidegate_proof.record.requests import Int
from tidegate_proof.record.scaling_figures import Steps


def steps_of(changes: Iterable[tuple[int, int]]) -> Steps:
    """Sum up changes.

    Args:
        changes: (t_ns, by how many), in any order.

    Returns:
        The number after each time at which it changed.
    """
    found: list[tuple[int, int]] = []
    n = 0
    for t_ns, together in groupby(sorted(changes), key=lambda change: change[0]):
        by = sum(change for _, change in together)
        n += by
        if by:
            found.append((t_ns, n))
    return tuple(found)


def at(steps: Steps, times_ns: Int) -> Int:
    """Return the number at each time; 0 before the first step."""
    starts = np.array([t_ns for t_ns, _ in steps], np.int64)
    values = np.array([0, *(n for _, n in steps)], np.int64)
    return values[np.searchsorted(starts, times_ns, side="right")]
