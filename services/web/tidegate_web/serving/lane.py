"""One kind of prediction: those who wait for their turn, and the joined calls in flight."""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from tidegate_web.errors import BackendFault, BadInput, DeadlineExceeded, TidegateError, Unavailable
from tidegate_web.metrics import Metrics
from tidegate_web.prediction import Answered, ModelRef, Outcome, Prediction
from tidegate_web.serving.backend import Backend
from tidegate_web.serving.balancer import Balancer

Send = Callable[[Prediction, float, Backend | None], Awaitable[Outcome]]

SMOOTHING = 0.2
"""Weight of the newest call in the averages."""


@dataclass(frozen=True, slots=True)
class Batching:
    """How predictions are joined.

    Attributes:
        max_rows: Most rows of one call; 1 joins none.
        calls_per_backend: Calls of one kind in flight to each backend while others wait.
    """

    max_rows: int = 64
    calls_per_backend: int = 1


@dataclass(frozen=True, slots=True)
class Calls:
    """What lanes make their calls with.

    Attributes:
        balancer: Tells which backends may be called.
        send: Sends one prediction within so many seconds, first to the backend given.
        batching: How predictions are joined.
        metrics: Where batches and refusals are counted.
        clock: Monotonic seconds.
    """

    balancer: Balancer
    send: Send
    batching: Batching
    metrics: Metrics
    clock: Callable[[], float]


class UnjoinableError(Exception):
    """The model's answer to a joined call cannot be told apart by rows."""


@dataclass(slots=True, eq=False)
class Batch:
    """Waiters that go as one call.

    Attributes:
        waiters: All of them, in the order of their rows.
        waiting: How many have not left.
        task: Makes the call.
    """

    waiters: "list[Waiter]"
    waiting: int
    task: "asyncio.Task[None] | None" = None


@dataclass(slots=True, eq=False)
class Waiter:
    """A prediction that waits, first for its turn (no batch yet), then for its answer.

    Attributes:
        prediction: What is asked.
        arrived: When it came.
        deadline: Until when it waits.
        answered: Takes the answer; None once it has been called, or the client has left.
        batch: The call that it is in.
    """

    prediction: Prediction
    arrived: float
    deadline: float
    answered: Answered | None
    batch: Batch | None = None

    def answer(self, answer: Outcome | Exception) -> None:
        """Answer, once."""
        answered, self.answered = self.answered, None
        if answered is not None:
            answered(answer)


class Lane:
    """Joins predictions of one kind.

    Args:
        model: Whom they ask for.
        calls: What it makes its calls with.
    """

    def __init__(self, model: ModelRef, calls: Calls) -> None:
        self._model = model
        self._balancer = calls.balancer
        self._send = calls.send
        self._batching = calls.batching
        self._metrics = calls.metrics
        self._clock = calls.clock
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Waiter] = deque()
        self._in_flight: dict[Backend, int] = {}
        self._batches: set[Batch] = set()
        self._scheduled = False
        self._joinable = True
        self._wakes_at = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._call_s = 0.0
        self._call_rows = 1.0

    @property
    def idle(self) -> bool:
        """Whether nobody waits here."""
        return not self._queue and not self._batches

    async def predict(self, prediction: Prediction, timeout_s: float) -> Outcome:
        """Answer a prediction with the others of its kind.

        Raises:
            TidegateError: As `send`; DeadlineExceeded when its time ran out.
        """
        answer: asyncio.Future[Outcome] = self._loop.create_future()
        take_back = self.submit(prediction, timeout_s, partial(_settle, answer))
        if take_back is None:
            return await self._send(prediction, timeout_s, None)
        try:
            return await answer
        except asyncio.CancelledError:
            take_back()
            raise

    def submit(self, prediction: Prediction, timeout_s: float, answered: Answered) -> Callable[[], None] | None:
        """Let a prediction wait for its turn, and call back; None where it is not to be joined with others."""
        if not self._joinable:
            return None
        now = self._clock()
        waiter = Waiter(prediction, now, now + timeout_s, answered)
        self._queue.append(waiter)
        self._wake(waiter.deadline)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._pump)
        return partial(self._leave, waiter)

    def schedule(self) -> None:
        """Look for a free backend once the requests that the event loop has read already have joined the queue."""
        if self._queue and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._pump)

    async def close(self) -> None:
        """Cancel the calls in flight; nobody waits on."""
        waiters = [*self._queue, *(waiter for batch in self._batches for waiter in batch.waiters)]
        self._queue.clear()
        _fail(waiters, Unavailable("The gateway stops"))
        tasks = [batch.task for batch in self._batches if batch.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _pump(self) -> None:
        self._scheduled = False
        while self._queue:
            candidates = self._balancer.candidates(self._model)
            free = [
                backend for backend in candidates if self._in_flight.get(backend, 0) < self._batching.calls_per_backend
            ]
            if candidates and not free:
                return  # the next call that returns looks again
            if waiters := self._take():
                self._start(waiters, self._balancer.choose(free))

    def _take(self) -> list[Waiter]:
        """Take from the queue what goes as the next call.

        Who has waited so long that the answer would come too late is told so now: its row would cost the others time.
        """
        taken: list[Waiter] = []
        rows = 0
        while self._queue and (not taken or rows + self._queue[0].prediction.rows <= self._batching.max_rows):
            waiter = self._queue.popleft()
            taken.append(waiter)
            rows += waiter.prediction.rows
        now = self._clock()
        needed_s = self._call_s * max(1.0, rows / max(1.0, self._call_rows))  # calls may have no rows
        late = [waiter for waiter in taken if waiter.deadline - now < needed_s < now - waiter.arrived]
        for waiter in late:
            self._shed(waiter)
        return [waiter for waiter in taken if waiter not in late] if late else taken

    def _start(self, waiters: list[Waiter], backend: Backend | None) -> None:
        batch = Batch(waiters, len(waiters))
        for waiter in waiters:
            waiter.batch = batch
        if backend is not None:
            self._in_flight[backend] = self._in_flight.get(backend, 0) + 1
        self._batches.add(batch)
        batch.task = self._loop.create_task(self._call(waiters, backend))
        # Not at the end of the call itself: one that is cancelled before its first step never comes there
        batch.task.add_done_callback(partial(self._end, batch, backend))

    async def _call(self, waiters: list[Waiter], backend: Backend | None) -> None:
        """Make one call for some waiters, and answer each for itself."""
        sent = self._clock()
        try:
            outcome = await self._send(_join(waiters), max(waiter.deadline for waiter in waiters) - sent, backend)
            self._measure(self._clock() - sent, sum(waiter.prediction.rows for waiter in waiters))
            _answer(waiters, outcome, sent)
        except UnjoinableError:
            self._joinable = False
            for waiter in waiters:
                self._again([waiter])
        except (BadInput, BackendFault) as error:
            if len(waiters) == 1:
                _fail(waiters, error)
            else:
                self._again(waiters[: len(waiters) // 2])
                self._again(waiters[len(waiters) // 2 :])
        except TidegateError as error:
            _fail(waiters, error)
        except Exception as error:  # noqa: BLE001 whatever it is, nobody may wait for ever
            _fail(waiters, error)

    def _end(self, batch: Batch, backend: Backend | None, _: "asyncio.Task[None]") -> None:
        self._batches.discard(batch)
        for waiter in batch.waiters:
            if waiter.batch is batch:  # gRPC cancels a call by itself when its channel closes: nobody may wait for ever
                waiter.answer(Unavailable("No model server can answer now"))
        if backend is not None:
            left = self._in_flight.pop(backend) - 1
            if left:
                self._in_flight[backend] = left
        self.schedule()

    def _again(self, waiters: Sequence[Waiter]) -> None:
        """Send some of a call that failed by themselves: halving finds who is to blame in a few calls."""
        if still := [waiter for waiter in waiters if waiter.answered is not None]:
            self._start(still, None)

    def _measure(self, took_s: float, rows: int) -> None:
        self._metrics.batch_rows.observe(rows)
        if not self._call_s:
            self._call_s, self._call_rows = took_s, float(rows)
        self._call_s += SMOOTHING * (took_s - self._call_s)
        self._call_rows += SMOOTHING * (rows - self._call_rows)

    def _wake(self, deadline: float) -> None:
        """See to it that somebody looks when a deadline has come. One timer serves all: deadlines mostly rise."""
        if deadline < self._wakes_at:
            if self._timer is not None:
                self._timer.cancel()
            self._wakes_at = deadline
            self._timer = self._loop.call_later(max(0.0, deadline - self._clock()), self._expire)

    def _expire(self) -> None:
        """Tell those whose time has run out."""
        self._wakes_at, self._timer = math.inf, None
        now = self._clock()
        waiting = [*self._queue, *(waiter for batch in self._batches for waiter in batch.waiters)]
        for waiter in waiting:
            if waiter.answered is None:
                continue
            if waiter.deadline > now:
                self._wake(waiter.deadline)
            elif waiter.batch is None:
                self._queue.remove(waiter)
                self._shed(waiter)
            else:
                waiter.answer(DeadlineExceeded("The model did not answer in time"))
                self._leave_batch(waiter.batch)

    def _shed(self, waiter: Waiter) -> None:
        self._metrics.shed.labels("deadline").inc()
        waiter.answer(DeadlineExceeded("The request's time ran out, or would have, while it waited for its turn"))

    def _leave(self, waiter: Waiter) -> None:
        """Take out who no longer waits."""
        if waiter.answered is None:
            return
        waiter.answered = None
        if waiter.batch is None:
            self._queue.remove(waiter)
        else:
            self._leave_batch(waiter.batch)

    def _leave_batch(self, batch: Batch) -> None:
        """Cancel a call that nobody waits for any more."""
        batch.waiting -= 1
        if not batch.waiting and batch.task is not None:
            batch.task.cancel()


def _settle(future: "asyncio.Future[Outcome]", answer: Outcome | Exception) -> None:
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def _join(waiters: Sequence[Waiter]) -> Prediction:
    first = waiters[0].prediction
    if len(waiters) == 1:
        return first
    inputs = {name: np.concatenate([waiter.prediction.inputs[name] for waiter in waiters]) for name in first.inputs}
    return replace(first, inputs=inputs)


def _answer(waiters: Sequence[Waiter], outcome: Outcome, sent: float) -> None:
    """Give each waiter its rows.

    Raises:
        UnjoinableError: The outputs do not have a row for each of the inputs'.
    """
    rows = sum(waiter.prediction.rows for waiter in waiters)
    if len(waiters) > 1 and any(array.shape[:1] != (rows,) for array in outcome.outputs.values()):
        raise UnjoinableError
    start = 0
    for waiter in waiters:
        end = start + waiter.prediction.rows
        if waiter.answered is not None:
            outputs = outcome.outputs
            if len(waiters) > 1:
                outputs = {name: array[start:end] for name, array in outputs.items()}
            timings = {"queue": sent - waiter.arrived, **outcome.timings}
            waiter.answer(Outcome(outputs, version=outcome.version, backend=outcome.backend, timings=timings))
        start = end


def _fail(waiters: Sequence[Waiter], error: Exception) -> None:
    for waiter in waiters:
        waiter.answer(error)
