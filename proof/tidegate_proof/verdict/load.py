"""Figures of phases and of the whole: arrivals, goodput, latency from the intended start, how the generator did."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from tidegate_proof.record.load_figures import Generator, Heat, Lag, PhaseFigures, Total
from tidegate_proof.record.plan import Phase, Plan
from tidegate_proof.record.requests import ERRORS, Requests
from tidegate_proof.record.telemetry import GeneratorLook
from tidegate_proof.verdict.outcomes import SECOND, Outcomes, Windows
from tidegate_proof.verdict.quantiles import quantile, quantiles

HEAT_BIN_S = 5
HEAT_FIRST_NS = 1_000_000
HEAT_PER_DECADE = 8


def phase_figures(phase: Phase, outcomes: Outcomes, windows: Windows) -> PhaseFigures:
    """Return what became of the arrivals of a phase."""
    rows = outcomes.between(phase.start_s, phase.end_s)
    requests = outcomes.requests
    right, good = outcomes.right[rows], outcomes.good[rows]
    errors = np.bincount(requests.error[rows], minlength=len(ERRORS))
    sent = requests.sent_ns[rows] >= 0
    undispatched = int(errors[ERRORS.index("undispatched")])
    arrivals = rows.stop - rows.start
    return PhaseFigures(
        name=phase.name,
        start_s=phase.start_s,
        end_s=phase.end_s,
        measured=phase.measured,
        change=phase.change,
        arrivals=arrivals,
        sent=int(sent.sum()),
        answered=int((requests.answered_ns[rows] >= 0).sum()),
        right=int(right.sum()),
        good=int(good.sum()),
        goodput_rps=int(good.sum()) / (phase.end_s - phase.start_s),
        undispatched=undispatched,
        errors={word: int(n) for word, n in zip(ERRORS, errors, strict=True) if word and n},
        latency_ns=quantiles(outcomes.latency_ns[rows][right], arrivals),
        service_ns=quantiles((requests.answered_ns - requests.sent_ns)[rows][right], int(right.sum())),
        violation_s=windows.violation_s(phase.start_s, phase.end_s),
    )


def total_figures(phases: Sequence[PhaseFigures], outcomes: Outcomes, lost: int) -> Total:
    """Sum up the measured phases.

    Args:
        phases: All.
        outcomes: Of the run.
        lost: Of the run.
    """
    counted = [phase for phase in phases if phase.measured]
    slices = [outcomes.between(phase.start_s, phase.end_s) for phase in counted]
    latencies = [outcomes.latency_ns[rows][outcomes.right[rows]] for rows in slices]
    arrivals = sum(phase.arrivals for phase in counted)
    good = sum(phase.good for phase in counted)
    return Total(
        arrivals=arrivals,
        answered=sum(phase.answered for phase in counted),
        right=sum(phase.right for phase in counted),
        good=good,
        good_share=good / arrivals if arrivals else 0.0,
        undispatched=sum(phase.undispatched for phase in counted),
        lost=lost,
        idle_closes=sum(int(outcomes.requests.idle_closes[rows].sum()) for rows in slices),
        violation_s=sum(phase.violation_s for phase in counted),
        duration_s=sum(phase.end_s - phase.start_s for phase in counted),
        latency_ns=quantiles(np.concatenate([np.zeros(0, np.int64), *latencies]), arrivals),
    )


def heat(outcomes: Outcomes, plan: Plan) -> Heat:
    """Count latencies in bins of time and of latency, the latter a constant factor apart from 1 ms to the timeout."""
    steps = range(1 + int(np.ceil(HEAT_PER_DECADE * np.log10(max(1.0, plan.timeout_s * SECOND / HEAT_FIRST_NS)))))
    bounds = tuple(round(HEAT_FIRST_NS * 10 ** (step / HEAT_PER_DECADE)) for step in steps)
    bins = -(-plan.duration_s // HEAT_BIN_S)
    row = outcomes.requests.intended_ns // (HEAT_BIN_S * SECOND)
    column = np.searchsorted(np.array(bounds), outcomes.latency_ns)
    planned = row < bins  # a record that was tampered with may have later ones
    cells = (row * (len(bounds) + 1) + column)[outcomes.right & planned]
    counts = np.bincount(cells, minlength=bins * (len(bounds) + 1)).reshape(bins, len(bounds) + 1)
    never = np.bincount(row[~outcomes.right & planned], minlength=bins)
    return Heat(
        bin_s=HEAT_BIN_S,
        bounds_ns=bounds,
        counts=tuple(tuple(cells) for cells in counts.tolist()),
        never=tuple(never.tolist()),
    )


def generator_figures(requests: Requests, looks: Sequence[GeneratorLook], plan: Plan) -> Generator:
    """Tell how the generator did, over the whole run; how busy it was, over the measured phases."""
    sent = requests.sent_ns >= 0
    lags = np.sort((requests.sent_ns - requests.intended_ns)[sent])
    median, high = quantile(lags, 0.5, len(lags)), quantile(lags, 0.99, len(lags))
    return Generator(
        lag_ns=None if median is None or high is None else Lag(p50=median, p99=high, max=int(lags[-1])),
        busy=max((_busy(looks, phase) for phase in plan.phases if phase.measured), default=None, key=_none_last),
        undispatched_share=int(requests.is_error("undispatched").sum()) / max(1, len(requests)),
    )


def _busy(looks: Sequence[GeneratorLook], phase: Phase) -> float | None:
    """Return the largest share of a core between two looks some seconds apart; None without two in the phase."""
    within = [look for look in looks if phase.start_s * SECOND <= look.t_ns <= phase.end_s * SECOND]
    if len(within) < 2 or any(later.t_ns <= look.t_ns for look, later in pairwise(within)):  # noqa: PLR2004 a difference
        return None
    return (within[-1].cpu_s - within[0].cpu_s) * SECOND / (within[-1].t_ns - within[0].t_ns)


def _none_last(share: float | None) -> float:
    """Order so that what could not be told is the worst."""
    return float("inf") if share is None else share
