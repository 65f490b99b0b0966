"""Arrivals, made again from the plan."""

from collections.abc import Sequence
from pathlib import Path

import arrivals
from scenarios import TRACES
from tidegate_proof.record.plan import Plan


def rates_of(plan: Plan, traces: Path | None = None) -> list[float]:
    """Return the intended requests/s of each second: the base during warm-up, then the shape.

    Args:
        plan: Of the run.
        traces: Folder of the trace that it names; not needed for other shapes.

    Raises:
        ArrivalError: The plan's shape, or its trace, is none that `arrivals` knows.
    """
    shape = plan.shape
    trace = None if shape.trace is None else (traces or TRACES) / shape.trace
    return [shape.base] * plan.warm_up_s + arrivals.rates(
        shape.name,
        base=shape.base,
        peak=shape.peak,
        duration_s=shape.duration_s,
        period_s=shape.period_s,
        trace=trace,
        time_scale=shape.time_scale,
    )


def counts_of(plan: Plan, rates: Sequence[float]) -> list[int]:
    """Return the arrivals of each second."""
    return arrivals.counts(rates, process=plan.process, seed=plan.seed)


def intended_of(plan: Plan, counts: Sequence[int]) -> list[int]:
    """Return the intended times in ns."""
    return arrivals.intended_ns(counts, process=plan.process, seed=plan.seed)
