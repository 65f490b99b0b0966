"""Closing client connections at a jittered age.

A Service balances connections, not requests: clients that keep theirs would never meet a new replica.
"""

import asyncio
import math
import random
from collections.abc import Callable
from weakref import WeakKeyDictionary

JITTER = 0.2


class ConnectionAge:
    """Tells when a connection has been used long enough.

    Args:
        max_age_s: Mean age at which to close; 0 for never.
        clock: Monotonic seconds.
        uniform: Draws from an interval.
    """

    def __init__(
        self,
        max_age_s: float,
        clock: Callable[[], float],
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._max_age_s = max_age_s
        self._clock = clock
        self._uniform = uniform
        self._expires: WeakKeyDictionary[object, float] = WeakKeyDictionary()

    def expired(self, connection: asyncio.Transport | None) -> bool:
        """Whether to close after the present answer. Age counts from the connection's first request."""
        if not self._max_age_s or connection is None:
            return False
        # uvloop's TLS transports take no weak references; what they encrypt with lives as long and does
        connected = connection.get_extra_info("ssl_object") or connection
        expires = self._expires.get(connected)
        if expires is None:
            expires = self._expires[connected] = self.expiry()
        return self._clock() >= expires

    def expiry(self) -> float:
        """Draw the time at which a connection that begins now is to be closed."""
        if not self._max_age_s:
            return math.inf
        return self._clock() + self._max_age_s * self._uniform(1 - JITTER, 1 + JITTER)
