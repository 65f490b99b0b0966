"""Intervals over runs of one scenario."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import t as student

from tidegate_proof.record.documents import plain
from tidegate_proof.record.proof import Interval
from tidegate_proof.record.verdict import Verdict
from tidegate_proof.verdict.thresholds import figure

CONFIDENCE = 0.95

REPEATED = (
    "total.good_share",
    "total.violation_s",
    "total.latency_ns.p50",
    "total.latency_ns.p99",
    "reaction.serving.decided_s",
    "reaction.serving.first_answer_s",
    "reaction.serving.slo_back_s",
    "reaction.web.decided_s",
    "reaction.web.first_answer_s",
    "oracle.serving.over_pod_seconds",
    "oracle.serving.under_pod_seconds",
    "oracle.web.over_pod_seconds",
    "oracle.web.under_pod_seconds",
)
"""Figures that differ from run to run and that people compare."""


def intervals(scenario: str, verdicts: Sequence[Verdict], metrics: Sequence[str] = REPEATED) -> tuple[Interval, ...]:
    """Return the mean of each figure with its interval.

    Student's t with n - 1 degrees of freedom (Student, The probable error of a mean, Biometrika 6, 1908): right for
    few runs, as far as a figure's runs are normal.

    Args:
        scenario: Of all verdicts.
        verdicts: Of valid, whole runs.
        metrics: Paths into the figures; those that no run has are left out.
    """
    documents = [plain(verdict.figures) for verdict in verdicts]
    found: list[Interval] = []
    for metric in metrics:
        values = [value for document in documents if (value := figure(document, metric)) is not None]
        if values:
            found.append(_interval(scenario, metric, np.array(values, np.float64)))
    return tuple(found)


def _interval(scenario: str, metric: str, values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> Interval:
    n, mean = len(values), float(values.mean())
    if n == 1:
        return Interval(scenario=scenario, metric=metric, n=n, mean=mean, low=None, high=None)
    half = float(student.ppf((1 + CONFIDENCE) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n))
    return Interval(scenario=scenario, metric=metric, n=n, mean=mean, low=mean - half, high=mean + half)
