"""A static limit on predictions at work, with a bounded queue before it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

from tidegate_web.errors import DeadlineExceeded, Overloaded
from tidegate_web.metrics import Metrics
from tidegate_web.prediction import (
    Classified,
    ExampleQuery,
    ModelMetadata,
    ModelRef,
    Outcome,
    Prediction,
    Predictor,
    Regressed,
    Reply,
    VersionStatus,
)

Query = TypeVar("Query")
AReply = TypeVar("AReply", bound=Reply)


class AdmittedPredictor:
    """Lets so many predictions through to another Predictor, lets so many wait, and turns the rest away at once.

    Args:
        predictor: What answers them.
        limit: How many may be at work.
        queue: How many may wait.
        metrics: Where pending rows, waits and refusals are counted.
    """

    def __init__(self, predictor: Predictor, limit: int, queue: int, metrics: Metrics) -> None:
        self._predictor = predictor
        self._slots = asyncio.Semaphore(limit)
        self._limit = limit
        self._queue = queue
        self._waiting = 0
        self._metrics = metrics

    def refuse_when_full(self) -> None:
        """Turn a request away at the door, before its body is read.

        Raises:
            Overloaded: It would find the queue full.
        """
        if self._slots.locked() and self._waiting >= self._queue:
            self._metrics.shed.labels("queue_full").inc()
            raise Overloaded(f"{self._limit} predictions are at work and {self._queue} wait: try again soon")

    def models(self) -> Sequence[str]:
        """Ask the other Predictor."""
        return self._predictor.models()

    def route(self, model: ModelRef, client: str) -> ModelRef:
        """Ask the other Predictor."""
        return self._predictor.route(model, client)

    async def predict(self, prediction: Prediction, timeout_s: float) -> Outcome:
        """Answer a prediction in its turn; the time-out covers wait and work.

        Raises:
            Overloaded: The queue is full.
            DeadlineExceeded: The turn did not come in time.
        """
        return await self._in_turn(self._predictor.predict, prediction, prediction.rows, timeout_s)

    async def classify(self, query: ExampleQuery, timeout_s: float) -> Classified:
        """Answer in its turn, as `predict`."""
        return await self._in_turn(self._predictor.classify, query, len(query.examples), timeout_s)

    async def regress(self, query: ExampleQuery, timeout_s: float) -> Regressed:
        """Answer in its turn, as `predict`."""
        return await self._in_turn(self._predictor.regress, query, len(query.examples), timeout_s)

    async def _in_turn(
        self, answer: Callable[[Query, float], Awaitable[AReply]], query: Query, rows: int, timeout_s: float
    ) -> AReply:
        self.refuse_when_full()
        with self._metrics.pending_predictions(rows):
            async with self._slot(timeout_s) as waited_s:
                reply = await answer(query, timeout_s - waited_s)
        return replace(reply, timings={"queue": waited_s, **reply.timings})

    async def metadata(self, model: ModelRef, timeout_s: float) -> ModelMetadata:
        """Ask the other Predictor; it costs a model server nothing worth limiting."""
        return await self._predictor.metadata(model, timeout_s)

    async def status(self, model: ModelRef, timeout_s: float) -> Sequence[VersionStatus]:
        """Ask the other Predictor."""
        return await self._predictor.status(model, timeout_s)

    @asynccontextmanager
    async def _slot(self, timeout_s: float) -> AsyncIterator[float]:
        """Hold a place among those at work; gives the seconds waited for it."""
        started = time.monotonic()  # uvloop's own clock counts whole milliseconds
        self._waiting += 1
        try:
            async with asyncio.timeout(timeout_s):
                await self._slots.acquire()
        except TimeoutError:
            self._metrics.shed.labels("deadline").inc()
            raise DeadlineExceeded("The request's time ran out while it waited for its turn") from None
        finally:
            self._waiting -= 1
        waited_s = time.monotonic() - started
        self._metrics.queue_wait.observe(waited_s)
        try:
            yield waited_s
        finally:
            self._slots.release()
