"""Whom the data path trusts, with a clock of the test's."""

from dataclasses import dataclass

import pytest

from tidegate_web.serving.health import CONSECUTIVE, EJECTED_S, LONGEST_EJECTION_S, UNREACHABLE_S, Health, State
from tidegate_web.serving.retry_budget import RESERVE, WINDOW_S, RetryBudget


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def state(health: Health) -> State:
    return health.state


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_who_cannot_be_reached_is_left_alone_until_a_probe_or_the_time_is_over(clock):
    health = Health(clock)
    health.unreachable()
    assert state(health) is State.UNREACHABLE
    health.reached()
    assert state(health) is State.READY
    health.unreachable()
    clock.now += UNREACHABLE_S
    assert state(health) is State.READY


def test_failures_in_a_row_eject_and_one_success_between_them_does_not(clock):
    health = Health(clock)
    for _ in range(CONSECUTIVE - 1):
        health.failed()
    health.succeeded()
    for _ in range(CONSECUTIVE - 1):
        health.failed()
    assert state(health) is State.READY
    health.failed()
    assert state(health) is State.EJECTED


def test_a_probe_does_not_end_an_ejection(clock):
    health = Health(clock)
    for _ in range(CONSECUTIVE):
        health.failed()
    health.reached()
    assert state(health) is State.EJECTED


def test_each_ejection_is_longer_than_the_last_up_to_a_limit_and_a_success_forgives(clock):
    health = Health(clock)
    for _ in range(CONSECUTIVE):
        health.failed()
    length = EJECTED_S
    for _ in range(8):
        clock.now += length * 0.99
        assert state(health) is State.EJECTED
        clock.now += length * 0.02
        assert state(health) is State.READY  # one call is let through, and fails
        health.failed()
        length = min(2 * length, LONGEST_EJECTION_S)
    clock.now += LONGEST_EJECTION_S
    health.succeeded()
    for _ in range(CONSECUTIVE):
        health.failed()
    clock.now += EJECTED_S * 1.01
    assert state(health) is State.READY


def test_few_calls_have_a_reserve_of_retries(clock):
    budget = RetryBudget(clock)
    assert [budget.take() for _ in range(RESERVE + 2)] == [True] * RESERVE + [False] * 2


def test_many_calls_allow_a_tenth_of_them_again(clock):
    budget = RetryBudget(clock)
    for _ in range(500):
        budget.count_call()
        clock.now += 0.001
    assert sum(budget.take() for _ in range(200)) == 50


def test_the_budget_is_of_the_last_seconds(clock):
    budget = RetryBudget(clock)
    for _ in range(500):
        budget.count_call()
    assert sum(budget.take() for _ in range(200)) == 50
    clock.now += WINDOW_S + 1
    assert sum(budget.take() for _ in range(200)) == RESERVE
