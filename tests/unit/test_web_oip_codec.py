"""Open Inference Protocol: JSON and raw bytes to tensors and back."""

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tidegate_web.codec import oip_binary
from tidegate_web.codec.oip_request import parse_index, parse_infer
from tidegate_web.codec.oip_v2 import DATATYPES, encode, tensors, wanted
from tidegate_web.errors import BackendFault, BadInput
from tidegate_web.prediction import Signature, TensorSpec

FLOAT = TensorSpec(np.dtype(np.float32), (None, 2), "DT_FLOAT")
TEXT = TensorSpec(np.dtype(object), (None,), "DT_STRING")
ONE = Signature(inputs={"x": FLOAT}, outputs={"y": FLOAT, "z": FLOAT})

X: dict[str, Any] = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}


def body_of(*inputs: dict[str, Any], **others: Any) -> bytes:
    return json.dumps({"inputs": list(inputs), **others}).encode()


def read(body: bytes, signature: Signature = ONE, json_size: str | None = None) -> Any:
    parsed = parse_infer(body, json_size)
    return tensors(parsed, signature), wanted(parsed, signature)


def every_array() -> st.SearchStrategy[Any]:
    shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
    numbers = st.sampled_from([dtype for dtype in DATATYPES if dtype.kind != "O"]).flatmap(
        lambda dtype: hnp.arrays(dtype, shapes)
    )
    strings = hnp.arrays(object, shapes, elements=st.binary(max_size=6))
    return numbers | strings


def outline(array: Any) -> tuple[Signature, dict[str, Any]]:
    spec = TensorSpec(array.dtype, (None,) * array.ndim, "")
    return Signature({"x": spec}, {"x": spec}), {
        "name": "x",
        "datatype": DATATYPES[array.dtype],
        "shape": list(array.shape),
    }


def written(array: Any, *, binary: bool) -> Any:
    asked = parse_infer(body_of(X, parameters={"binary_data_output": binary}))
    return encode(asked, "m", 3, {"x": array})


@given(array=every_array())
def test_every_tensor_comes_back_from_an_answer_in_json(array):
    answer = written(array, binary=False)
    assert answer.json_size is None
    (output,) = json.loads(answer.body)["outputs"]
    signature, _ = outline(array)
    read_back, _ = read(json.dumps({"inputs": [output]}).encode(), signature)
    assert read_back["x"].dtype == array.dtype
    np.testing.assert_array_equal(read_back["x"], array)


@given(array=every_array())
def test_every_tensor_comes_back_from_an_answer_in_raw_bytes(array):
    answer = written(array, binary=True)
    document = json.loads(answer.body[: answer.json_size])
    (output,) = document["outputs"]
    signature, asked = outline(array)
    assert {key: output[key] for key in asked} == asked
    head = json.dumps({"inputs": [output]}).encode()
    read_back, _ = read(head + answer.body[answer.json_size :], signature, str(len(head)))
    assert read_back["x"].dtype == array.dtype
    assert read_back["x"].shape == array.shape
    np.testing.assert_array_equal(read_back["x"], array)


def test_nested_and_flat_data_are_the_same_tensor():
    flat, _ = read(body_of({**X, "shape": [2, 2], "data": [1, 2, 3, 4]}))
    nested, _ = read(body_of({**X, "shape": [2, 2], "data": [[1, 2], [3, 4]]}))
    np.testing.assert_array_equal(flat["x"], nested["x"])


def test_members_that_a_client_wrote_as_null_are_as_if_left_out():
    body = parse_infer(body_of({**X, "parameters": None}, id=None, parameters=None, outputs=None))
    assert (body.request_id, body.outputs, body.timeout_s) == (None, (), None)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[]", "body: expected an object, came a list of 0"),
        (b"{}", "inputs: expected a list, came nothing"),
        (body_of(), "inputs: expected tensors named x, came none"),
        (body_of({**X, "name": "w"}), "inputs: expected tensors named x, came w"),
        (body_of(X, X), 'inputs[1].name: expected each name once, came the text "x"'),
        (body_of({**X, "name": 1}), "inputs[0].name: expected a text, came the number 1"),
        (body_of({**X, "datatype": "FP64"}), 'inputs[0].datatype: expected FP32, came the text "FP64"'),
        (body_of({**X, "shape": [2]}), "inputs[0].shape: expected float32 [any, 2], came [2]"),
        (body_of({**X, "shape": [-1, 2]}), "inputs[0].shape[0]: expected a whole number from 0"),
        (body_of({**X, "shape": [True, 2]}), "inputs[0].shape[0]: expected a whole number from 0"),
        (body_of({**X, "shape": [3, 2]}), "inputs[0].data: expected 6 elements, as the shape [3, 2] says, came 2"),
        (body_of({**X, "shape": [2**53, 2]}), "inputs[0].data: expected 18014398509481984 elements"),
        (body_of({**X, "shape": [1.5, 2]}), "inputs[0].shape[0]: expected a whole number from 0"),
        (body_of({**X, "shape": [2**53 + 1, 2]}), "inputs[0].shape[0]: expected a whole number from 0 to 2^53"),
        (body_of({**X, "data": [1, "2"]}), 'inputs[0].data[1]: expected a number, came the text "2"'),
        (body_of({**X, "data": [[1, 2], [3]]}), "inputs[0].data[1]: expected a list of 2"),
        (body_of({**X, "data": [[1, 2], [3, 4]]}), "inputs[0].data: expected float32 [1, 2], came the shape [2, 2]"),
        (body_of({"name": "x", "datatype": "FP32", "shape": [1, 2]}), "inputs[0].data: expected a list, came nothing"),
        (body_of(X, id=7), "id: expected a text, came the number 7"),
        (body_of(X, parameters={"timeout": "soon"}), "parameters.timeout: expected a whole number"),
        (body_of(X, outputs=[{"name": "w"}]), 'outputs: expected outputs among y, z, came the text "w"'),
        (body_of(X, outputs=[{"name": "y"}, {"name": "y"}]), "outputs[1].name: expected each name once"),
        (
            body_of({**X, "parameters": {"shared_memory_region": "r"}}),
            "inputs[0].parameters.shared_memory_region: expected none: this extension is not served here",
        ),
        (
            body_of(X, outputs=[{"name": "y", "parameters": {"classification": 3}}]),
            "outputs[0].parameters.classification: expected none",
        ),
        (body_of({**X, "parameters": {"binary_data_size": 8}}), 'expected one of "data" and the parameter'),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(body, said):
    with pytest.raises(BadInput) as refused:
        read(body)
    assert said in str(refused.value)


@pytest.mark.parametrize("shape", [[0] + [2**53] * 3, [0] * 65])
def test_a_shape_beyond_any_array_is_refused(shape):
    any_shape = Signature({"x": TensorSpec(np.dtype(np.float32), None, "")}, {})
    with pytest.raises(BadInput) as refused:
        read(body_of({**X, "shape": shape, "data": []}), any_shape)
    assert "inputs[0].shape: expected sizes that an array can have" in str(refused.value)


@pytest.mark.parametrize(
    ("size", "raw", "said"),
    [
        (8, b"1234", "expected at most the 4 bytes that are left behind the JSON, came 8"),
        (4, b"1234", "expected 8 bytes for 2 elements of 4, came 4"),
        (8, b"123456789", "body: expected 8 bytes behind the JSON, as binary_data_size says, came 9"),
    ],
)
def test_raw_bytes_are_held_against_what_is_said_of_them(size, raw, said):
    head = body_of({"name": "x", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": size}})
    with pytest.raises(BadInput) as refused:
        read(head + raw, ONE, str(len(head)))
    assert said in str(refused.value)


@pytest.mark.parametrize("json_size", ["-1", "x", "", "99999", "1" * 5000, "\N{SUPERSCRIPT TWO}"])
def test_a_header_that_is_no_size_of_the_json_is_refused(json_size):
    with pytest.raises(BadInput, match="Inference-Header-Content-Length: expected how many bytes"):
        parse_infer(body_of(X), json_size)


@pytest.mark.parametrize(
    "raw", [b"\x01", struct.pack("<I", 2**32 - 1) + b"a", struct.pack("<I", 1), struct.pack("<I", 0) * 3]
)
def test_raw_strings_that_end_early_or_are_too_many_are_refused(raw):
    with pytest.raises(BadInput):
        oip_binary.read(memoryview(raw), np.dtype(object), 2, "inputs[0]")


@given(raw=st.binary(max_size=40), count=st.integers(0, 4))
def test_raw_strings_are_read_or_refused_whatever_comes(raw, count):
    try:
        strings = oip_binary.read(memoryview(raw), np.dtype(object), count, "inputs[0]")
    except BadInput:
        return
    assert oip_binary.write(strings) == raw


def test_an_answer_holds_what_was_asked_for_in_that_order():
    asked = parse_infer(body_of(X, id="7", outputs=[{"name": "z"}, {"name": "y", "parameters": {"binary_data": True}}]))
    one = np.array([[1, 2]], np.float32)
    answer = encode(asked, "m", 3, {"x": one, "y": one, "z": one})
    assert json.loads(answer.body[: answer.json_size]) == {
        "id": "7",
        "model_name": "m",
        "model_version": "3",
        "outputs": [
            {"name": "z", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]},
            {"name": "y", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": 8}},
        ],
    }
    assert answer.body[answer.json_size :] == struct.pack("<2f", 1, 2)


def test_an_output_that_the_model_left_out_is_its_fault():
    asked = parse_infer(body_of(X, outputs=[{"name": "y"}]))
    with pytest.raises(BackendFault, match="no output y"):
        encode(asked, "m", 3, {})


@pytest.mark.parametrize(("body", "ready"), [(b"", False), (b"{}", False), (b'{"ready": true}', True)])
def test_an_index_may_be_of_what_is_ready(body, ready):
    assert parse_index(body) is ready
