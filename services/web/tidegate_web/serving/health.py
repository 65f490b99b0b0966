"""Whether a model server may be trusted with the next call, from how its last ones went."""

from collections.abc import Callable
from enum import Enum

UNREACHABLE_S = 1.0
"""How long a backend that could not be reached is left alone, unless a probe reaches it before."""

CONSECUTIVE = 5
"""Failures in a row, with no success between them, after which a backend is ejected."""

EJECTED_S = 1.0
"""How long the first ejection lasts; each one that follows without a success lasts twice as long."""

LONGEST_EJECTION_S = 30.0


class State(Enum):
    """What the balancer makes of a backend."""

    READY = "ready"
    UNREACHABLE = "unreachable"
    EJECTED = "ejected"


class Health:
    """How a backend's last calls went.

    Two kinds of failure count. Who cannot be reached comes back with the first probe or call that succeeds. Who
    answers, but fails call after call, is ejected for a time; when that is over, one more failure ejects it again and
    one success ends the matter.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._unreachable_until = 0.0
        self._ejected_until = 0.0
        self._failures = 0
        self._ejections = 0

    @property
    def state(self) -> State:
        """Compute the state of this moment."""
        if self._unreachable_until or self._ejected_until:
            now = self._clock()
            if self._ejected_until > now:
                return State.EJECTED
            if self._unreachable_until > now:
                return State.UNREACHABLE
        return State.READY

    def succeeded(self) -> None:
        """Note an answered prediction."""
        if self._failures or self._unreachable_until or self._ejected_until:
            self._failures = self._ejections = 0
            self._unreachable_until = self._ejected_until = 0.0

    def reached(self) -> None:
        """Note an answered probe: the backend can be reached; what it makes of predictions is another matter."""
        self._unreachable_until = 0.0

    def unreachable(self, for_s: float = UNREACHABLE_S) -> None:
        """Note a call that found no connection or lost it, or a probe that had no answer."""
        self._unreachable_until = max(self._unreachable_until, self._clock() + for_s)

    def failed(self) -> None:
        """Note a prediction that the backend failed to answer though it was reached."""
        self._failures += 1
        if self._failures >= CONSECUTIVE:
            self._ejected_until = self._clock() + min(EJECTED_S * 2**self._ejections, LONGEST_EJECTION_S)
            self._ejections += 1
            self._failures = CONSECUTIVE - 1
