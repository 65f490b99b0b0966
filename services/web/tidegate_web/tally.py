"""Requests counted by status and by how long they took, cheaply enough to do it for each of them.

The status page wants quantiles of the last second; Prometheus' fixed bounds are too coarse for that. Here bounds grow
by a twelfth of an octave, so that a quantile is off by 3 % at most.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from http import HTTPStatus
from itertools import accumulate

SHORTEST_S = 0.0001
BUCKETS_PER_OCTAVE = 12
BUCKETS = 240
"""Twenty octaves: up to 105 s; longer ones count there."""

_OFFSET = -BUCKETS_PER_OCTAVE * math.log2(SHORTEST_S)


class Tally:
    """Totals since the start.

    Attributes:
        requests: Answered requests.
        failures: Those with a status from 500; the clients that left are not among them.
        refused: Those answered 429.
        durations: Requests by duration; bucket `i` begins at `SHORTEST_S * 2 ** (i / BUCKETS_PER_OCTAVE)`.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.failures = 0
        self.refused = 0
        self.durations = [0] * BUCKETS

    def note(self, status: int, took_s: float) -> None:
        """Count one answer."""
        self.requests += 1
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self.failures += 1
        elif status == HTTPStatus.TOO_MANY_REQUESTS:
            self.refused += 1
        bucket = int(BUCKETS_PER_OCTAVE * math.log2(took_s) + _OFFSET) if took_s > SHORTEST_S else 0
        self.durations[min(bucket, BUCKETS - 1)] += 1


def quantile_s(durations: Sequence[int], share: float) -> float | None:
    """Return the duration that this share of the requests did not exceed, as its bucket's middle; None without any."""
    passed = list(accumulate(durations))
    if not passed[-1]:
        return None
    bucket = bisect_left(passed, math.ceil(share * passed[-1]))
    return float(SHORTEST_S * 2 ** ((bucket + 0.5) / BUCKETS_PER_OCTAVE))
