"""A step says of a load what its rows say, without the warm-up, and the engine and the search fit each other."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from tests.ports import free_port
from tests.proof.failing_server import Asked, failing
from tests.proof.model_payloads import of_the_gate
from tidegate_proof.engine.generator import MOST_CONNECTIONS, Limits
from tidegate_proof.engine.models import requests_of
from tidegate_proof.engine.target import Target
from tidegate_proof.knee.offering import NS, Offering, quantile, schedule, sum_up
from tidegate_proof.knee.search import Measure
from tidegate_proof.record.knee import Step
from tidegate_proof.record.plan import GeneratorLimits, Slo
from tidegate_proof.record.requests import Requests, Row

MS = 1_000_000
SLO = Slo(latency_ms=100)
PATIENT = GeneratorLimits(max_lag_ms=1e6, max_busy=1e6, max_undispatched_share=1)
"""For tests in which a slow machine must not void a step."""


async def right(asked: Asked) -> None:
    rows = asked.body.decode().partition("[[")[2].rstrip("]}").split("], [")
    asked.answer(
        b'{"predictions": [%b]}' % b", ".join(b"[0.9, 0.1]" if row.startswith("0.0") else b"[0.1, 0.9]" for row in rows)
    )


def test_a_step_counts_what_was_intended_between_warm_up_and_end():
    rows = [Row(0, 0, 0, 5_000 * MS, 200)]  # of the warm-up, and late
    rows += [Row(index, NS + index * MS, NS + index * MS, NS + index * MS + 20 * MS, 200) for index in range(1, 91)]
    rows += [Row(91, NS + 91 * MS, NS + 91 * MS, NS + 291 * MS, 200)]
    rows += [Row(index, NS + index * MS, NS + index * MS, None, None, error="timeout") for index in range(92, 100)]
    rows += [Row(100, NS + 100 * MS, NS + 100 * MS, NS + 101 * MS, 429, error="refused")]
    rows += [Row(101, 2 * NS, error="undispatched")]
    step = sum_up(Requests.of(rows), (NS, 2 * NS), 100, SLO, ())
    assert (step.n, step.errors) == (100, {"timeout": 8, "refused": 1})
    assert step.goodput_rps == 90
    assert (step.p50_ns, step.p95_ns, step.p99_ns) == (20 * MS, None, None)
    assert step.mean_pending == pytest.approx((90 * 0.02 + 0.2 + 0.001) / 1)
    assert step.valid
    assert not sum_up(Requests.of(rows), (NS, 2 * NS), 100, SLO, ("lagged",)).valid


def test_what_was_never_answered_is_the_longest_wait_of_all():
    latency = np.arange(1, 100, dtype=np.int64)
    assert quantile(latency, 0.99, 99) == 99
    assert quantile(latency, 0.99, 100) == 99
    assert quantile(latency, 0.99, 101) is None
    assert quantile(latency[:0], 0.5, 0) is None


class Meter:
    async def cores(self, start_ns: int, end_ns: int) -> float | None:
        return (end_ns - start_ns) / NS / 2


def offering(url: str, meter: Meter | None = None) -> Offering:
    payloads = requests_of(of_the_gate(), rows=2, seed=1)
    limits = Limits(timeout_s=20, late_s=20)
    return Offering(Target.of(url), payloads, schedule("paced"), SLO, 0, limits=limits, tolerances=PATIENT, meter=meter)


async def offered(measure: Measure, *loads: float) -> list[Step]:
    return [await measure(load, 1) for load in loads]


async def test_the_engine_offers_what_the_search_asks_for_and_a_meter_tells_what_it_took():
    async with failing(right) as asked:
        steps = await offered(offering(asked.url, Meter()), 20, 40)
    assert [(step.n, step.errors, step.faults) for step in steps] == [(20, {}, ()), (40, {}, ())]
    assert [step.cores_used for step in steps] == [0.5, 0.5]
    assert all(0 < (step.mean_pending or 0) < 20 for step in steps)


def test_there_are_connections_for_all_that_is_under_way_when_nothing_is_answered():
    slow = Limits(timeout_s=3.0)
    assert slow.for_load(20) == slow
    assert slow.for_load(1000) == Limits(connections=3750, timeout_s=3.0)
    assert slow.for_load(1e6) == Limits(connections=MOST_CONNECTIONS, timeout_s=3.0)


async def test_a_target_far_beyond_what_it_can_do_is_not_taken_for_a_generator_that_lags():
    async def never(_: Asked) -> None:
        await asyncio.Event().wait()

    async with failing(never) as asked:
        few = replace(offering(asked.url), limits=Limits(connections=2, spare=2, timeout_s=1.5, late_s=20))
        step = await few(20, 1)
    assert (step.errors, step.goodput_rps) == ({"timeout": 20}, 0)


async def test_a_target_that_is_not_there_keeps_nothing():
    step = await offering(f"http://127.0.0.1:{free_port()}/")(5, 1)
    assert (step.n, step.errors, step.p50_ns, step.cores_used) == (5, {"connect": 5}, None, None)
    assert str(step) == "5 requests/s: p99 never, 5 of 5 failed"
