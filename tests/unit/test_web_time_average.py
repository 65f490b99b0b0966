"""The exact mean of a stepwise value over the last 15 seconds."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_web.time_average import GRAIN_S, WINDOW_S, TimeAverage


def mean(steps: list[tuple[float, float]], now: float) -> float:
    """The mean by definition: steps are (time, change), in order."""
    value, total = 0.0, 0.0
    times = [time for time, _ in steps] + [now]
    for (time, change), until in zip(steps, itertools.islice(times, 1, None), strict=True):
        value += change
        start = max(time, now - WINDOW_S)
        total += value * max(0.0, until - start)
    return total / WINDOW_S


gaps = st.lists(st.tuples(st.floats(0, 20), st.integers(-3, 5)), min_size=1, max_size=40)


@given(gaps, st.floats(0, 40))
def test_it_is_the_integral_by_definition_but_for_a_grain(changes, wait):
    now = 100.0
    average = TimeAverage(lambda: now)
    steps = []
    for gap, change in changes:
        now += gap
        average.add(change)
        steps.append((now, float(change)))
    now += wait
    largest = sum(abs(change) for _, change in steps)
    assert average.average() == pytest.approx(mean(steps, now), abs=largest * 2 * GRAIN_S / WINDOW_S + 1e-9)


def test_a_constant_load_is_its_own_mean_after_one_window():
    now = 0.0
    average = TimeAverage(lambda: now)
    average.add(4)
    now = WINDOW_S
    assert average.average() == pytest.approx(4)
    now = 1e6
    assert average.average() == pytest.approx(4)


def test_a_load_that_ended_leaves_the_window():
    now = 0.0
    average = TimeAverage(lambda: now)
    average.add(4)
    now = 10.0
    average.add(-4)
    now = 20.0
    assert average.average() == pytest.approx(4 * 5 / 15)
    now = 25.0
    assert average.average() == pytest.approx(0, abs=1e-9)


def test_memory_is_bounded_however_many_changes_come():
    now = 0.0
    average = TimeAverage(lambda: now)
    for _ in range(200_000):
        now += 0.001
        average.add(1)
        average.add(-1)
    assert len(average._checkpoints) <= 2 * WINDOW_S / GRAIN_S + 4  # noqa: SLF001 memory is what is tested
