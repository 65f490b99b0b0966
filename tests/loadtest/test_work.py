"""The checksums of the model `work`, worked out without it."""

import random

import pytest

import work


def literally(seed: int, iterations: int) -> int:
    """As the model does it: whole matrices, step by step."""
    side = range(work.SIDE)
    numbers, state = [], 1
    for _ in range(work.SIDE**2):
        state = (1103515245 * state + 12345) % 2**31
        numbers.append((state >> 16) % work.PRIME)
    step = [numbers[row * work.SIDE : (row + 1) * work.SIDE] for row in side]
    now = [[(seed + 7 * row + 13 * column) % work.PRIME for column in side] for row in side]
    for _ in range(iterations):
        columns = list(zip(*now, strict=True))
        now = [
            [sum(map(int.__mul__, row, column)) % work.PRIME for column in columns]
            for row in step
        ]  # fmt: skip
    return sum(map(sum, now)) % work.PRIME


@pytest.mark.parametrize(("seed", "iterations"), [(0, 0), (7, 1), (250, 3), (1234, 4)])
def test_a_checksum_is_the_one_of_the_matrices(seed, iterations):
    assert work.expected((seed, iterations)) == literally(seed, iterations)


def test_rows_have_the_iterations_that_are_asked_for_or_a_mix():
    assert {iterations for _, iterations in work.draw(50, random.Random(1), 200)} == {200}
    assert {iterations for _, iterations in work.draw(50, random.Random(1))} == set(work.MIX)


@pytest.mark.parametrize(
    ("sums", "problem"),
    [
        (None, ""),
        ([1], "expected 2 checksums, came [1]"),
        ("no", "expected 2 checksums"),
        ([0.0, 0.0], "wrong checksum for seed and iterations (0, 1): expected 244, came 0.0"),
        ([244, 3], "wrong checksum for seed and iterations (1, 10): expected 64, came 3"),
    ],
)
def test_an_answer_is_held_against_the_truth(sums, problem):
    found = work.wrong([(0, 1), (1, 10)], [244, 64] if sums is None else sums)
    assert found.startswith(problem)
    assert bool(found) == bool(problem)
