"""A trouble that is met again at each try: said when it begins or changes, and then rarely."""

import math
import time
from collections.abc import Callable

AGAIN_S = 60.0
"""Seconds after which a trouble that lasts is said again."""


class Trouble:
    """Tells what of it is worth a line in the log.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._reason = ""
        self._said_at = -math.inf
        self._lasts = False

    def is_news(self, reason: str) -> bool:
        """Whether to say it: for another reason than the last one, or when that was said long ago."""
        now = self._clock()
        if reason == self._reason and now - self._said_at < AGAIN_S:
            return False
        self._reason, self._said_at, self._lasts = reason, now, True
        return True

    def is_over(self) -> bool:
        """Whether to say that it is over, now that a try has gone well: once after each time that it was said."""
        lasted, self._lasts = self._lasts, False
        return lasted
