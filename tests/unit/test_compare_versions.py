"""What the comparison of two versions says, from their answers alone."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compare.comparison import Answer, agreement, difference
from compare.contract import changes, takes_the_same
from compare.latency import latency, ratio
from compare.verdict import Comparison, Thresholds, objections
from signatures import Signature, Tensor

few = settings(max_examples=40)
numbers = st.floats(width=32) | st.integers(-(10**6), 10**6)
leaves = numbers | st.booleans() | st.text(max_size=3) | st.just({"b64": "AA=="})
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4), max_leaves=12)
outputs = values | st.dictionaries(st.sampled_from(["a", "b"]), values, min_size=1)
answers = outputs.map(Answer) | st.just(Answer(problem="400: no"))


@few
@given(answers)
def test_an_answer_is_like_itself(answer):
    found = difference(answer, answer)
    assert (found.why, found.largest, found.total) == ("", 0.0, 0.0)


@few
@given(answers, answers)
def test_figures_do_not_depend_on_which_version_is_the_old_one(one, other):
    there, back = difference(one, other), difference(other, one)
    assert bool(there.why) == bool(back.why)
    assert (there.largest, there.total, there.numbers) == (back.largest, back.total, back.numbers)


@few
@given(answers, answers)
def test_no_figure_is_ever_nan_or_infinite(one, other):
    found = difference(one, other)
    assert math.isfinite(found.largest)
    assert math.isfinite(found.total)
    assert 0 <= found.largest <= found.total or found.numbers == 0


@few
@given(st.lists(numbers, min_size=1), st.floats(0.01, 1e6))
def test_a_number_that_moves_is_a_difference(row, by):
    moved = [row[0] + by * (1 + abs(row[0])), *row[1:]]
    found = difference(Answer([[row]]), Answer([[moved]]))
    assert found.why or not math.isfinite(row[0])


@few
@given(st.lists(st.tuples(answers, answers, st.none() | st.integers(0, 3))))
def test_every_row_is_counted_once(rows):
    old, new, expected = ([row[column] for row in rows] for column in range(3))
    found = agreement(old, new, expected, ())
    assert found.rows + found.refused == len(rows)
    assert 0 <= found.share <= 1
    assert -1 <= found.accuracy_drop <= 1
    assert [number for number, _ in found.different] == sorted({number for number, _ in found.different})
    assert found.newly_failing <= len(found.different)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ([0.9, 0.1], [0.6, 0.4], ""),  # the same class, less surely
        ([0.9, 0.1], [0.4, 0.6], "class 0 became 1"),
        ([0.9, 0.1], [0.2, 0.2, 0.6], "2 classes became 3"),
        ([3.0, 4.0], [3.0, 4.5], "1 of 2 values differ"),
        ([3.0, 4.0], [3.0, 4.0000001], ""),
        ([1.0, math.nan], [1.0, math.nan], ""),
        ([1.0, math.nan], [1.0, 2.0], "1 of 2 values differ"),
        ([math.inf], [-math.inf], "1 of 1 values differ"),
        ([1.0, 2.0], [1.0, 2.0, 3.0], "another shape"),
        ([[1.0], [2.0]], [[1.0, 2.0]], "another shape"),
        (3, 4, "1 of 1 values differ"),
        (True, 1, "1 of 1 values differ"),
        ("cat", "dog", "1 of 1 values differ"),
        ({"b64": "AAAA"}, {"b64": "AAAB"}, "1 of 1 values differ"),
        ({"b64": "AAAA"}, {"b64": "AAAA"}, ""),
        ({"a": [0.9, 0.1], "b": "x"}, {"a": [0.1, 0.9], "b": "y"}, "a: class 0 became 1; b: 1 of 1 values differ"),
        ({"a": 1.0}, {"a": 1.0, "b": 2.0}, "only the new version has b"),
    ],
)
def test_it_says_in_what_two_answers_differ(old, new, why):
    assert difference(Answer(old), Answer(new)).why == why


def test_the_first_of_two_equal_shares_is_the_class():
    assert difference(Answer([0.5, 0.5]), Answer([0.5000001, 0.4999999])).why == ""


def test_an_error_differs_from_an_answer_and_not_from_another_error():
    said, refused = Answer([1.0]), Answer(problem="400: no")
    assert difference(said, refused).why == "only the new version fails"
    assert difference(refused, said).why == "only the old version fails"
    assert difference(refused, Answer(problem="500: oh")).why == ""


def test_accuracy_is_of_rows_whose_answer_is_known():
    on, off = Answer([0.1, 0.9]), Answer([0.9, 0.1])
    found = agreement([on, on, off, on], [on, off, off, Answer(problem="400: no")], [1, "on", None, 1], ("off", "on"))
    assert (found.expected, found.right) == (3, (3, 1))
    assert found.accuracy_drop == pytest.approx(2 / 3)
    assert found.newly_failing == 1


def test_an_expected_answer_that_fits_no_answer_is_not_held_against_either():
    found = agreement([Answer([0.1, 0.9])], [Answer([0.1, 0.9])], [[0.1, 0.9]], ())
    assert (found.expected, found.right) == (0, (0, 0))


FLOATS = Tensor("DT_FLOAT", (None, 2))
GATE = Signature("serving_default", {"inputs": FLOATS}, {"probabilities": FLOATS})


def breaking(old: Signature, new: Signature) -> list[str]:
    return [change.text for change in changes({"s": old}, {"s": new}) if change.breaking]


def test_the_same_signatures_are_no_change():
    assert changes({"s": GATE}, {"s": GATE}) == []


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (replace(GATE, inputs={"x": FLOATS}), ["input inputs is gone", "input x DT_FLOAT [-1, 2] is new"]),
        (replace(GATE, inputs={"inputs": FLOATS, "x": FLOATS}), ["input x DT_FLOAT [-1, 2] is new"]),
        (
            replace(GATE, inputs={"inputs": Tensor("DT_INT64", (None, 2))}),
            ["was DT_FLOAT [-1, 2], is DT_INT64 [-1, 2]"],
        ),
        (replace(GATE, inputs={"inputs": Tensor("DT_FLOAT", (None, 3))}), ["is DT_FLOAT [-1, 3]"]),
        (replace(GATE, inputs={"inputs": Tensor("DT_FLOAT", (2,))}), ["is DT_FLOAT [2]"]),
        (replace(GATE, outputs={"probabilities": Tensor("DT_FLOAT", None)}), ["is DT_FLOAT [?]"]),
        (replace(GATE, outputs={"probabilities": Tensor("DT_FLOAT", (None, 3))}), ["is DT_FLOAT [-1, 3]"]),
        (replace(GATE, outputs={"probabilities": FLOATS, "x": FLOATS}), ["a lone output stands without its name"]),
    ],
)
def test_what_breaks_clients_is_said(new, said):
    found = breaking(GATE, new)
    assert len(found) == len(said)
    assert all(text in line for text, line in zip(said, found, strict=True))


@pytest.mark.parametrize(
    "new",
    [
        replace(GATE, inputs={"inputs": Tensor("DT_FLOAT", (None, None))}),
        replace(GATE, inputs={"inputs": Tensor("DT_FLOAT", None)}),
    ],
)
def test_an_input_that_takes_more_breaks_nobody(new):
    assert breaking(GATE, new) == []
    assert len(changes({"s": GATE}, {"s": new})) == 1
    assert takes_the_same(GATE, new)


def test_a_further_output_beside_several_breaks_nobody():
    several = replace(GATE, outputs={"a": FLOATS, "b": FLOATS})
    assert breaking(several, replace(GATE, outputs={"a": FLOATS, "b": FLOATS, "c": FLOATS})) == []


def test_a_signature_that_goes_breaks_and_one_that_comes_does_not():
    found = changes({"s": GATE, "png": GATE}, {"s": GATE, "jpeg": GATE})
    assert [(change.text, change.breaking) for change in found] == [
        ("signature png is gone", True),
        ("signature jpeg is new", False),
    ]


@few
@given(st.lists(st.floats(0.01, 1e4), min_size=2))
def test_quantiles_lie_within_what_was_timed_and_rise(times):
    found = latency(times)
    assert min(times) <= found.p50 * (1 + 1e-9)
    assert found.p50 <= found.p95 * (1 + 1e-9) <= found.p99 * (1 + 1e-9) ** 2
    assert found.p99 <= max(times) * (1 + 1e-9)
    assert ratio(found.p50, found.p50) == 1


def test_at_a_threshold_is_within_and_past_it_is_not():
    on, off = Answer([0.1, 0.9]), Answer([0.9, 0.1])
    answered = agreement([on] * 20, [*[on] * 19, off], [None] * 20, ())
    quick, slow = latency([1.0, 1.0]), latency([1.25, 1.25])
    at = Comparison([], answered, (quick, slow))
    assert objections(at, Thresholds(disagreement=0.05, latency_ratio=1.25)) == []
    assert objections(at, Thresholds(disagreement=0.04, latency_ratio=1.2)) == [
        "they disagree on 5.0% of the rows (at most 4.0%)",
        "the median request takes 1.25 times as long (at most 1.2)",
    ]


def test_failures_of_the_new_version_are_an_objection_whatever_the_thresholds():
    found = agreement([Answer(1.0)] * 100, [*[Answer(1.0)] * 99, Answer(problem="500: oh")], [None] * 100, ())
    assert objections(Comparison([], found), Thresholds(1, 1, math.inf)) == [
        "the new version fails where the old one answers (1 of 100 rows)"
    ]
