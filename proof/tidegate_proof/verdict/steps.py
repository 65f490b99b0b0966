"""Numbers of replicas as functions of time that change in steps."""

from collections.abc import Iterable
from itertools import groupby

import numpy as np

from tidegate_proof.record.plan import Plan
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


def sampled(times_ns: Int, values: Int) -> Steps:
    """Return the steps of a number that was looked at from time to time; at least one where it was looked at at all."""
    changes = np.flatnonzero(np.diff(values, prepend=values[:1] - 1))
    return tuple((int(times_ns[index]), int(values[index])) for index in changes)


def measured_seconds(plan: Plan) -> Int:
    """Return the seconds of the measured phases, in order."""
    spans = [np.arange(phase.start_s, phase.end_s, dtype=np.int64) for phase in plan.phases if phase.measured]
    return np.concatenate([np.zeros(0, np.int64), *spans])
