"""Predict of a TensorFlow 1 model with every type, held against TensorFlow's own answers."""

import base64
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from tidegate_proto.prediction_pb2 import ModelSpec, PredictRequest, PredictResponse
from tidegate_proto.services import PREDICT
from tidegate_proto.tensor_pb2 import DT_FLOAT, DT_INT64, DT_STRING, DataType, TensorProto, TensorShapeProto
from tidegate_serving import tensors
from tidegate_serving.errors import InvalidArgument

BUILDER = Path(__file__).with_name("typed_model.py")
TYPES = [
    "FLOAT", "DOUBLE", "INT32", "UINT8", "INT16", "INT8", "STRING", "COMPLEX64",
    "INT64", "BOOL", "BFLOAT16", "UINT16", "COMPLEX128", "HALF", "UINT32", "UINT64",
]  # fmt: skip


@dataclass
class Typed:
    """A server of the model, and TensorFlow's answers."""

    channel: grpc.Channel
    rest_port: int
    golden: dict[str, Any]

    def predict(self, name: str, inputs: dict[str, TensorProto], wanted: tuple[str, ...] = ()) -> PredictResponse:
        request = PredictRequest(model_spec=ModelSpec(name="typed", signature_name=name), output_filter=wanted)
        for key, tensor in inputs.items():
            request.inputs[key].CopyFrom(tensor)
        stub = self.channel.unary_unary(PREDICT.path, PredictRequest.SerializeToString, PredictResponse.FromString)
        answer: PredictResponse = stub(request, timeout=20)
        return answer

    def refused(self, *request: Any) -> tuple[str, str]:
        with pytest.raises(grpc.RpcError) as caught:
            self.predict(*request)
        return caught.value.code().name, str(caught.value.details())


@pytest.fixture(scope="module")
def typed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("typed")
    subprocess.run([sys.executable, BUILDER, folder], check=True, capture_output=True, timeout=120)
    return folder


@pytest.fixture(scope="module")
def typed(start_model_server: Any, typed_folder: Path) -> Iterator[Typed]:
    server = start_model_server("--model_name=typed", f"--model_base_path={typed_folder}")
    with grpc.insecure_channel(server.address) as channel:
        yield Typed(channel, server.rest_port, json.loads((typed_folder / "golden.json").read_text()))


def by_tensorflow(written: str) -> TensorProto:
    return TensorProto.FromString(base64.b64decode(written))


def floats(*values: float, shape: tuple[int, ...] | None = None) -> TensorProto:
    sizes = (len(values),) if shape is None else shape
    dims = [TensorShapeProto.Dim(size=size) for size in sizes]
    return TensorProto(dtype=DT_FLOAT, tensor_shape=TensorShapeProto(dim=dims), float_val=values)


def values_of(tensor: TensorProto) -> list[Any]:
    """The bits, so that NaN is NaN."""
    array = tensors.read(tensor, "x")
    bits: list[Any] = (array if array.dtype == object else np.ascontiguousarray(array).view(np.uint8)).tolist()
    return bits


@pytest.mark.parametrize("as_content", [True, False], ids=["content", "values"])
@pytest.mark.parametrize("name", TYPES)
def test_every_type_in_both_encodings_is_answered_as_by_tensorflow(typed, name, as_content):
    golden = typed.golden[f"DT_{name}"]
    inputs = {
        key: tensors.write(tensors.read(by_tensorflow(written), key), as_content=as_content)
        for key, written in golden["inputs"].items()
    }
    assert all(bool(tensor.tensor_content) == (as_content and name != "STRING") for tensor in inputs.values())
    answer = typed.predict(f"DT_{name}", inputs)
    assert answer.outputs.keys() == golden["outputs"].keys()
    for key, written in golden["outputs"].items():
        expected = by_tensorflow(written)
        assert DataType.Name(answer.outputs[key].dtype) == f"DT_{name}"
        assert answer.outputs[key].tensor_shape == expected.tensor_shape
        assert not answer.outputs[key].tensor_content
        assert values_of(answer.outputs[key]) == values_of(expected)


def test_strings_may_come_as_content_too(typed):
    """Their lengths as varints, then their bytes: TensorFlow's own form."""
    long = b"x" * 300
    content = bytes([0, 0xAC, 0x02, 1]) + long + b"y"
    dims = [TensorShapeProto.Dim(size=size) for size in (1, 3)]
    text = TensorProto(dtype=DT_STRING, tensor_shape=TensorShapeProto(dim=dims), tensor_content=content)
    answer = typed.predict("DT_STRING", {"first": text, "second": text}, ("first",))
    assert list(answer.outputs["first"].string_val) == [b"", long, b"y"]


def test_a_shape_that_the_signature_does_not_have_is_the_graphs_matter(typed):
    """TF Serving's best known example: rows of a column that are sent as plain numbers."""
    answer = typed.predict("", {"x": floats(1, 2, 5)})
    assert list(answer.outputs["y"].float_val) == [2.5, 3.0, 4.5]
    assert answer.model_spec.signature_name == "serving_default"


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({}, [4.0, 7.0]),
        ({"factor": floats(10, shape=())}, [11.0, 21.0]),
        ({"factor": floats(10, shape=()), "shift": floats(0.5)}, [10.5, 20.5]),
    ],
)
def test_inputs_that_are_left_out_have_the_signatures_defaults(typed, inputs, expected):
    answer = typed.predict("defaulted", {"x": floats(1, 2)} | inputs)
    assert list(answer.outputs["y"].float_val) == expected


def test_a_table_from_a_file_of_the_models_is_there(typed):
    dims = [TensorShapeProto.Dim(size=3)]
    number = TensorProto(dtype=DT_INT64, tensor_shape=TensorShapeProto(dim=dims), int64_val=[2, 0, 9])
    answer = typed.predict("looked_up", {"number": number})
    assert list(answer.outputs["word"].string_val) == ["käfer".encode(), b"ant", b"none"]


def test_an_output_filter_gives_those_alone(typed):
    inputs = {key: by_tensorflow(written) for key, written in typed.golden["DT_FLOAT"]["inputs"].items()}
    assert typed.predict("DT_FLOAT", inputs, ("both",)).outputs.keys() == {"both"}
    assert typed.refused("DT_FLOAT", inputs, ("both", "both")) == (
        "INVALID_ARGUMENT",
        "duplicate output tensor alias: both",
    )
    assert typed.refused("DT_FLOAT", inputs, ("y",)) == (
        "INVALID_ARGUMENT",
        "output tensor alias not found in signature: y Outputs expected to be in the set {both,first}.",
    )


HUGE = TensorProto(dtype=DT_FLOAT, tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=2**40)]), float_val=[1])
NEGATIVE = TensorProto(
    dtype=DT_FLOAT, tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=-1)]), float_val=[1]
)
OVERFLOWING = TensorProto(dtype=DT_FLOAT, tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=2**62)] * 4))
MANY_DIMS = TensorProto(dtype=DT_FLOAT, tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)] * 300))
TEXTS = TensorProto(
    dtype=DT_STRING, tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=2**40)]), tensor_content=b"\x01x"
)
LIE = TensorProto(
    dtype=DT_INT64, tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=2)]), tensor_content=b"\0" * 8
)
UNKNOWN_TYPE = TensorProto(tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)]), float_val=[1])
NO_RANK = TensorProto(dtype=DT_FLOAT, tensor_shape=TensorShapeProto(unknown_rank=True), float_val=[1])


@pytest.mark.parametrize(
    "tensor", [HUGE, NEGATIVE, OVERFLOWING, MANY_DIMS, TEXTS, LIE, UNKNOWN_TYPE, NO_RANK],
    ids=["2^40", "negative", "2^248", "300 dims", "2^40 texts", "too few bytes", "no type", "no rank"],
)  # fmt: skip
def test_a_hostile_tensor_is_refused_and_the_next_one_answered(typed, tensor):
    assert typed.refused("", {"x": tensor}) == ("INVALID_ARGUMENT", "tensor parsing error: x")
    assert typed.predict("", {"x": floats(1)}).outputs["y"].float_val == [2.5]


def test_another_type_than_the_signatures_is_refused_in_tensorflows_words(typed):
    whole = TensorProto(dtype=DT_INT64, tensor_shape=floats(1).tensor_shape, int64_val=[1])
    assert typed.refused("", {"x": whole}) == (
        "INVALID_ARGUMENT",
        "Expects arg[0] to be float but int64 is provided",
    )


def test_other_inputs_than_the_signatures_are_refused_in_tf_servings_words(typed):
    assert typed.refused("", {"x": floats(1), "z": floats(1)}) == (
        "INVALID_ARGUMENT",
        "input size does not match signature: 2!=1 len({x,z}) != len({x}). Sent extra: {z}. Missing but required: {}.",
    )
    code, text = typed.refused("", {"z": floats(1)})
    assert code == "INVALID_ARGUMENT"
    assert text.startswith("Signature input alias: x(feed name: column:0) not found in request and no default value")


def test_what_the_graph_refuses_has_the_graphs_code_and_words(typed):
    code, text = typed.refused("fails", {"x": floats(-1)})
    assert code == "INVALID_ARGUMENT"
    assert "only positive ones" in text


def test_bytes_that_are_no_request_are_refused_and_the_next_ones_answered(typed):
    """A name of bytes that are not UTF-8, and a message that ends too early."""
    for sent in (b"\x0a\x03\x0a\x01\xff", b"\x0a\xff"):
        with pytest.raises(grpc.RpcError) as caught:
            typed.channel.unary_unary(PREDICT.path)(sent, timeout=20)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert str(caught.value.details()).startswith("expected a PredictRequest, came")
    assert typed.predict("", {"x": floats(1)}).outputs["y"].float_val == [2.5]


def ask(typed: Typed, body: bytes) -> tuple[int, Any]:
    request = urllib.request.Request(f"http://127.0.0.1:{typed.rest_port}/v1/models/typed:predict", data=body)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_rest_answers_the_best_known_example_and_lives_through_20_mb_of_nested_json(typed):
    assert ask(typed, b'{"instances": [1.0, 2.0, 5.0]}') == (200, {"predictions": [2.5, 3.0, 4.5]})
    status, answer = ask(typed, b'{"instances": ' + b"[" * 20_000_000)
    assert (status, answer.keys()) == (400, {"error"})
    assert ask(typed, b'{"instances": [1.0]}') == (200, {"predictions": [2.5]})


def test_a_tensor_that_claims_little_more_than_it_brings_is_filled_up():
    assert tensors.read(floats(7, shape=(3,)), "x").tolist() == [7, 7, 7]
    with pytest.raises(InvalidArgument):
        tensors.read(floats(7, shape=(2**27,)), "x")
