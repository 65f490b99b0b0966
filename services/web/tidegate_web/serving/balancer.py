"""The set of model servers in use, and which of them gets the next call."""

import asyncio
import logging
import random
from collections.abc import Callable, Collection, Iterable

from tidegate_web.serving.backend import Backend

log = logging.getLogger(__name__)

SUSPECT_S = 1.0
"""How long a backend that could not be reached is used only if there is no other."""


class Balancer:
    """Least outstanding calls, at random among equals.

    Args:
        connect: Makes a Backend for an address.
        clock: Monotonic seconds.
        grace_s: How long calls to a backend that left may go on.
    """

    def __init__(self, connect: Callable[[str], Backend], clock: Callable[[], float], grace_s: float) -> None:
        self._connect = connect
        self._clock = clock
        self._grace_s = grace_s
        self._backends: dict[str, Backend] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._random = random.Random()  # noqa: S311 spreads load, keeps no secret

    @property
    def backends(self) -> Collection[Backend]:
        """All backends in use."""
        return self._backends.values()

    def update(self, addresses: Iterable[str]) -> None:
        """Use exactly these addresses from now on; calls in flight to others end in peace."""
        wanted = set(addresses)
        for address in sorted(wanted - self._backends.keys()):
            self._backends[address] = self._connect(address)
            log.info("backend joined", extra={"backend": address})
        for address in sorted(self._backends.keys() - wanted):
            task = asyncio.create_task(self._backends.pop(address).close(self._grace_s))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            log.info("backend left", extra={"backend": address})

    def pick(self, tried: Collection[Backend] = ()) -> Backend | None:
        """Return the backend for the next call, other than those tried; None where there is none."""
        candidates = [backend for backend in self._backends.values() if backend not in tried]
        if not candidates:
            return None
        trusted = [backend for backend in candidates if not self.suspects(backend)] or candidates
        least = min(backend.outstanding for backend in trusted)
        return self._random.choice([backend for backend in trusted if backend.outstanding == least])

    def suspect(self, backend: Backend) -> None:
        """Note that a backend could not be reached."""
        backend.suspect_until = self._clock() + SUSPECT_S

    def suspects(self, backend: Backend) -> bool:
        """Whether a backend could not be reached a moment ago."""
        return backend.suspect_until > self._clock()

    async def close(self) -> None:
        """Close every channel, after its calls."""
        self.update(())
        await asyncio.gather(*self._closing)
