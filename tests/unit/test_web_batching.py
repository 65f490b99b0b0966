"""Natural batching, over a `send` that is a function: who is joined, who is harmed (nobody), who is told what."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_web.errors import BackendFault, BadInput, DeadlineExceeded, TidegateError, Unavailable
from tidegate_web.metrics import Metrics
from tidegate_web.prediction import ModelRef, Outcome, Prediction
from tidegate_web.serving.backend import Backend
from tidegate_web.serving.balancer import Balancer
from tidegate_web.serving.batcher import Batcher
from tidegate_web.serving.lane import Batching, Calls

MODEL = ModelRef("m")


def row(*values: float, **changes: Any) -> Prediction:
    inputs = {"x": np.array([[value] for value in values], np.float32)}
    return Prediction(MODEL, "serving_default", inputs, **{"batchable": True, **changes})


@dataclass
class Server:
    """Doubles each number, once `gate` is open; a negative number is refused, and spoils the call that it is in."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    calls: list[tuple[float, ...]] = field(default_factory=list)
    backends: list[str] = field(default_factory=list)
    error: TidegateError | None = None
    sums: bool = False
    cancelled: int = 0

    async def send(self, prediction: Prediction, timeout_s: float, backend: Backend | None) -> Outcome:
        numbers = prediction.inputs["x"]
        self.calls.append(tuple(map(float, numbers.ravel())))
        self.backends.append(backend.address if backend else "")
        try:
            async with asyncio.timeout(timeout_s):
                await self.gate.wait()
        except TimeoutError:
            raise DeadlineExceeded("late") from None
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        if (numbers.astype(np.float32) < 0).any():
            raise BadInput("negative")
        doubled = numbers.astype(np.float32) * 2
        return Outcome({"y": doubled.sum(keepdims=True) if self.sums else doubled}, version=1)


@dataclass
class Here:
    server: Server
    batcher: Batcher
    metrics: Metrics

    def ask(self, prediction: Prediction, timeout_s: float = 5) -> "asyncio.Task[list[float]]":
        async def answer() -> list[float]:
            outcome = await self.batcher.predict(prediction, timeout_s)
            return [float(value) for value in outcome.outputs["y"].ravel()]

        return asyncio.create_task(answer())


@asynccontextmanager
async def here(backends: int = 1, batching: Batching | None = None, **server: Any) -> AsyncIterator[Here]:
    metrics, serving = Metrics(), Server(**server)
    clock = asyncio.get_running_loop().time
    balancer = Balancer(lambda address: Backend(address, metrics, clock), grace_s=0)
    balancer.update(f"127.0.0.1:{number}" for number in range(1, backends + 1))
    batcher = Batcher(Calls(balancer, serving.send, batching or Batching(), metrics, clock))
    try:
        yield Here(serving, batcher, metrics)
    finally:
        await batcher.close()
        await balancer.close()


async def together(*asked: "asyncio.Task[list[float]]") -> list[list[float]]:
    return list(await asyncio.gather(*asked))


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_arrives_during_a_call_goes_together_as_the_next():
    async with here() as it:
        first = it.ask(row(1))
        await turns()
        others = [it.ask(row(number)) for number in (2, 3, 4)]
        await turns()
        assert it.server.calls == [(1,)]
        it.server.gate.set()
        assert await together(first, *others) == [[2], [4], [6], [8]]
        assert it.server.calls == [(1,), (2, 3, 4)]


async def test_what_the_event_loop_has_read_already_goes_together():
    async with here() as it:
        it.server.gate.set()
        assert await together(it.ask(row(1)), it.ask(row(2, 3))) == [[2], [4, 6]]
        assert it.server.calls == [(1, 2, 3)]


async def test_every_free_backend_gets_a_call_and_no_more_than_it_may():
    async with here(backends=2) as it:
        asked = []
        for number in range(4):
            asked.append(it.ask(row(number)))
            await turns()
        assert it.server.calls == [(0,), (1,)]
        assert len(set(it.server.backends)) == 2
        it.server.gate.set()
        await asyncio.gather(*asked)


@pytest.mark.parametrize(
    "other",
    [
        row(2, batchable=True, wanted=("y",)),
        Prediction(ModelRef("m", version=2), "serving_default", row(2).inputs, batchable=True),
        Prediction(ModelRef("m", label="canary"), "serving_default", row(2).inputs, batchable=True),
        Prediction(MODEL, "other", row(2).inputs, batchable=True),
        Prediction(MODEL, "serving_default", {"x": np.array([[2]], np.float64)}, batchable=True),
        Prediction(MODEL, "serving_default", {"x": np.array([[2, 2]], np.float32)}, batchable=True),
        Prediction(MODEL, "serving_default", {"x": np.array([2], np.float32)}, batchable=True),
    ],
)
async def test_only_what_is_of_one_kind_is_joined(other):
    async with here() as it:
        it.server.gate.set()
        await asyncio.gather(it.ask(row(1)), it.ask(other))
        assert len(it.server.calls) == 2


async def test_what_cannot_be_batched_goes_alone_and_waits_for_nobody():
    async with here() as it:
        asked = [it.ask(row(number, batchable=False)) for number in range(3)]
        await turns()
        assert it.server.calls == [(0,), (1,), (2,)]
        it.server.gate.set()
        assert await together(*asked) == [[0], [2], [4]]


async def test_rows_that_do_not_agree_on_their_number_are_never_joined_with_anothers():
    def uneven(x: int, z: int) -> Prediction:
        inputs = {"x": np.ones((x, 1), np.float32), "z": np.ones((z, 1), np.float32)}
        return Prediction(MODEL, "serving_default", inputs, batchable=True)

    async with here() as it:
        first = it.ask(uneven(1, 1))
        await turns()
        others = [it.ask(uneven(2, 1)), it.ask(uneven(1, 2)), it.ask(uneven(1, 1)), it.ask(uneven(1, 1))]
        await turns()
        it.server.gate.set()
        await together(first, *others)
        assert sorted(map(len, it.server.calls)) == [1, 1, 2, 2]


async def test_a_call_holds_no_more_rows_than_it_may():
    async with here(batching=Batching(max_rows=4)) as it:
        it.server.gate.set()
        asked = [it.ask(row(*range(size))) for size in (3, 1, 2, 3, 9)]
        await asyncio.gather(*asked)
        assert sorted(map(len, it.server.calls)) == [2, 3, 4, 9]


@given(st.lists(st.integers(-1, 3), min_size=1, max_size=12))
def test_a_bad_row_does_not_fail_its_neighbours(numbers):
    async def check() -> None:
        async with here() as it:
            it.server.gate.set()
            answers = await asyncio.gather(*(it.ask(row(number)) for number in numbers), return_exceptions=True)
            for number, answer in zip(numbers, answers, strict=True):
                if number < 0:
                    assert isinstance(answer, BadInput)
                else:
                    assert answer == [2 * number]

    asyncio.run(check())


async def test_outputs_without_a_row_for_each_input_row_are_asked_for_one_by_one_from_then_on():
    async with here(sums=True) as it:
        it.server.gate.set()
        assert await together(it.ask(row(1)), it.ask(row(2))) == [[2], [4]]
        assert it.server.calls == [(1, 2), (1,), (2,)]
        assert await together(it.ask(row(3)), it.ask(row(4))) == [[6], [8]]
        assert it.server.calls[3:] == [(3,), (4,)]


@pytest.mark.parametrize("error", [Unavailable("away"), DeadlineExceeded("late")])
async def test_what_is_not_about_a_row_is_everybodys_error_and_is_not_asked_again(error):
    async with here(error=error) as it:
        it.server.gate.set()
        answers = await asyncio.gather(it.ask(row(1)), it.ask(row(2)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [type(error)] * 2
        assert len(it.server.calls) == 1


async def test_a_fault_of_the_model_server_is_looked_into_row_by_row():
    async with here(error=BackendFault("broken")) as it:
        it.server.gate.set()
        answers = await asyncio.gather(it.ask(row(1)), it.ask(row(2)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [BackendFault] * 2
        assert it.server.calls == [(1, 2), (1,), (2,)]


async def test_a_client_that_left_takes_its_row_out_of_the_queue():
    async with here() as it:
        first = it.ask(row(1))
        await turns()
        leaving, staying = it.ask(row(2)), it.ask(row(3))
        await turns()
        leaving.cancel()
        await turns()
        it.server.gate.set()
        assert await together(first, staying) == [[2], [6]]
        assert it.server.calls == [(1,), (3,)]


async def test_a_call_that_nobody_waits_for_is_cancelled_and_its_place_is_free():
    async with here() as it:
        leaving = [it.ask(row(1)), it.ask(row(2))]
        await turns()
        leaving[0].cancel()
        await turns()
        assert it.server.cancelled == 0
        leaving[1].cancel()
        staying = it.ask(row(3))
        await turns()
        assert it.server.cancelled == 1
        it.server.gate.set()
        assert await staying == [6]


@pytest.mark.parametrize("moment", range(6))
async def test_whoever_leaves_at_whichever_turn_of_the_event_loop_the_next_is_answered(moment):
    async with here() as it:
        leaving = it.ask(row(1))
        await turns(moment)
        leaving.cancel()
        it.server.gate.set()
        assert await asyncio.wait_for(it.ask(row(2)), 5) == [4]


async def test_each_waiter_has_a_deadline_of_its_own():
    async with here() as it:
        patient, hasty = it.ask(row(1), timeout_s=5), it.ask(row(2), timeout_s=0.02)
        queued = it.ask(row(3), timeout_s=0.02)
        with pytest.raises(DeadlineExceeded):
            await hasty
        with pytest.raises(DeadlineExceeded):
            await queued
        assert not patient.done()
        it.server.gate.set()
        assert await patient == [2]


async def test_a_row_whose_time_runs_out_in_the_queue_never_reaches_a_model_server():
    async with here() as it:
        first = it.ask(row(1))
        await turns()
        late = it.ask(row(2), timeout_s=0.01)
        with pytest.raises(DeadlineExceeded):
            await late
        it.server.gate.set()
        await first
        await turns()
        assert it.server.calls == [(1,)]
        assert it.metrics.registry.get_sample_value("tidegate_shed_total", {"reason": "deadline"}) == 1


async def test_without_any_backend_the_sender_says_so():
    async with here(backends=0, error=Unavailable("nobody")) as it:
        it.server.gate.set()
        with pytest.raises(Unavailable):
            await it.ask(row(1))


async def test_who_waits_when_the_gateway_stops_is_told():
    async with here() as it:
        asked = [it.ask(row(1)), it.ask(row(2))]
        await turns()
        await it.batcher.close()
        for task in asked:
            with pytest.raises(Unavailable):
                await task


async def test_one_bad_row_among_many_costs_a_few_calls():
    async with here() as it:
        it.server.gate.set()
        answers = await asyncio.gather(*(it.ask(row(n if n != 40 else -1)) for n in range(64)), return_exceptions=True)
        assert [n for n, answer in enumerate(answers) if isinstance(answer, BadInput)] == [40]
        assert len(it.server.calls) == 13  # the whole, and two halves of each of six


async def test_rows_that_are_none_stop_nobody():
    async with here() as it:
        it.server.gate.set()
        none = Prediction(MODEL, "serving_default", {"x": np.zeros((0, 1), np.float32)}, batchable=True)
        assert await it.ask(none) == []
        assert await asyncio.wait_for(it.ask(row(1)), 5) == [2]


async def test_who_is_in_a_call_that_is_cancelled_from_outside_is_told():
    """As gRPC does when a channel closes."""
    async with here() as it:
        asked = it.ask(row(1))
        await turns()
        (batch,) = next(iter(it.batcher._lanes.values()))._batches  # noqa: SLF001 nobody outside can cancel a call
        assert batch.task is not None
        batch.task.cancel()
        with pytest.raises(Unavailable):
            await asyncio.wait_for(asked, 5)


async def test_idle_kinds_are_not_kept_for_ever():
    async with here() as it:
        it.server.gate.set()
        for number in range(600):
            prediction = Prediction(ModelRef(f"m{number}"), "s", row(1).inputs, batchable=True)
            await it.batcher.predict(prediction, 5)
        assert len(it.batcher._lanes) <= 256  # noqa: SLF001 memory shows nowhere else


async def test_leaving_at_any_moment_harms_nobody():
    """Clients come and go at random moments of others' calls; who stays is answered right."""
    async with here(backends=2) as it:
        it.server.gate.set()
        rng = np.random.default_rng(5)
        asked: list[asyncio.Task[list[float]]] = []
        for number in range(400):
            asked.append(it.ask(row(number)))
            if rng.random() < 0.3:
                asked[rng.integers(len(asked))].cancel()
            if rng.random() < 0.5:
                await turns(int(rng.integers(4)))
        for number, task in enumerate(asked):
            with suppress(asyncio.CancelledError):
                assert await task == [2 * number]
        assert sum(not task.cancelled() for task in asked) > 200
