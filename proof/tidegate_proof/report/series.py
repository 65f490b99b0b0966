"""Per-second figures that the pictures need and the verdict does not keep, counted from the requests."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidegate_proof.record.cluster import ClusterEvent, pod_seen
from tidegate_proof.record.folder import Record
from tidegate_proof.record.requests import ABSENT, Requests

SECOND_NS = 10**9
OK = 200

POD_BIN_S = 5
"""Seconds of a bin of one pod's answers."""

NEVER = np.iinfo(np.int64).max
"""The latency of an arrival without a right answer."""


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
    requests = record.requests
    length = len(record.arrivals)
    latency = _latency(requests)
    second = np.minimum(requests.intended_ns // SECOND_NS, length - 1)
    good = np.bincount(second[latency <= record.plan.slo.latency_ns], minlength=length)
    order = np.lexsort((latency, second))
    ends = np.cumsum(np.bincount(second, minlength=length))
    ordered = latency[order]
    p50, p99 = (_quantiles(ordered, ends, quantile) for quantile in (0.5, 0.99))
    return Seconds(record.arrivals, good.tolist(), p50, p99)


def answers(record: Record) -> dict[str, list[int]]:
    """Count the answers of each pod, gateways and model servers, in bins of `POD_BIN_S` by their arrival."""
    requests = record.requests
    arrived = requests.answered_ns != ABSENT
    bins = -(-len(record.arrivals) // POD_BIN_S)
    at = np.clip(requests.answered_ns // (POD_BIN_S * SECOND_NS), 0, bins - 1)
    found = {
        name: np.bincount(at[arrived & (requests.pod == code)], minlength=bins)
        for code, name in enumerate(requests.pods)
    }
    owners = _owners(record.cluster)
    for code, address in enumerate(requests.backends):
        of = arrived & (requests.backend == code)
        for name, since, until in owners.get(address.rpartition(":")[0], ()):
            its = of & (requests.answered_ns >= since) & (requests.answered_ns < until)
            found[name] = found.get(name, np.zeros(bins, np.intp)) + np.bincount(at[its], minlength=bins)
    return {name: counts.tolist() for name, counts in found.items()}


def _owners(events: Sequence[ClusterEvent]) -> dict[str, list[tuple[str, int, int]]]:
    """Tell which pods had an address, each with the times from which and until which it had it."""
    first: dict[str, dict[str, int]] = {}
    for event in events:
        pod = pod_seen(event)
        if pod is not None and pod.ip:
            first.setdefault(pod.ip, {}).setdefault(pod.name, event.t_ns)
    return {
        ip: [(name, since, until) for (name, since), until in zip(of.items(), [*of.values(), NEVER][1:], strict=True)]
        for ip, of in first.items()
    }


def _latency(requests: Requests) -> NDArray[np.int64]:
    right = (requests.status == OK) & (requests.error == 0) & (requests.answered_ns != ABSENT)
    return np.where(right, requests.answered_ns - requests.intended_ns, NEVER)


def _quantiles(ordered: NDArray[np.int64], ends: NDArray[np.intp], quantile: float) -> list[int | None]:
    """Take the nearest rank of each second's latencies, which follow on one another in `ordered`."""
    starts = np.concatenate(([0], ends[:-1]))
    found: list[int | None] = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        rank = start + max(int(np.ceil(quantile * (end - start))) - 1, 0)
        value = int(ordered[rank]) if end > start else int(NEVER)
        found.append(None if value == NEVER else value)
    return found
