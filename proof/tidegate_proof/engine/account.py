"""The generator's account of itself: what a run's figures are worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tidegate_proof.engine.columns import UNDISPATCHED, Columns, numbers
from tidegate_proof.record.plan import GeneratorLimits
from tidegate_proof.record.requests import ABSENT
from tidegate_proof.record.telemetry import GeneratorLook

MS = 1_000_000
HALF_NS = 500_000_000


def busiest(looks: Sequence[GeneratorLook]) -> float:
    """Return the largest share of a processor from one look to the next; a rest of less than half a second is left out.

    It counts where there is nothing else.
    """
    shares = [
        ((later.t_ns - earlier.t_ns), (later.cpu_s - earlier.cpu_s) * 1e9 / (later.t_ns - earlier.t_ns))
        for earlier, later in pairwise(looks)
        if later.t_ns > earlier.t_ns
    ]
    whole = [share for wall_ns, share in shares if wall_ns >= HALF_NS]
    return max(whole or [share for _, share in shares], default=0.0)


@dataclass(frozen=True, slots=True)
class Account:
    """How well a generator kept to its times.

    Attributes:
        arrivals: Intended requests.
        lag_p50_ns: Of sent - intended, over those sent; 0 where none was.
        lag_p99_ns: The same.
        lag_max_ns: The same.
        busy: Share of a processor in its busiest second.
        undispatched_share: Of the arrivals.
    """

    arrivals: int
    lag_p50_ns: int
    lag_p99_ns: int
    lag_max_ns: int
    busy: float
    undispatched_share: float

    @classmethod
    def of(cls, columns: Columns, looks: Sequence[GeneratorLook], after_ns: int = 0) -> "Account":
        """Draw up the account.

        Args:
            columns: Of the run.
            looks: Of the generator at itself, in order.
            after_ns: End of the warm-up; what was intended, or begun to be looked at, before does not count.
        """
        intended = numbers(columns.intended_ns)
        rows = slice(int(np.searchsorted(intended, after_ns)), None)
        sent = numbers(columns.sent_ns)[rows]
        error = numbers(columns.error)[rows]
        lags = (sent - intended[rows])[sent != ABSENT]
        p50, p99, most = np.percentile(lags, (50, 99, 100), method="inverted_cdf") if lags.size else (0, 0, 0)
        return cls(
            arrivals=len(sent),
            lag_p50_ns=int(p50),
            lag_p99_ns=int(p99),
            lag_max_ns=int(most),
            busy=busiest([look for look in looks if look.t_ns >= after_ns]),
            undispatched_share=float(np.mean(error == UNDISPATCHED)) if len(error) else 0.0,
        )

    def faults(self, limits: GeneratorLimits) -> list[str]:
        """Say why the run is not valid; empty where it is."""
        found: list[str] = []
        if self.lag_p99_ns > limits.max_lag_ms * MS:
            found.append(
                f"the generator lagged: expected p99 of sent - intended up to {limits.max_lag_ms:g} ms, "
                f"came {self.lag_p99_ns / MS:.1f} ms"
            )
        if self.busy > limits.max_busy:
            found.append(
                f"the generator was short of processor: expected up to {limits.max_busy:.0%} of one, "
                f"came {self.busy:.0%}"
            )
        if self.undispatched_share > limits.max_undispatched_share:
            found.append(
                f"arrivals were not sent: expected up to {limits.max_undispatched_share:.1%}, "
                f"came {self.undispatched_share:.1%}"
            )
        return found
