"""An open loop for Locust: arrivals at their intended times, whether or not earlier ones were answered.

Locust's users are the pool that sends them. One that has nothing to do waits here; an arrival goes to the one that has
waited longest. When all are busy it is not put off, which would make a closed loop again, but counted as undispatched.
"""

from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic_ns

import gevent
from gevent.event import AsyncResult

NS = 1_000_000_000


class Dispatcher:
    """Hands out the arrivals of one run in this process.

    Args:
        undispatched: Called with the due time of each arrival that nobody could take.
        clock: In nanoseconds.
    """

    def __init__(self, undispatched: Callable[[int], None], clock: Callable[[], int] = monotonic_ns) -> None:
        self._undispatched = undispatched
        self._clock = clock
        self._idle: deque[AsyncResult] = deque()

    def take(self) -> int:
        """Wait for an arrival.

        Returns:
            When it was due, in nanoseconds since the start.
        """
        waiter = AsyncResult()
        self._idle.append(waiter)
        try:
            return int(waiter.get())
        finally:
            if not waiter.ready():  # the user was stopped
                self._idle.remove(waiter)

    def run(self, due_ns: Sequence[int], started_ns: int) -> None:
        """Hand out arrivals.

        Args:
            due_ns: When each is due, in nanoseconds since the start, in order.
            started_ns: The start, on the clock.
        """
        for due in due_ns:
            ahead = started_ns + due - self._clock()
            if ahead > 0:
                gevent.sleep(ahead / NS)
            if not self._idle:
                gevent.sleep(0)  # those that have just become free must be able to say so
            if self._idle:
                self._idle.popleft().set(due)
            else:
                self._undispatched(due)
