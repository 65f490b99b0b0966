"""Trajectories for the eye in a terminal."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .score import Score
    from .simulation import Trajectory

_BLOCKS = " ▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int) -> str:
    """Return a line of blocks: the highest of each stretch, against the highest of all."""
    if not values:
        return ""
    top = max(values) or 1.0
    width = min(width, len(values))
    edges = [len(values) * column // width for column in range(width + 1)]
    peaks = [max(values[start:stop]) for start, stop in itertools.pairwise(edges)]
    return "".join(_BLOCKS[round(max(0.0, peak) / top * (len(_BLOCKS) - 1))] for peak in peaks)


def picture(trajectory: Trajectory, width: int) -> list[str]:
    """Return arrivals, replicas, queue and latency as lines of blocks with their highest figures."""
    finite = [min(latency, 3600.0) for latency in trajectory.latency_s]
    rows = (
        ("arrivals/s", list(trajectory.offered), ".0f"),
        ("replicas", trajectory.replicas, "d"),
        ("ready", trajectory.ready, "d"),
        ("queue", trajectory.queue, ".0f"),
        ("p99 s", finite, ".2f"),
    )
    return [f"{name:>10} {sparkline(values, width)} max {format(max(values), form)}" for name, values, form in rows]


def table(names: Sequence[str], scores: Sequence[Score]) -> list[str]:
    """Return scores side by side, one line each."""
    width = max(len(name) for name in names)
    lines = [f"{'':{width}}  late s  pod-hours  oracle's  refused  too few  too many  changes/h  most"]
    lines += [
        f"{name:{width}} {score.violation_s:7d} {score.pod_hours:10.2f} {score.oracle_pod_hours:9.2f} {score.shed:8.0f}"
        f" {score.under:8.3f} {score.over:9.3f} {score.adaptations_per_h:10.1f} {score.most_replicas:5d}"
        for name, score in zip(names, scores, strict=True)
    ]
    return lines
