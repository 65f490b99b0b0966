"""A limit that is for each model server grows and shrinks with their number; nobody overtakes who waited before."""

import asyncio

import numpy as np
import pytest

from tidegate_web.admission import AdmittedPredictor
from tidegate_web.errors import Overloaded
from tidegate_web.metrics import Metrics
from tidegate_web.prediction import ModelRef, Outcome, Prediction
from tidegate_web.status.reading import Limits

ROW = {"inputs": np.zeros((1, 2), np.float32)}
QUESTION = Prediction(ModelRef("and_gate"), "serving_default", ROW)


@pytest.fixture
def backends():
    return ["a"]


@pytest.fixture
def held():
    return asyncio.Event()


@pytest.fixture
def admitted(fake_predictor, held, backends):
    limits = Limits(inflight=1, queue=1, per_backend=True)
    predictor = fake_predictor(held=held, values=[0.0])
    return AdmittedPredictor(predictor, limits.inflight, limits.queue, Metrics(), lambda: limits.times(len(backends)))


async def asked(admitted: AdmittedPredictor, count: int) -> list[asyncio.Task[Outcome]]:
    tasks = [asyncio.create_task(admitted.predict(QUESTION, 5)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_each_model_server_that_comes_lets_one_more_come_to_work_and_those_who_wait_are_first(
    admitted, held, backends
):
    at_work, waits = await asked(admitted, 2)
    with pytest.raises(Overloaded, match="1 predictions are at work and 1 wait"):
        await admitted.predict(QUESTION, 5)
    backends += ["b", "c"]
    (last,) = await asked(admitted, 1)  # would have been refused; now it and who was before it have work
    (late,) = await asked(admitted, 1)
    with pytest.raises(Overloaded, match="3 predictions are at work and 1 wait"):
        await admitted.predict(QUESTION, 5)
    held.set()
    await asyncio.gather(at_work, waits, last, late)


async def test_when_one_goes_no_more_come_to_work_than_those_left_may_have(admitted, held, backends):
    backends += ["b", "c"]
    tasks = await asked(admitted, 4)
    backends[:] = ["a"]
    with pytest.raises(Overloaded, match="3 predictions are at work and 1 wait"):
        await admitted.predict(QUESTION, 5)
    held.set()
    await asyncio.gather(*tasks)


async def test_without_any_model_server_one_is_let_in_to_hear_why(admitted, held, backends):
    backends.clear()
    (task,) = await asked(admitted, 1)
    held.set()
    await task


def test_a_limit_for_all_is_the_same_whatever_comes():
    assert Limits(32, 64).at_work(9) == 32
    assert Limits(32, 64, per_backend=True).at_work(9) == 288
