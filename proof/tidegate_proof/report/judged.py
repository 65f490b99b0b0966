"""Thresholds in words: what was asked, what came, by how much it held or not."""

from collections.abc import Callable
from typing import Literal

from markupsafe import Markup

from tidegate_proof.report.tables import bar
from tidegate_proof.report.wording import MISSING, count, digits, latency, percent, rate, seconds

SIGNS = {"<=": "≤", ">=": "≥", "==": "="}

Operator = Literal["<=", ">=", "=="]


def _plain(value: float) -> str:
    """Write what has no unit: what was counted in full."""
    return count(value) if float(value).is_integer() else digits(value)


_UNITS: tuple[tuple[str, Callable[[float], str]], ...] = (
    ("_pod_seconds", _plain),
    ("_share", percent),
    ("_rps", rate),
    ("_ns", latency),
    ("_s", seconds),
)


def figure(metric: str, value: float | None) -> str:
    """Write a figure in the unit that the last words of its path tell.

    Args:
        metric: Path into the verdict's figures, by dots.
        value: The figure; None where there is none.
    """
    if value is None:
        return MISSING
    parts = metric.split(".")
    for part in reversed(parts):
        for ending, write in _UNITS:
            if part.endswith(ending):
                return write(value)
    return _plain(value)


def demand(metric: str, op: str, limit: float) -> str:
    """Write what was asked."""
    return f"{SIGNS[op]} {figure(metric, limit)}"


def distance(metric: str, limit: float, value: float | None) -> str:
    """Write how far the figure lies from its limit."""
    if value is None:
        return "no figure"
    if value == limit:
        return "equal"
    off = figure(metric, abs(value - limit))
    return f"{off.replace('%', 'points')} {'above' if value > limit else 'below'}"


def drawn(limit: float, value: float | None, *, passed: bool | None) -> Markup:
    """Draw the figure against its limit, which stands in the middle; nothing for limits that have no scale."""
    if value is None or limit <= 0 or value < 0:
        return Markup("")
    return bar(value / limit / 2, "past" if passed is False else "within", 0.5)
