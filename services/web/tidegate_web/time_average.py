"""The average of a stepwise value over the last seconds, as an exact time integral.

A gauge that is read at one instant is noise where requests take milliseconds; what an autoscaler wants is the mean.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from operator import itemgetter

WINDOW_S = 15.0
"""The HPA controller's own sync period."""

GRAIN_S = 0.05
"""Checkpoints are at least this far apart, which bounds memory; inside a grain the value counts as its mean."""


class TimeAverage:
    """A value that changes in steps, and its mean over the window that ends now.

    One thread changes it; others may read it, since what they read is replaced or copied at once.

    Args:
        clock: Monotonic seconds.
        window_s: Length of the window; before the first window has passed the value counts as 0.
    """

    def __init__(self, clock: Callable[[], float], window_s: float = WINDOW_S) -> None:
        self._clock = clock
        self._window_s = window_s
        start = clock()
        self._state = (start, 0.0, 0.0)
        """When it last changed, its integral until then, its value since."""
        self._checkpoints = deque([(start, 0.0)])
        self._checkpoint_at = start + GRAIN_S

    def add(self, amount: float) -> None:
        """Change the value from now on."""
        now = self._clock()
        changed_at, integral, value = self._state
        if now < self._checkpoint_at:
            self._state = (now, integral + value * (now - changed_at), value + amount)
            return
        if now - changed_at >= GRAIN_S and self._checkpoints[-1][0] < changed_at:
            self._checkpoints.append((changed_at, integral))  # a long step begins exactly there
        integral += value * (now - changed_at)
        self._state = (now, integral, value + amount)
        self._checkpoints.append((now, integral))
        self._checkpoint_at = now + GRAIN_S
        self._forget(now)

    def value(self) -> float:
        """Return the present value."""
        return self._state[2]

    def average(self) -> float:
        """Return the mean over the window."""
        checkpoints = tuple(self._checkpoints)
        changed_at, integral, value = self._state
        now = self._clock()
        start = _integral_at(now - self._window_s, (*checkpoints, (changed_at, integral)), value)
        return (integral + value * (now - changed_at) - start) / self._window_s

    def _forget(self, now: float) -> None:
        """Drop checkpoints that no window will reach, but keep one before the window's start."""
        while len(self._checkpoints) > 1 and self._checkpoints[1][0] <= now - self._window_s:
            self._checkpoints.popleft()


def _integral_at(time: float, checkpoints: Sequence[tuple[float, float]], value: float) -> float:
    """Interpolate between the checkpoints around a time, exact but within a grain; after the last, the value holds."""
    index = bisect_right(checkpoints, time, key=itemgetter(0))
    if not index:
        return checkpoints[0][1]
    before_at, before = checkpoints[index - 1]
    if index == len(checkpoints):
        return before + value * (time - before_at)
    after_at, after = checkpoints[index]
    return before + (after - before) * (time - before_at) / (after_at - before_at)
