"""A bound on retries: while everything fails, they must not multiply the load on what is left."""

from collections import deque
from collections.abc import Callable

WINDOW_S = 10.0
SHARE = 0.1
RESERVE = 10


class RetryBudget:
    """At most 10 retries, or 10 % of the calls, in any 10 s, whichever is more.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seconds: deque[list[int]] = deque()  # [second, calls, retries]

    def count_call(self) -> None:
        """Note a first try."""
        self._bucket()[1] += 1

    def take(self) -> bool:
        """Whether one more retry is allowed; it then counts."""
        bucket = self._bucket()
        calls = sum(calls for _, calls, _ in self._seconds)
        retries = sum(retries for _, _, retries in self._seconds)
        if retries + 1 > max(RESERVE, SHARE * calls):
            return False
        bucket[2] += 1
        return True

    def _bucket(self) -> list[int]:
        second = int(self._clock())
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0, 0])
            while self._seconds[0][0] <= second - WINDOW_S:
                self._seconds.popleft()
        return self._seconds[-1]
