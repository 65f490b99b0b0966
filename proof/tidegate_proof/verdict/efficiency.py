"""How throughput grows with the replicas: X(N) against N X(1), and Gunther's universal scalability law.

N. J. Gunther, Guerrilla Capacity Planning, Springer 2007, chapters 4 to 6: X(N) = lambda N / (1 + sigma (N - 1) +
kappa N (N - 1)).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from tidegate_proof.record.plan import Plan
from tidegate_proof.record.scaling_figures import Efficiency, EfficiencyPoint, Replicas, Usl
from tidegate_proof.verdict.outcomes import SECOND, Outcomes, Windows
from tidegate_proof.verdict.steps import at

STRETCH_S = 5
"""Over which throughput is taken: longer than a burst, shorter than the time between two decisions."""

LEAST_POINTS = 4
"""Numbers of replicas that a curve of three parameters needs to be held against anything."""

Floats = NDArray[np.float64]


def efficiency_of(plan: Plan, replicas: Replicas, outcomes: Outcomes, windows: Windows) -> Efficiency:
    """Return throughput by number of replicas.

    A point is the most right answers a second that arrived over a stretch of the measured phases in which exactly so
    many replicas were Ready. It is saturated when the SLO was violated all the while: more was asked than they did.
    Only saturated points tell what replicas can do, so that only they are fitted. X(1) is the saturated point of one
    replica, or the knee's capacity.

    Args:
        plan: Of the run.
        replicas: Of the plan's tier.
        outcomes: Of its requests.
        windows: Of its SLO.
    """
    best = _best_stretches(plan, replicas, outcomes, windows)
    one = best.get((1, True)) or (plan.knee.capacity_rps if plan.knee is not None else None)
    points = tuple(
        EfficiencyPoint(n=n, throughput_rps=rps, efficiency=rps / (n * one) if one else None, saturated=saturated)
        for (n, saturated), rps in sorted(best.items())
        if saturated or (n, True) not in best
    )
    saturated = [(point.n, point.throughput_rps) for point in points if point.saturated]
    usl, reason = _fit(saturated)
    grown = [point.efficiency for point in points if point.saturated and point.n > 1 and point.efficiency is not None]
    return Efficiency(points=points, one_rps=one, least=min(grown, default=None), usl=usl, reason=reason)


def _best_stretches(
    plan: Plan, replicas: Replicas, outcomes: Outcomes, windows: Windows
) -> dict[tuple[int, bool], float]:
    """Return the highest throughput by number of replicas and whether they were saturated."""
    seconds = outcomes.requests.answered_ns[outcomes.right] // SECOND
    answers = np.bincount(seconds[seconds < plan.duration_s], minlength=plan.duration_s)
    starts = np.arange(plan.duration_s + 1, dtype=np.int64) * SECOND
    ready = at(replicas.ready, starts)
    changed = np.array([t_ns for t_ns, _ in replicas.ready], np.int64)
    best: dict[tuple[int, bool], float] = {}
    for phase in plan.phases:
        for start in range(phase.start_s, phase.end_s - STRETCH_S + 1) if phase.measured else ():
            end = start + STRETCH_S
            steady = not ((changed > starts[start]) & (changed < starts[end])).any()
            if not steady or not ready[start]:
                continue
            key = int(ready[start]), windows.violation_s(start, end) >= STRETCH_S
            best[key] = max(best.get(key, 0.0), int(answers[start:end].sum()) / STRETCH_S)
    return best


def _fit(points: Sequence[tuple[int, float]]) -> tuple[Usl | None, str | None]:
    if len(points) < LEAST_POINTS:
        return None, f"numbers of replicas that were saturated: {len(points)}, a fit needs {LEAST_POINTS}"
    n, x = (np.array(column, np.float64) for column in zip(*points, strict=True))
    try:
        (one, sigma, kappa), _ = curve_fit(
            _law, n, x, p0=(x[0] / n[0], 0.01, 0.001), bounds=(0, np.inf), xtol=1e-12, ftol=1e-12, gtol=1e-12
        )
    except RuntimeError as error:
        return None, f"no fit: {error}"
    spread = float(((x - x.mean()) ** 2).sum())
    if not spread:
        return None, "all numbers of replicas did the same"
    r2 = 1 - float(((x - _law(n, one, sigma, kappa)) ** 2).sum()) / spread
    return Usl(lambda_rps=float(one), sigma=float(sigma), kappa=float(kappa), r2=r2), None


def _law(n: Floats, one: float, sigma: float, kappa: float) -> Floats:
    return one * n / (1 + sigma * (n - 1) + kappa * n * (n - 1))
