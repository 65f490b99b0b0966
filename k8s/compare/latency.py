"""Quantiles of the time that requests took."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of a version's requests, and how many they are of."""

    p50: float
    p95: float
    p99: float
    requests: int


def latency(times_ms: Sequence[float]) -> Latency:
    """Summarise.

    Args:
        times_ms: Two or more.
    """
    cuts = quantiles(times_ms, n=100, method="inclusive")
    return Latency(cuts[49], cuts[94], cuts[98], len(times_ms))


def ratio(old: float, new: float) -> float:
    """How many times as long the new version takes."""
    return new / old if old else 1.0
