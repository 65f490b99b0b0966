"""What is sent and when, without Locust."""

import random

import pytest

import and_gate


def test_the_truth_is_the_tutorials():
    rows = [(1, 1), (0, 0), (2, 0), (2, 1), (3, 0), (0, 4), (5, 6), (0, 10)]
    assert [and_gate.expected(row) for row in rows] == [1, 0, 0, 1, 0, 0, 1, 0]


def test_both_classes_are_sent_often():
    rows = and_gate.draw(1000, random.Random(1))
    ones = sum(map(and_gate.expected, rows))
    assert 300 < ones < 800


@pytest.mark.parametrize(
    ("shares", "problem"),
    [
        ([[0.2, 0.8], [0.9, 0.1]], ""),
        ([[0.8, 0.2], [0.9, 0.1]], "wrong class for (1, 1): expected 1, came 0"),
        ([[0.2, 0.8]], "expected 2 rows"),
        ({"a": 1}, "expected 2 rows"),
        ([[0.2, 0.8], [0.9]], "expected two shares for (1, 0)"),
        ([[0.2, 0.8], ["no", 0.1]], "expected two shares for (1, 0)"),
        ([[0.2, 0.8], [0.9, 0.9]], "expected shares that add up to 1 for (1, 0)"),
    ],
)
def test_an_answer_is_held_against_the_truth(shares, problem):
    found = and_gate.wrong([(1, 1), (1, 0)], shares)
    assert found.startswith(problem)
    assert bool(found) == bool(problem)
