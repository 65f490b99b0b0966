"""Calls that are joined into one run of a graph, over graphs that are functions."""

# ruff: noqa: SLF001 when a task waits is seen nowhere else

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format

from tidegate_proto.server_config_pb2 import BatchingParameters
from tidegate_serving.batching import Batching, Joined, understood
from tidegate_serving.errors import FailedPrecondition, InvalidArgument, Unavailable
from tidegate_serving.tensors import Array


class Doubles:
    """A graph that doubles its first tensor and knows what it was run on."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.shapes: list[tuple[int, ...]] = []
        self.held = threading.Event()
        self.held.set()

    def __call__(self, *tensors: Array) -> list[Array]:
        assert self.held.wait(10)
        self.sizes.append(len(tensors[0]))
        self.shapes.append(tensors[0].shape)
        return [np.add(tensors[0], tensors[0])]


def joined(run: Any, threads: int = 1, **batching: Any) -> Joined:
    return Joined(run, Batching(threads=threads, **batching), threading.Semaphore(threads))


def rows(*values: float) -> Array:
    return np.array(values, np.float32)


def test_each_caller_gets_its_own_rows_however_many_come():
    graph = Doubles()
    run = joined(graph, threads=2, largest=8, wait_s=0.001)
    asked = [rows(*range(number, number + 1 + number % 3)) for number in range(400)]
    with ThreadPoolExecutor(16) as callers:
        answers = list(callers.map(lambda tensor: run(tensor)[0].tolist(), asked))
    assert answers == [np.add(tensor, tensor).tolist() for tensor in asked]
    assert max(graph.sizes) <= 8
    assert len(graph.sizes) < 400


def together(run: Joined, graph: Doubles, tensors: Sequence[Array]) -> list[Any]:
    """Run one call that is held in the graph, and meanwhile others that wait; gives the others' answers."""
    graph.held.clear()
    with ThreadPoolExecutor(len(tensors) + 1) as callers:
        first = callers.submit(run, rows(0))
        others = [callers.submit(run, tensor) for tensor in tensors]
        while len(run._waiting) == 0 or sum(map(len, run._waiting.values())) < len(tensors):
            assert not first.done()
        graph.held.set()
        first.result(10)
        return [other.result(10)[0].tolist() for other in others]


def test_calls_that_wait_are_run_at_once():
    graph = Doubles()
    answers = together(joined(graph, largest=8), graph, [rows(1), rows(2, 3), rows(4)])
    assert answers == [[2], [4, 6], [8]]
    assert graph.sizes == [1, 4]


def test_a_batch_is_filled_up_to_an_allowed_size_and_nobody_sees_it():
    graph = Doubles()
    assert joined(graph, largest=8, sizes=(4, 8))(rows(1, 2, 3))[0].tolist() == [2, 4, 6]
    assert graph.sizes == [4]


def test_tensors_of_other_shapes_do_not_fail_their_neighbours():
    graph = Doubles()
    one, two = np.ones((1, 2), np.float32), np.ones((1, 3), np.float32)
    assert together(joined(graph), graph, [one, two]) == [[[2, 2]], [[2, 2, 2]]]


def test_tensors_of_other_shapes_are_filled_with_zeros_where_that_is_asked_for():
    graph = Doubles()
    one, two = np.ones((1, 2), np.float32), np.ones((1, 3), np.float32)
    assert together(joined(graph, pad=True), graph, [one, two]) == [[[2, 2, 0]], [[2, 2, 2]]]
    assert graph.shapes[-1] == (2, 3)


def test_what_cannot_be_joined_is_refused_in_tf_servings_words():
    run = joined(Doubles(), largest=2)
    for tensors, said in (
        ((np.float32(1),), "Batching Run() input tensors must have at least one dimension"),
        ((rows(1), rows(1, 2)), "Batching Run() input tensors must have equal 0th-dimension size"),
        ((rows(1, 2, 3),), "Task size 3 is larger than maximum input batch size 2"),
    ):
        with pytest.raises(InvalidArgument) as refused:
            run(*map(np.asarray, tensors))
        assert str(refused.value) == said


@pytest.mark.parametrize("output", [np.float32(1), rows(1, 2)])
def test_an_output_without_rows_of_its_own_is_refused(output):
    with pytest.raises(FailedPrecondition, match="Batched output tensor"):
        joined(lambda *_: [np.asarray(output)])(rows(1))


def test_a_graph_that_fails_fails_each_call_of_the_batch_and_the_next_is_answered():
    class Fails(Doubles):
        def __call__(self, *tensors: Array) -> list[Array]:
            if np.less(tensors[0], 0).any():
                raise ValueError("negative")
            return super().__call__(*tensors)

    run = joined(Fails())
    with pytest.raises(ValueError, match="negative"):
        run(rows(-1))
    assert run(rows(1))[0].tolist() == [2]


def test_a_full_queue_refuses():
    graph = Doubles()
    run = joined(graph, largest=1, most_waiting=1)
    graph.held.clear()
    with ThreadPoolExecutor(2) as callers:
        running = callers.submit(run, rows(1))
        while run._waiting:
            pass
        waiting = callers.submit(run, rows(2))
        while not run._waiting:
            pass
        with pytest.raises(Unavailable, match="The batch scheduling queue to which this task was submitted is full"):
            run(rows(3))
        graph.held.set()
        assert [running.result(10)[0].tolist(), waiting.result(10)[0].tolist()] == [[2], [4]]


def test_a_call_larger_than_a_batch_is_split_where_that_is_asked_for():
    graph = Doubles()
    run = joined(graph, largest=4, largest_task=9)
    (answer,) = run(rows(*range(9)))
    assert answer.tolist() == [2 * number for number in range(9)]
    assert graph.sizes == [4, 4, 1]
    with pytest.raises(InvalidArgument, match=r"^Task size 10 is larger than maximum input batch size 9$"):
        run(rows(*range(10)))


def test_parameters_are_tf_servings():
    text = (
        "max_batch_size { value: 8 } batch_timeout_micros { value: 2500 } max_enqueued_batches { value: 3 } "
        "num_batch_threads { value: 2 } allowed_batch_sizes: [2, 8] pad_variable_length_inputs: true"
    )
    assert understood(text_format.Parse(text, BatchingParameters())) == Batching(8, 0.0025, 3, 2, (2, 8), pad=True)
    assert understood(BatchingParameters()) == Batching()
    text += " enable_large_batch_splitting { value: true } max_execution_batch_size { value: 2 }"
    assert understood(text_format.Parse(text, BatchingParameters())) == Batching(
        2, 0.0025, 3, 2, (2, 8), pad=True, largest_task=8
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "max_batch_size { value: 8 } allowed_batch_sizes: [2, 4]",
            "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 4; expected 8",
        ),
        ("allowed_batch_sizes: [4, 2, 1000]", "allowed_batch_sizes entries must be monotonically increasing"),
        (
            "max_batch_size { value: 8 } max_execution_batch_size { value: 9 } enable_large_batch_splitting{value:1}",
            "max_execution_batch_size must not be more than max_batch_size",
        ),
        ("max_batch_size { value: 0 }", "max_batch_size, num_batch_threads and max_enqueued_batches must be positive"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(text, said):
    with pytest.raises(InvalidArgument) as refused:
        understood(text_format.Parse(text, BatchingParameters()))
    assert str(refused.value) == said
