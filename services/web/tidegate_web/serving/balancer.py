"""The set of model servers in use, and which of them gets the next call."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable

from tidegate_web.prediction import ModelRef
from tidegate_web.serving.backend import Backend
from tidegate_web.serving.health import State

log = logging.getLogger(__name__)


class Balancer:
    """Least outstanding calls; among equals, the one that has waited longest for its turn.

    Args:
        connect: Makes a Backend for an address.
        grace_s: How long calls to a backend that left may go on.
    """

    def __init__(self, connect: Callable[[str], Backend], grace_s: float) -> None:
        self._connect = connect
        self._grace_s = grace_s
        self._backends: dict[str, Backend] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._turn = 0

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

    def candidates(self, model: ModelRef, tried: Collection[Backend] = ()) -> list[Backend]:
        """Return the backends that may be asked for a model, other than those tried.

        Healthy ones that serve it come alone. Where none is healthy, the others that serve it are asked all the same: a
        guess about health may be wrong. Where none serves it, the first try may go anywhere: the answer of whoever gets
        it explains more than any of ours; a second one would not.
        """
        untried = [backend for backend in self._backends.values() if backend not in tried]
        serving = [backend for backend in untried if backend.serves(model)]
        if not serving and not tried:
            serving = untried
        return [backend for backend in serving if backend.state is State.READY] or serving

    def choose(self, candidates: Collection[Backend]) -> Backend | None:
        """Return the one of the candidates that gets the next call; None where there is none."""
        if not candidates:
            return None
        chosen = min(candidates, key=lambda backend: (backend.outstanding, backend.last_picked))
        self._turn += 1
        chosen.last_picked = self._turn
        return chosen

    async def close(self) -> None:
        """Close every channel, after its calls."""
        self.update(())
        await asyncio.gather(*self._closing)
