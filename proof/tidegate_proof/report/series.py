"""Per-second figures that the pictures need and the verdict does not keep, counted from the requests."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tidegate_proof.record.folder import Record
from tidegate_proof.verdict.outcomes import SECOND, Outcomes
from tidegate_proof.verdict.pods import pods_of
from tidegate_proof.verdict.quantiles import quantile
from tidegate_proof.verdict.spread import answered_by

POD_BIN_S = 5
"""Seconds of a bin of one pod's answers."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """One entry for each second since the start, by intended time.

    Attributes:
        arrivals: Intended.
        good: Right and within the objective's latency.
        p50_ns: From the intended start, by nearest rank; None where so many were never answered right, or none arrived.
        p99_ns: The same.
    """

    arrivals: Sequence[int]
    good: Sequence[int]
    p50_ns: Sequence[int | None]
    p99_ns: Sequence[int | None]


def seconds(record: Record) -> Seconds:
    """Count a run's requests by second."""
    length = len(record.arrivals)
    outcomes = Outcomes.of(record.requests, record.plan.slo)
    second = np.minimum(record.requests.intended_ns // SECOND, length - 1)
    arrivals, good = (np.bincount(of, minlength=length).tolist() for of in (second, second[outcomes.good]))
    when, latency = second[outcomes.right], outcomes.latency_ns[outcomes.right]
    ordered = latency[np.lexsort((latency, when))]
    by_second = np.split(ordered, np.cumsum(np.bincount(when, minlength=length))[:-1])
    p50, p99 = (
        [quantile(of, share, many) for of, many in zip(by_second, arrivals, strict=True)] for share in (0.5, 0.99)
    )
    return Seconds(record.arrivals, good, p50, p99)


def answers(record: Record) -> dict[str, list[int]]:
    """Count the answers of each pod, gateways and model servers, in bins of `POD_BIN_S` by their arrival."""
    requests = record.requests
    bins = -(-len(record.arrivals) // POD_BIN_S)
    at = np.clip(requests.answered_ns // (POD_BIN_S * SECOND), 0, bins - 1)
    answered = answered_by(pods_of(record.cluster), requests)
    return {
        name: np.bincount(at[mask & (requests.answered_ns >= 0)], minlength=bins).tolist()
        for name, mask in answered.items()
    }
