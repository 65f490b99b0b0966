"""Requests as the SLO sees them: right, good, and the windows in which there were too few of either."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tidegate_proof.record.plan import Slo
from tidegate_proof.record.requests import Int, Requests
from tidegate_proof.verdict.quantiles import rank

SECOND = 10**9
OK = 200

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What each request came to.

    Attributes:
        requests: All of them.
        slo: Theirs.
        right: Answered 200 and as expected, however late.
        good: Right within the SLO's latency of the intended start.
        latency_ns: From the intended start; meaningless where not answered.
    """

    requests: Requests
    slo: Slo
    right: Mask
    good: Mask
    latency_ns: Int

    @classmethod
    def of(cls, requests: Requests, slo: Slo) -> Self:
        """Judge requests."""
        right = requests.is_error("") & (requests.status == OK) & (requests.answered_ns >= 0)
        latency_ns = requests.answered_ns - requests.intended_ns
        return cls(requests, slo, right, right & (latency_ns <= slo.latency_ns), latency_ns)

    def between(self, start_s: int, end_s: int) -> slice:
        """Return the rows of arrivals intended in these seconds."""
        first, last = np.searchsorted(self.requests.intended_ns, [start_s * SECOND, end_s * SECOND])
        return slice(int(first), int(last))


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of the SLO, one after another from the start of the run.

    Attributes:
        length_s: Of each.
        violated: Whether the SLO was not kept in it: fewer right answers than `slo.success` of its arrivals, or fewer
            good ones than `slo.quantile`. The second says that this quantile of the latencies is above the limit,
            where what was not answered right counts as never. A window without arrivals violates nothing.
    """

    length_s: int
    violated: Mask

    @classmethod
    def of(cls, outcomes: Outcomes, duration_s: int) -> Self:
        """Judge each window."""
        slo = outcomes.slo
        n = -(-duration_s // slo.window_s)
        window = outcomes.requests.intended_ns // (slo.window_s * SECOND)
        arrivals, right, good = (
            np.bincount(window[mask], minlength=n)[:n]
            for mask in (np.ones(len(window), np.bool_), outcomes.right, outcomes.good)
        )
        must_right = np.array([rank(slo.success, int(of)) for of in arrivals], np.int64)
        must_good = np.array([rank(slo.quantile, int(of)) for of in arrivals], np.int64)
        return cls(slo.window_s, (right < must_right) | (good < must_good))

    def starts_s(self) -> tuple[int, ...]:
        """Return the first seconds of the windows that violate the SLO."""
        return tuple(int(window) * self.length_s for window in np.flatnonzero(self.violated))

    def violation_s(self, start_s: int, end_s: int) -> int:
        """Return the seconds of violated windows that begin in these seconds."""
        return sum(min(self.length_s, end_s - start) for start in self.starts_s() if start_s <= start < end_s)
