"""Who looks at the status page: how many may at once, and whether anybody does."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator

MOST_STREAMS = 32

LOOKED_S = 15.0
"""A page counts as looked at for so long; without JavaScript it is loaded again every 5 s."""


class Audience:
    """Those who look.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._streams = 0
        self._looked_at = -math.inf

    @property
    def full(self) -> bool:
        """Whether there is no room for another stream."""
        return self._streams >= MOST_STREAMS

    @contextlib.contextmanager
    def stream(self) -> Iterator[None]:
        """Count a stream while it lasts."""
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1

    def looked(self) -> None:
        """Note that the page was shown."""
        self._looked_at = self._clock()

    def present(self) -> bool:
        """Whether anybody looks, by a stream or at a page shown a moment ago."""
        return self._streams > 0 or self._clock() - self._looked_at < LOOKED_S
