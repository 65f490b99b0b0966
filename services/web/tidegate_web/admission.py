"""A limit on predictions at work, with a bounded queue before it."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from tidegate_web.errors import DeadlineExceeded, Overloaded
from tidegate_web.metrics import Metrics
from tidegate_web.prediction import (
    Answered,
    Classified,
    ExampleQuery,
    ModelMetadata,
    ModelRef,
    Outcome,
    Prediction,
    QuickPredictor,
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
        times: How often `limit` counts, at least once; where it is for each model server, how many there are.
    """

    def __init__(
        self,
        predictor: QuickPredictor,
        limit: int,
        queue: int,
        metrics: Metrics,
        times: Callable[[], int] = lambda: 1,
    ) -> None:
        self._predictor = predictor
        self._limit = limit
        self._queue = queue
        self._times = times
        self._at_work = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._metrics = metrics

    def refuse_when_full(self) -> None:
        """Turn a request away at the door, before its body is read.

        Raises:
            Overloaded: It would find the queue full.
        """
        self._admit()  # model servers may have come
        if self._has_room():
            return
        if len(self._waiting) >= self._queue:
            self.count_refusal("queue_full")
            raise Overloaded(f"{self._at_work} predictions are at work and {len(self._waiting)} wait: try again soon")

    def _has_room(self) -> bool:
        """Whether one more may be at work, and nobody was there before it."""
        return self._at_work < self._limit * self._times() and not self._waiting

    def count_refusal(self, reason: str) -> None:
        """Count a request that was turned away before any work."""
        self._metrics.shed.labels(reason).inc()

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

    def known_metadata(self, model: ModelRef) -> ModelMetadata | None:
        """Ask the other Predictor."""
        return self._predictor.known_metadata(model)

    def submit(self, prediction: Prediction, timeout_s: float, answered: Answered) -> Callable[[], None] | None:
        """Begin to answer where nobody waits for a turn, and call back; None where `predict` has to wait."""
        if not self._has_room():
            return None
        rows = prediction.rows

        def settle(answer: Outcome | Exception) -> None:
            self._done(rows)
            answered(answer if isinstance(answer, Exception) else self._waited(answer, 0.0))

        take_back = self._predictor.submit(prediction, timeout_s, settle)
        if take_back is None:
            return None
        self._at_work += 1
        self._metrics.pending.add(rows)

        def give_up() -> None:
            take_back()
            self._done(rows)

        return give_up

    def _done(self, rows: int) -> None:
        self._metrics.pending.add(-rows)
        self._leave()

    async def _in_turn(
        self, answer: Callable[[Query, float], Awaitable[AReply]], query: Query, rows: int, timeout_s: float
    ) -> AReply:
        self.refuse_when_full()
        self._metrics.pending.add(rows)
        try:
            if self._has_room():
                self._at_work += 1
                waited_s = 0.0
            else:
                waited_s = await self._turn(timeout_s)
            try:
                reply = await answer(query, timeout_s - waited_s)
            finally:
                self._leave()
        finally:
            self._metrics.pending.add(-rows)
        return self._waited(reply, waited_s)

    def _waited(self, reply: AReply, waited_s: float) -> AReply:
        """Add the wait here to what a batch waited for its turn behind it, and count both."""
        queued_s = reply.timings.get("queue")
        if waited_s or queued_s is None:
            queued_s = waited_s + (queued_s or 0.0)
            reply = replace(reply, timings={"queue": 0.0, **reply.timings} | {"queue": queued_s})
        self._metrics.queue_wait.observe(queued_s)
        return reply

    async def _turn(self, timeout_s: float) -> float:
        """Wait for a place among those at work; gives the seconds it took."""
        started = time.monotonic()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(timeout_s):
                await turn
        except TimeoutError:
            self._give_up(turn)
            self.count_refusal("deadline")
            raise DeadlineExceeded("The request's time ran out while it waited for its turn") from None
        except asyncio.CancelledError:
            self._give_up(turn)
            raise
        return time.monotonic() - started

    def _give_up(self, turn: "asyncio.Future[None]") -> None:
        """Leave the queue; a turn that came at the same moment is the next one's."""
        if turn.cancelled():
            with contextlib.suppress(ValueError):  # somebody who left has passed it over already
                self._waiting.remove(turn)
        else:
            self._leave()

    def _leave(self) -> None:
        self._at_work -= 1
        self._admit()

    def _admit(self) -> None:
        """Give the free places to those who wait, in their order."""
        limit = self._limit * self._times()
        while self._waiting and self._at_work < limit:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._at_work += 1

    async def metadata(self, model: ModelRef, timeout_s: float) -> ModelMetadata:
        """Ask the other Predictor; it costs a model server nothing worth limiting."""
        return await self._predictor.metadata(model, timeout_s)

    async def status(self, model: ModelRef, timeout_s: float) -> Sequence[VersionStatus]:
        """Ask the other Predictor."""
        return await self._predictor.status(model, timeout_s)
