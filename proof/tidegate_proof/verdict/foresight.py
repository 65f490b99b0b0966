"""How well the plan's forecast of replicas came true."""

from collections.abc import Mapping, Sequence

import numpy as np

from tidegate_proof.record.plan import Plan, Tier
from tidegate_proof.record.requests import Int
from tidegate_proof.record.scaling_figures import Agreement, Replicas, Steps
from tidegate_proof.verdict.outcomes import SECOND
from tidegate_proof.verdict.steps import at, measured_seconds

PERIOD_S = 15
"""Of Kubernetes' controller, unless its flags say otherwise."""


def agreements_of(plan: Plan, replicas: Mapping[Tier, Replicas]) -> dict[Tier, Agreement]:
    """Hold every forecast of a plan against what its autoscaler asked for."""
    seconds = measured_seconds(plan)
    if plan.forecast is None or not len(seconds):
        return {}
    forecasts = plan.forecast.replicas
    return {
        tier: agreement_of(forecasts[tier], replicas[tier].desired, seconds)
        for tier in forecasts
        if tier in replicas and forecasts[tier]
    }


def agreement_of(forecast: Sequence[tuple[float, int]], desired: Steps, seconds: Int) -> Agreement:
    """Hold a forecast against what came.

    Args:
        forecast: Replicas from a second on; not empty.
        desired: What came.
        seconds: To look at; not empty.
    """
    foreseen = tuple((round(start_s * SECOND), replicas) for start_s, replicas in forecast)
    slips = np.arange(-PERIOD_S, PERIOD_S + 1)
    # One row for each second; before its start the forecast is what it begins with
    times_ns = np.maximum((seconds[:, None] + slips) * SECOND, foreseen[0][0])
    around = at(foreseen, times_ns)
    came, expected = at(desired, seconds * SECOND), around[:, PERIOD_S]
    near = (around.min(axis=1) <= came) & (came <= around.max(axis=1))
    return Agreement(
        same_share=float((came == expected).mean()),
        near_share=float(near.mean()),
        mean_difference=float((came - expected).mean()),
    )
