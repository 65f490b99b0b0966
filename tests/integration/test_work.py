"""The model `work`, through a model server: its answers are whole numbers that anyone can work out."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from tidegate_proto.prediction_pb2 import ModelSpec, PredictRequest
from tidegate_proto.services import PREDICT
from tidegate_proto.tensor_pb2 import DT_INT64, TensorProto, TensorShapeProto

SIDE, PRIME = 64, 251


def checksum(seed: int, iterations: int) -> int:
    """Work a row out in Python's own integers, by the columns' weights in the sum instead of by the whole matrix."""
    state, numbers = 1, []
    for _ in range(SIDE * SIDE):
        state = (1103515245 * state + 12345) % 2**31
        numbers.append((state >> 16) % PRIME)
    weights = [1] * SIDE
    for _ in range(iterations):
        weights = [sum(weights[i] * numbers[SIDE * i + j] for i in range(SIDE)) % PRIME for j in range(SIDE)]
    rows = [sum((seed + 7 * i + 13 * j) % PRIME for j in range(SIDE)) for i in range(SIDE)]
    return sum(weight * row for weight, row in zip(weights, rows, strict=True)) % PRIME


@pytest.fixture(scope="module")
def channel(model_server: Any) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(model_server.address) as channel:
        yield channel


def ask(channel: grpc.Channel, rows: list[tuple[int, int]]) -> list[int]:
    request = PredictRequest(model_spec=ModelSpec(name="work"))
    for name, values in zip(("seed", "iterations"), zip(*rows, strict=True), strict=True):
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=len(rows))])
        request.inputs[name].CopyFrom(TensorProto(dtype=DT_INT64, tensor_shape=shape, int64_val=values))
    predict = channel.unary_unary(PREDICT.path, PredictRequest.SerializeToString, PREDICT.response.FromString)
    return list(predict(request, timeout=20).outputs["checksum"].int64_val)


def test_every_row_of_a_batch_is_right_whatever_its_seed_and_iterations(channel):
    rows = [(seed, iterations) for seed in (0, 1, 250, 251, 10_000) for iterations in (0, 1, 2, 57)]
    answers = ask(channel, rows)
    assert answers == [checksum(*row) for row in rows]
    assert len(set(answers)) > len(rows) / 2


def test_a_negative_seed_or_number_of_iterations_is_answered_too(channel):
    assert ask(channel, [(-1, 3), (5, -7)]) == [checksum(250, 3), checksum(5, 0)]
