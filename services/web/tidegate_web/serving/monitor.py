"""Asks every model server, again and again, which versions it has; the answer is also how a lost one is found again."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

import grpc.aio

from tidegate_proto.model_status_pb2 import GetModelStatusRequest
from tidegate_web.errors import DeadlineExceeded, NotFound, Unavailable
from tidegate_web.prediction import ModelRef, VersionStatus
from tidegate_web.serving import wire
from tidegate_web.serving.backend import Backend
from tidegate_web.serving.balancer import Balancer
from tidegate_web.serving.faults import to_error

log = logging.getLogger(__name__)

INTERVAL_S = 1.0
"""Between two polls of one backend."""

SOON_S = 0.25
"""The same while it cannot be reached: a container restarted in place is to be back within two seconds."""

TIMEOUT_S = 2.0
"""For one answer."""


class StatusMonitor:
    """Keeps `Backend.models` and reachability current.

    Args:
        balancer: The backends; those that join or leave later are followed too.
        models: Gives the names to ask for.
        changed: Called when a backend has come, recovered, or has other versions.
    """

    def __init__(self, balancer: Balancer, models: Callable[[], Iterable[str]], changed: Callable[[], None]) -> None:
        self._balancer = balancer
        self._models = models
        self._changed = changed
        self._polls: dict[Backend, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Poll until cancelled."""
        try:
            while True:
                self._follow()
                await asyncio.sleep(SOON_S)
        finally:
            for task in self._polls.values():
                task.cancel()
            await asyncio.gather(*self._polls.values(), return_exceptions=True)

    def _follow(self) -> None:
        """Have one task for each backend in use."""
        backends = set(self._balancer.backends)
        for backend in backends - self._polls.keys():
            self._polls[backend] = asyncio.create_task(self._poll(backend))
        for backend in self._polls.keys() - backends:
            self._polls.pop(backend).cancel()

    async def _poll(self, backend: Backend) -> None:
        state = backend.state
        while True:
            try:
                answered = await self._ask(backend)
            except Exception:
                if backend not in self._balancer.backends:
                    return  # it has left meanwhile, and its channel is closed
                log.exception("status not read", extra={"backend": backend.address})
                answered = True  # it may be what it always answers: no need to hurry
            if backend.state is not state:  # by the answer, or because an ejection's time is over
                state = backend.state
                self._changed()
            await asyncio.sleep(INTERVAL_S if answered else SOON_S)

    async def _ask(self, backend: Backend) -> bool:
        """Ask for every model; gives whether the backend has answered."""
        models: dict[str, Sequence[VersionStatus]] = {}
        for name in self._models():
            request = GetModelStatusRequest(model_spec=wire.to_spec(ModelRef(name)))
            try:
                models[name] = wire.from_status(await backend.status(request, timeout=TIMEOUT_S))
            except grpc.aio.AioRpcError as failed:
                error = to_error(failed)
                if isinstance(error, Unavailable):
                    backend.health.unreachable()
                    return False
                if isinstance(error, DeadlineExceeded):
                    backend.health.unreachable(for_s=TIMEOUT_S + 2 * SOON_S)  # until the next poll's verdict
                    return False
                if isinstance(error, NotFound):
                    models[name] = []
                elif name in backend.models:
                    models[name] = backend.models[name]
        backend.health.reached()
        if backend.tell_models(models):
            log.info("versions changed", extra={"backend": backend.address, "versions": _describe(models)})
            self._changed()
        return True


def _describe(models: Mapping[str, Sequence[VersionStatus]]) -> dict[str, list[str]]:
    return {
        name: [f"{status.version} {status.state}" for status in statuses] for name, statuses in sorted(models.items())
    }
