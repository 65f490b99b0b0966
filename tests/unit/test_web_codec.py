"""JSON to tensors and back."""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tidegate_web.codec import json_text
from tidegate_web.codec.rest_v1 import Layout, encode_outputs, parse_predict, tensors
from tidegate_web.codec.values import to_array, to_array_by_leaves
from tidegate_web.errors import BadInput
from tidegate_web.prediction import Array, Signature, TensorSpec

DTYPES = (
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def spec(dtype: Any, shape: tuple[int | None, ...] | None = None) -> TensorSpec:
    return TensorSpec(np.dtype(dtype), shape, "DT_X")


@given(st.data(), st.sampled_from(DTYPES))
def test_every_tensor_survives_the_way_out_and_in(data, dtype):
    array = data.draw(hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=3, max_side=4)))
    body = json.loads(encode_outputs({"y": array}, Layout.COLUMNS))
    back = to_array(body["outputs"], spec(dtype), "outputs")
    np.testing.assert_array_equal(back, array)


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=4))
def test_bytes_survive_as_b64(values):
    array = np.array(values, dtype=object)
    body = json.loads(encode_outputs({"image_bytes": array}, Layout.COLUMNS))
    assert to_array(body["outputs"], spec(object), "outputs").tolist() == values


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=4))
def test_bytes_that_are_no_text_are_not_lost_in_a_text_output(values):
    array = np.array(values, dtype=object)
    body = json.loads(encode_outputs({"word": array}, Layout.COLUMNS))
    assert to_array(body["outputs"], spec(object), "outputs").tolist() == values


@given(JSON, st.sampled_from((*DTYPES, object)), st.sampled_from([None, (), (None,), (None, 2), (3,)]))
def test_any_json_is_a_tensor_that_fits_or_bad_input(value, dtype, shape):
    wanted = spec(dtype, shape)
    try:
        array = to_array(value, wanted, "x")
    except BadInput as error:
        assert error.problems
        return
    assert array.dtype == wanted.dtype
    assert wanted.accepts(array.shape)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_body_or_bad_input(body):
    signature = Signature({"x": spec("float32", (None, 2))}, {})
    with_keys = (body, b'{"instances":' + body + b"}", b'{"inputs":' + body + b"}")
    for text in with_keys:
        try:
            parsed = parse_predict(text)
            found = tensors(parsed, signature)
        except BadInput:
            continue
        assert found["x"].shape[1:] == (2,)


@given(st.floats(width=32))
def test_a_float32_is_written_as_its_shortest_decimal(number):
    body = encode_outputs({"y": np.array([number], np.float32)}, Layout.COLUMNS)
    text = body.decode().removeprefix('{"outputs":[').removesuffix("]}")
    if math.isfinite(number):
        assert np.float32(text) == np.float32(number)
        assert len(text) <= 16
    else:
        assert text in {"NaN", "Infinity", "-Infinity"}


def test_rows_of_several_outputs_are_objects():
    outputs = {"a": np.array([1, 2]), "b": np.array([[0.5], [0.1]], np.float32)}
    assert json.loads(encode_outputs(outputs, Layout.ROWS)) == {
        "predictions": [{"a": 1, "b": [0.5]}, {"a": 2, "b": [0.1]}]
    }


def test_rows_of_outputs_that_do_not_agree_are_refused():
    with pytest.raises(BadInput, match="Tensor name: b has inconsistent batch size: 3 expecting: 2") as raised:
        encode_outputs({"a": np.zeros(2), "b": np.zeros(3)}, Layout.ROWS)
    assert "column form" in raised.value.problems[0].expected


def test_a_scalar_has_no_rows_but_is_a_column():
    with pytest.raises(BadInput, match="Tensor name: a has no shape information"):
        encode_outputs({"a": np.array(2.5, np.float32)}, Layout.ROWS)
    assert encode_outputs({"a": np.array(2.5, np.float32)}, Layout.COLUMNS) == b'{"outputs":2.5}'


def test_several_inputs_come_as_columns_or_as_named_rows():
    signature = Signature({"a": spec("int32", (None,)), "b": spec(object, (None, 1))}, {})
    columns = tensors(parse_predict(b'{"inputs": {"a": [1, 2], "b": [["x"], ["y"]]}}'), signature)
    rows = tensors(parse_predict(b'{"instances": [{"a": 1, "b": ["x"]}, {"a": 2, "b": ["y"]}]}'), signature)
    for found in (columns, rows):
        assert found["a"].tolist() == [1, 2]
        assert found["b"].tolist() == [[b"x"], [b"y"]]


def test_every_row_must_name_the_same_inputs():
    signature = Signature({"a": spec("int32", (None,)), "b": spec("int32", (None,))}, {})
    with pytest.raises(BadInput, match=r"instances\[1\]: expected an object with a, b, came a"):
        tensors(parse_predict(b'{"instances": [{"a": 1, "b": 1}, {"a": 2}]}'), signature)


@pytest.mark.parametrize("body", [b"[NaN, -Infinity, 1]", b"[1.5, 2]"])
def test_literals_are_read_where_there_are_any(body):
    np.testing.assert_array_equal(json_text.loads(body), json.loads(body))


@pytest.mark.parametrize("body", [rb'["\ud800", NaN]', rb'{"\uDFFF\uD800": Infinity}', rb'["\ud800"]'])
def test_half_of_a_surrogate_pair_is_no_text_whichever_parser_reads_it(body):
    with pytest.raises(BadInput, match="not JSON"):
        json_text.loads(body)


def test_a_whole_surrogate_pair_is_a_character_whichever_parser_reads_it():
    assert json_text.loads(rb'["\ud83d\ude00", NaN]')[0] == "\U0001f600"  # type: ignore[index]


numbers = st.one_of(
    st.integers(-300, 300),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from([1e39, -1e39, 65504.0, 65536.0, 3.5e38, 2**31, 2**32, 2**63, 2**64, 0.5, True, None, "x"]),
)


@given(
    st.sampled_from(["float16", "float32", "float64", "int8", "uint8", "int32", "int64", "uint64"]),
    st.integers(0, 3),
    st.integers(0, 3),
    st.booleans(),
    st.data(),
)
def test_the_quick_ways_convert_as_element_by_element_does(dtype, rows, columns, many, data):
    rows *= 40 if many else 1
    drawn = data.draw(st.lists(numbers, min_size=1, max_size=6))
    value = [[drawn[(row * columns + column) % len(drawn)] for column in range(columns)] for row in range(rows)]
    spec = TensorSpec(np.dtype(dtype), (None, None), "DT_X")

    def outcome(convert: Callable[[object, TensorSpec, str], Array]) -> tuple[object, ...]:
        try:
            array = convert(value, spec, "x")
        except BadInput as error:
            return (str(error),)
        return array.dtype, array.shape, array.tobytes()

    slow = outcome(to_array_by_leaves)
    if len(slow) == 1 or spec.accepts(slow[1]):  # type: ignore[arg-type]  # a shape
        assert outcome(to_array) == slow
