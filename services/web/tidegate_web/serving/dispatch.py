"""One call to some model server: choose it, send, and try another where that is safe."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from tidegate_web.errors import DeadlineExceeded, NotFound, TidegateError, Unavailable
from tidegate_web.metrics import Metrics
from tidegate_web.prediction import ModelRef
from tidegate_web.serving.backend import Backend
from tidegate_web.serving.balancer import Balancer
from tidegate_web.serving.faults import to_error
from tidegate_web.serving.retry_budget import RetryBudget

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
Method = Callable[[Backend], "grpc.aio.UnaryUnaryMultiCallable[Request, Response]"]

MAX_TRIES = 3
"""Backends that one request may be sent to where none of them can be reached.

Where they answer that they have no such version or label there is no such limit: in a roll-out one may have what the
others have not, and each that has not is then left out for a while.
"""

SLOW_S = 1.0
"""A time-out says something about the backend only if it had at least this long."""

GIVE_UP_S = 0.02
"""How much earlier than a call's deadline whoever waits for it may have given up, as timers go."""

_FAULTY = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS})


class Dispatcher:
    """Sends calls over a Balancer's backends.

    Args:
        balancer: The model servers.
        metrics: Where retries are counted.
        clock: Monotonic seconds.
    """

    def __init__(self, balancer: Balancer, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._balancer = balancer
        self._metrics = metrics
        self._clock = clock
        self._budget = RetryBudget(clock)
        self._searches = RetryBudget(clock)  # what clients ask for in vain must not take the others' retries

    async def call(  # noqa: PLR0913 a call has that many sides
        self,
        model: ModelRef,
        method: "Method[Request, Response]",
        request: Request,
        timeout_s: float,
        first: Backend | None = None,
        *,
        judged: bool = True,
    ) -> tuple[Response, Backend]:
        """Call one backend after the other until one answers.

        A call that found no connection, lost it, or was cancelled by a server on its way out, has no effect on a model:
        predictions are safe to repeat. (Our own cancellation is not a gRPC error and goes straight up.)

        Args:
            model: What is asked for: backends that have it are chosen.
            method: Which of a backend's stubs.
            request: The message.
            timeout_s: For all tries together; carried to the backend.
            first: The backend to try first; the balancer's choice by default.
            judged: Whether the answer tells how the backend does its work; a question about a model does not.

        Raises:
            TidegateError: The last try's error.
        """
        deadline = self._clock() + timeout_s
        if judged:
            self._budget.count_call()
            self._searches.count_call()
        tried: list[Backend] = []
        backend = first or self._balancer.choose(self._balancer.candidates(model))
        error: TidegateError = Unavailable("No model server can answer now")
        while backend is not None:
            remaining_s = deadline - self._clock()
            if remaining_s <= 0:
                raise DeadlineExceeded("The model did not answer in time")
            try:
                response = await backend.call(method(backend), request, remaining_s)
            except asyncio.CancelledError:
                # Whoever waits gives up at the same deadline, and mostly before gRPC does
                if judged and remaining_s >= SLOW_S and self._clock() >= deadline - GIVE_UP_S:
                    backend.health.failed()
                raise
            except grpc.aio.AioRpcError as failed:
                error = to_error(failed)
                _note(backend, model, failed.code(), error, remaining_s if judged else None)
            else:
                if judged:
                    backend.health.succeeded()
                else:
                    backend.health.reached()
                return response, backend
            tried.append(backend)
            backend = self._another(model, tried, error)
        raise error

    def _another(self, model: ModelRef, tried: list[Backend], error: TidegateError) -> Backend | None:
        """Choose whom to try next; None where the error stands."""
        if not isinstance(error, NotFound) and not (isinstance(error, Unavailable) and len(tried) < MAX_TRIES):
            return None
        candidates = self._balancer.candidates(model, tried)
        budget = self._searches if isinstance(error, NotFound) else self._budget
        if not candidates or not budget.take():
            return None
        self._metrics.retries.inc()
        return self._balancer.choose(candidates)


def _note(backend: Backend, model: ModelRef, code: grpc.StatusCode, error: TidegateError, had_s: float | None) -> None:
    """Keep of a failure what it says about the backend."""
    if isinstance(error, NotFound):
        backend.lack(model)
    if isinstance(error, Unavailable):
        backend.health.unreachable()
    elif had_s is not None and (code in _FAULTY or (isinstance(error, DeadlineExceeded) and had_s >= SLOW_S)):
        backend.health.failed()
