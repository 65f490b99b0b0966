"""`knee.json` as the planner reads it: what one replica takes, and how well that is known."""

from __future__ import annotations

import hashlib
import itertools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from . import documents
from .capacity import Capacity
from .errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from .node import Node

_NS = 1e9
_FEWEST_STEPS = 4
_WIDEST_BRACKET = 0.25
_BISECTIONS = 40


@dataclass(frozen=True)
class Step:
    """One load for a while: requests per second, seconds, requests pending and cores on average."""

    offered_rps: float
    p50_s: float | None
    p99_s: float | None
    mean_pending: float | None
    cores_used: float | None


@dataclass(frozen=True)
class Knee:
    """What one replica takes within its objective.

    Args:
        tier: web or serving.
        sha256: of the file.
        rows: in a request.
        slo_s: what 99 of 100 requests had to keep.
        capacity_rps: the highest load that kept it.
        steps: those that the generator vouches for, by load.
    """

    tier: str
    sha256: str
    rows: int
    slo_s: float
    capacity_rps: float
    steps: tuple[Step, ...]

    def course(self, figure: str, most_rps: float = math.inf) -> tuple[tuple[float, float], ...]:
        """Return `mean_pending` or `cores_used` by load, from none up to `most_rps`; nothing if nobody told."""
        told = [(step.offered_rps, getattr(step, figure)) for step in self.steps if step.offered_rps <= most_rps]
        known = tuple((rps, value) for rps, value in told if value is not None)
        return ((0.0, 0.0), *known) if known else ()

    def at(self, rps: float, figure: str) -> float | None:
        """Return `mean_pending` or `cores_used` at a load, between the steps on either side; None if nobody told."""
        known = self.course(figure)
        if not known:
            return None
        for (low, below), (high, above) in itertools.pairwise(known):
            if low <= rps <= high and high > low:
                return float(below + (above - below) * (rps - low) / (high - low))
        return float(known[-1][1] * rps / known[-1][0])

    def capacity_within(self, p99_s: float) -> float:
        """Return the highest load whose 99th percentile kept to `p99_s`, and no more than the knee.

        Beyond the knee a step shows how long it lasted, since what waits only grows: a looser objective than the
        measured one is told nothing by it.

        Raises:
            InputError: none did.
        """
        if p99_s >= self.slo_s:
            return self.capacity_rps
        within = [step for step in self.steps if step.p99_s is not None and step.offered_rps <= self.capacity_rps]
        kept = [step.offered_rps for step in within if step.p99_s is not None and step.p99_s <= p99_s]
        if not kept:
            best = min((step.p99_s for step in within if step.p99_s is not None), default=None)
            raise InputError(
                f"expected a p99 that one replica has kept at some load, got {p99_s:g} s; "
                + ("none was measured" if best is None else f"best was {best:.3g} s")
            )
        return max(kept)


def read(path: Path, cores: float | None = None) -> Knee:
    """Read a knee.json.

    Args:
        path: the file.
        cores: what a replica uses at its knee, where the file does not say; in proportion at other loads.

    Raises:
        InputError: it is none, or not good enough to plan with; the text says why.
    """
    text = documents.read(path)
    found = documents.parse(text, str(path))
    if len(found) != 1:
        raise InputError(f"{path}: expected one knee.json, found {len(found)} documents")
    with documents.within(str(path)):
        return _knee(found[0], hashlib.sha256(text.encode()).hexdigest(), cores)


def _knee(node: Node, sha256: str, cores: float | None) -> Knee:
    if node.get("steps") is None:
        raise InputError(f"expected a knee.json, which `tidegate-proof knee` writes, got {_another(node)}")
    found = node.get("knee")
    if found is None:
        raise InputError(f"expected a knee, found none: {node.text('refusal') or 'the search was not finished'}")
    slo = node.required("slo")
    knee = Knee(
        tier=node.text("tier"),
        sha256=sha256,
        rows=node.integer("rows") or 1,
        slo_s=_positive(slo, "latency_ms") / 1000,
        capacity_rps=_positive(found, "capacity_rps"),
        steps=_by_load([_step(step) for step in node.members("steps") if step.boolean("valid")]),
    )
    _check(found, knee)
    if cores is None or knee.at(knee.capacity_rps, "cores_used") is not None:
        return knee
    used = (replace(step, cores_used=cores * step.offered_rps / knee.capacity_rps) for step in knee.steps)
    return replace(knee, steps=tuple(used))


def _another(node: Node) -> str:
    """Say what a file is that is no knee.json; of a proof.json, where its knees are."""
    kind = node.text("kind")
    if kind:
        return f"an object of kind {kind}"
    knees = [f"{knee.text('folder')}/knee.json" for knee in node.members("knees")]
    return f"a proof, whose knees are {', '.join(knees)} beside it" if knees else "a file without 'steps'"


def _check(found: Node, knee: Knee) -> None:
    low, high = _number(found, "low"), _number(found, "high")
    if len(knee.steps) < _FEWEST_STEPS:
        raise InputError(f"expected {_FEWEST_STEPS} steps that the generator vouches for, found {len(knee.steps)}")
    if high > low * (1 + _WIDEST_BRACKET):
        raise InputError(
            f"the knee lies between {low:g} and {high:g} requests/s, which is too wide to plan with: "
            f"measure on, to {_WIDEST_BRACKET:.0%}"
        )
    first = knee.steps[0]
    if first.p50_s is None or first.p50_s >= knee.slo_s:
        raise InputError("expected a lowest load that is answered within the objective: begin lower")


def _by_load(steps: list[Step]) -> tuple[Step, ...]:
    """One step for each load: averages of those that were made, and the worst latency."""
    loads: dict[float, list[Step]] = {}
    for step in steps:
        loads.setdefault(step.offered_rps, []).append(step)
    return tuple(
        Step(
            load,
            _average([step.p50_s for step in made]),
            None if any(step.p99_s is None for step in made) else max(step.p99_s or 0.0 for step in made),
            _average([step.mean_pending for step in made]),
            _average([step.cores_used for step in made]),
        )
        for load, made in sorted(loads.items())
    )


def _average(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _step(node: Node) -> Step:
    return Step(
        offered_rps=_positive(node, "offered_rps"),
        p50_s=_seconds(node, "p50_ns"),
        p99_s=_seconds(node, "p99_ns"),
        mean_pending=node.number("mean_pending"),
        cores_used=node.number("cores_used"),
    )


def _number(node: Node, key: str) -> float:
    value = node.number(key)
    if value is None:
        raise InputError(f"{node.path}: expected a number {key!r}, found none")
    return float(value)


def _positive(node: Node, key: str) -> float:
    value = _number(node, key)
    if value <= 0:
        raise InputError(f"{node.path}.{key}: expected a number above 0, got {value:g}")
    return value


def _seconds(node: Node, key: str) -> float | None:
    value = node.number(key)
    return None if value is None else value / _NS


def fitted(knee: Knee, cpu_request_m: int) -> Capacity:
    """Return a pod that is as fast as the measured one when idle, and whose knee lies where the measured one's does.

    Up to there as much is pending in it as was measured.

    Args:
        knee: the measurement.
        cpu_request_m: millicores that it requests.
    """
    alone = knee.steps[0].p50_s or knee.slo_s
    cpu_s = (knee.at(knee.capacity_rps, "cores_used") or 0.0) / knee.capacity_rps
    low, high = knee.capacity_rps, 4 * knee.capacity_rps
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        late = _pod(alone, middle, cpu_s, cpu_request_m).latency_p99(1, knee.capacity_rps) > knee.slo_s
        low, high = (middle, high) if late else (low, middle)
    pod = _pod(alone, high, cpu_s, cpu_request_m)
    cores = knee.course("cores_used", knee.capacity_rps)
    if cores:  # beyond the knee as much more, but no more than was ever seen: a limit holds it down
        most = max(used for _, used in knee.course("cores_used"))
        cores = (*cores, (high, min(most, cpu_s * high)))
    return replace(pod, measured=knee.course("mean_pending", knee.capacity_rps), measured_cores=cores)


def _pod(alone_s: float, saturation_rps: float, cpu_s: float, cpu_request_m: int) -> Capacity:
    concurrency = max(1, round(alone_s * saturation_rps))
    return Capacity(concurrency / saturation_rps, concurrency, cpu_s=cpu_s, cpu_request_m=cpu_request_m)
