"""The generators' benchmark compares within a round and says when the engine's promise was not kept."""

import sys

import pytest

from gateway.subjects import Subject, free_port
from generator_speed import BODY, HERE, Run, engine, rank, ratio, table, verdict


def run(rate: float, faults: tuple[str, ...] = ()) -> Run:
    return Run(rate, p50_ms=0.1, p99_ms=1, server_busy=0.5, lag_p99_ms=1.5, busy=0.3, faults=faults)


ROUNDS = {
    "engine at 20,000/s": [run(20_000), run(20_000, ("the generator lagged",))],
    "engine, fastest valid": [run(40_000), run(20_000)],
    "wrk": [run(80_000), run(50_000)],
}


def test_ratios_are_of_one_round_each():
    spread = ratio(ROUNDS, "wrk")
    assert (spread.least, spread.greatest) == pytest.approx((0.4, 0.5))


def test_a_promise_that_is_not_kept_in_one_round_is_said():
    document = {
        "rounds": {name: [vars_of(one) for one in runs] for name, runs in ROUNDS.items()},
        "engine_over": {"wrk": {"median": 0.45, "least": 0.4, "greatest": 0.5}},
    }
    assert verdict(document).endswith("the generator lagged")
    assert "| wrk | 6.5e+04 (5e+04 to 8e+04) |" in table(document)
    assert "0.45 (0.4 to 0.5)" in table(document)


def vars_of(one: Run) -> dict[str, object]:
    return {name: getattr(one, name) for name in Run.__slots__}


def test_quantiles_of_counted_times_are_by_nearest_rank():
    assert rank([(1.0, 98), (2.0, 1), (9.0, 1)], 0.5) == 1
    assert rank([(1.0, 98), (2.0, 1), (9.0, 1)], 0.99) == 2
    assert rank([(3.0, 1)], 0.99) == 3


def test_the_engine_is_measured_on_right_answers_of_the_fast_server():
    port = free_port()
    script = str(HERE / "generator" / "fast_server.py")
    subject = Subject("fast", (sys.executable, script, str(port)), port, "/v1/models/{model}:predict")
    with subject.started(core=None) as server:
        server.await_answer(BODY)
        measured = engine(server, rate=50, seconds=1)
    assert 20 < measured.rate < 90
    assert measured.lag_p99_ms is not None
    assert not any("failed" in fault for fault in measured.faults)
