"""The average of a stepwise value over the last seconds, as an exact time integral.

A gauge that is read at one instant is noise where requests take milliseconds; what an autoscaler wants is the mean.
"""

from collections import deque
from collections.abc import Callable

WINDOW_S = 15.0
"""The HPA controller's own sync period."""

GRAIN_S = 0.05
"""Checkpoints are at least this far apart, which bounds memory; inside a grain the value counts as its mean."""


class TimeAverage:
    """A value that changes in steps, and its mean over the window that ends now.

    Args:
        clock: Monotonic seconds.
        window_s: Length of the window; before the first window has passed the value counts as 0.
    """

    def __init__(self, clock: Callable[[], float], window_s: float = WINDOW_S) -> None:
        self._clock = clock
        self._window_s = window_s
        self._value = 0.0
        self._integral = 0.0
        self._changed_at = clock()
        self._checkpoints = deque([(self._changed_at, 0.0)])

    def add(self, amount: float) -> None:
        """Change the value from now on."""
        now = self._clock()
        if now - self._changed_at >= GRAIN_S and self._checkpoints[-1][0] < self._changed_at:
            self._checkpoints.append((self._changed_at, self._integral))  # a long step begins exactly there
        self._integral += self._value * (now - self._changed_at)
        self._changed_at = now
        self._value += amount
        if now - self._checkpoints[-1][0] >= GRAIN_S:
            self._checkpoints.append((now, self._integral))
            self._forget(now)

    def value(self) -> float:
        """Return the present value."""
        return self._value

    def average(self) -> float:
        """Return the mean over the window."""
        now = self._clock()
        self._forget(now)
        integral = self._integral + self._value * (now - self._changed_at)
        return (integral - self._integral_at(now - self._window_s)) / self._window_s

    def _forget(self, now: float) -> None:
        """Drop checkpoints that no window will reach, but keep one before the window's start."""
        while len(self._checkpoints) > 1 and self._checkpoints[1][0] <= now - self._window_s:
            self._checkpoints.popleft()

    def _integral_at(self, time: float) -> float:
        """Interpolate between the checkpoints around a time; exact but within a grain."""
        before_at, before = self._checkpoints[0]
        if time <= before_at:
            return before
        if len(self._checkpoints) > 1:
            after_at, after = self._checkpoints[1]
        else:
            after_at, after = self._changed_at, self._integral
        if time >= after_at:
            return after + self._value * (time - after_at)
        return before + (after - before) * (time - before_at) / (after_at - before_at)
