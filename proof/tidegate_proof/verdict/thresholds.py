"""Thresholds of a plan, held against figures."""

from collections.abc import Mapping

from tidegate_proof.record.plan import Threshold
from tidegate_proof.record.verdict import Judged


def figure(figures: object, path: str) -> float | None:
    """Return a figure.

    Args:
        figures: As JSON has them.
        path: By dots; an element of a list by its `name`.

    Returns:
        None where there is none, or it is no number; 1 and 0 for true and false.
    """
    found: object = figures
    for key in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(key)
        elif isinstance(found, list):
            found = next((item for item in found if isinstance(item, Mapping) and item.get("name") == key), None)
        else:
            return None
    return found if isinstance(found, int | float) else None


def judged(threshold: Threshold, figures: object) -> Judged:
    """Hold a figure against its threshold; one that is not there does not pass."""
    value = figure(figures, threshold.metric)
    margin = None if value is None else _margin(threshold, value)
    return Judged(
        name=threshold.name,
        metric=threshold.metric,
        op=threshold.op,
        limit=threshold.limit,
        value=None if value is None else float(value),
        margin=margin,
        passed=margin is not None and margin >= 0,
    )


def _margin(threshold: Threshold, value: float) -> float:
    if threshold.op == "<=":
        return threshold.limit - value
    if threshold.op == ">=":
        return value - threshold.limit
    return -abs(value - threshold.limit)
