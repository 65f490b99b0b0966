"""A static limit on predictions at work, with a bounded queue before it."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from tidegate_web.errors import DeadlineExceeded, Overloaded
from tidegate_web.metrics import Metrics
from tidegate_web.prediction import ModelMetadata, ModelRef, Outcome, Prediction, Predictor, VersionStatus


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

    async def predict(self, prediction: Prediction, timeout_s: float) -> Outcome:
        """Answer a prediction in its turn; the time-out covers wait and work.

        Raises:
            Overloaded: The queue is full.
            DeadlineExceeded: The turn did not come in time.
        """
        self.refuse_when_full()
        with self._metrics.pending_predictions(prediction.rows):
            async with self._slot(timeout_s) as waited_s:
                outcome = await self._predictor.predict(prediction, timeout_s - waited_s)
        return replace(outcome, timings={"queue": waited_s, **outcome.timings})

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
