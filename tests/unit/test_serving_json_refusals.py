"""What the model server says of JSON bodies: TF Serving's words, after util/json_tensor.cc."""

import json

import numpy as np
import pytest

from tidegate_serving.errors import InvalidArgument, ServingError, Unimplemented
from tidegate_serving.json_elements import written
from tidegate_serving.json_parse_errors import parsed
from tidegate_serving.json_refusals import check_examples, check_inputs, signature_name
from tidegate_web.prediction import UNCARRIED, TensorSpec

FLOAT = TensorSpec(np.dtype(np.float32), None, "DT_FLOAT")
INT32 = TensorSpec(np.dtype(np.int32), None, "DT_INT32")
STRING = TensorSpec(np.dtype(object), None, "DT_STRING")
COMPLEX = TensorSpec(UNCARRIED, None, "DT_COMPLEX64")

ELEMENT = "Failed to process element: {} of 'instances' list. "
ERROR = ELEMENT + "Error: INVALID_ARGUMENT: "
SEVERAL = "multiple input tensors required as per tensorinfo_map"
SHOWN = "JSON Value: {} "


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "The document is empty"),
        (b" \n", "The document is empty. at offset: 2"),
        (b"x", "Invalid value. at offset: 0"),
        (b"{", "Missing a name for object member. at offset: 1"),
        (b"\xef\xbb\xbf{", "Missing a name for object member. at offset: 4"),
        (b'{"instances" [1]}', "Missing a colon after a name of object member. at offset: 13"),
        (b'{"a": "]", "instances": [1 2]}', "Missing a comma or ] after an array element. at offset: 27"),
        (b'{"instances": [[1], {"a": 1', "Missing a comma or } after an object member. at offset: 27"),
        ('{"ä": [1] "b"}'.encode(), "Missing a comma or } after an object member. at offset: 11"),
        (b'{"inputs": "\\x"}', "Invalid escape character in string. at offset: 12"),
        (b"{} {}", "The document root must not be followed by other values. at offset: 3"),
    ],
)
def test_bytes_that_are_no_json_are_told_what_and_where_in_bytes(body, said):
    with pytest.raises(InvalidArgument) as refusal:
        parsed(body)
    assert str(refusal.value) == f"JSON Parse error: {said}"


@pytest.mark.parametrize("body", [b'{"inputs": "\\ud800"}', b'{"inputs": "\xff"}'])
def test_texts_that_cannot_be_written_are_left_to_the_codec(body):
    with pytest.raises(UnicodeError):
        parsed(body)


def test_what_is_no_object_is_shown():
    with pytest.raises(InvalidArgument, match=r"^JSON Value: \[\n    1,\n    2\n\] Is not object$"):
        parsed(b"[1, 2]")


@pytest.mark.parametrize(
    ("inputs", "body", "said"),
    [
        ({"x": FLOAT}, {}, "Missing 'inputs' or 'instances' key"),
        ({}, {"inputs": [1]}, "Failed to get input map for signature: DEFAULT"),
        (
            {"x": FLOAT},
            {"instances": [1], "inputs": 1},
            SHOWN.format('{\n    "instances": [\n        1\n    ],\n    "inputs": 1\n}')
            + "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
        ),
        (
            {"x": FLOAT},
            {"instances": 1},
            SHOWN.format('{\n    "instances": 1\n}') + "Excepting 'instances' to be an list/array",
        ),
        ({"x": FLOAT}, {"instances": []}, SHOWN.format('{\n    "instances": []\n}') + "No values in 'instances' array"),
        (
            {"x": FLOAT},
            {"instances": ["a"]},
            ERROR.format("0") + 'JSON Value: "a" Type: String is not of expected type: float',
        ),
        (
            {"x": FLOAT},
            {"instances": [[1, 2], [3]]},
            ERROR.format("1") + "Expecting tensor size: 2 but got: 1",
        ),
        (
            {"x": FLOAT},
            {"instances": [[1, 2], [[3], [4]]]},
            ERROR.format("1") + "Expecting shape [2] but got: [2,1]",
        ),
        (
            {"x": FLOAT},
            {"instances": [[[1, 2], [3]]]},
            ERROR.format("0") + "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
        ),
        (
            {"x": FLOAT},
            {"instances": [{"y": 1}]},
            ERROR.format("0 key: y") + "JSON object: does not have named input: y",
        ),
        (
            {"x": FLOAT, "y": FLOAT},
            {"instances": [{"y": 1}]},
            ELEMENT.format("0") + 'JSON object: {\n    "y": 1\n} keys must be equal to: x,y',
        ),
        ({"x": FLOAT}, {"instances": [{"x": 1}, 2]}, "Expecting object but got list at item 1 of input list"),
        ({"x": FLOAT}, {"instances": [1, {"x": 2}]}, "Expecting value/list but got object at item 1 of input list"),
        (
            {"x": FLOAT, "y": FLOAT},
            {"instances": [1]},
            "instances is a plain list, but expecting list of objects as " + SEVERAL,
        ),
        (
            {"x": FLOAT, "y": FLOAT},
            {"inputs": [1]},
            "inputs is a plain value/list, but expecting an object as " + SEVERAL,
        ),
        ({"x": FLOAT, "y": FLOAT}, {"inputs": {"x": 1}}, "Missing named input: y in 'inputs' object."),
        ({"x": FLOAT}, {"inputs": [1, [2]]}, "Encountered list at unexpected level: 1 expected < 1"),
        (
            {"x": FLOAT},
            {"inputs": [[1], 2]},
            "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
        ),
        ({"x": INT32}, {"inputs": [1.5]}, "JSON Value: 1.5 Type: Number is not of expected type: int32"),
        ({"x": INT32}, {"inputs": [True]}, "JSON Value: true Type: True is not of expected type: int32"),
        ({"x": FLOAT}, {"inputs": [None]}, "JSON Value: null Type: Null is not of expected type: float"),
        ({"x": FLOAT}, {"inputs": 1e39}, "Cannot convert JSON value: 1e+39 to float without loss of precision."),
        ({"x": STRING}, {"inputs": {"b64": "?"}}, "Unable to base64 decode"),
        ({"x": STRING}, {"inputs": [{"b": 1}]}, 'JSON Value: {\n    "b": 1\n} not formatted correctly for base64 data'),
    ],
)
def test_a_body_that_does_not_fit_is_told_so(inputs, body, said):
    with pytest.raises(InvalidArgument) as refusal:
        check_inputs(body, inputs)
    assert str(refusal.value) == said


def test_a_type_that_json_cannot_carry_is_unimplemented():
    with pytest.raises(Unimplemented, match=r"^Conversion of JSON Value: 1 to type: complex64$"):
        check_inputs({"inputs": [1]}, {"x": COMPLEX})


def test_a_signature_name_is_a_text():
    with pytest.raises(
        InvalidArgument, match=r"not formatted correctly\. 'signature_name' key must be a string value.$"
    ):
        signature_name({"signature_name": 1})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "JSON Value: {} When method is classify, key 'examples' is expected and was not found"),
        ({"examples": []}, "JSON Value: {\n    \"examples\": []\n} 'examples' value is an empty array"),
        ({"examples": 1}, "JSON Value: {\n    \"examples\": 1\n} Expecting 'examples' value to be an list/array"),
        ({"examples": [[]]}, "Example must be JSON object but got JSON Array"),
        ({"examples": [{}], "context": 1}, "Example must be JSON object but got JSON Number"),
        ({"examples": [{"x": None}]}, "Feature: x has element with unexpected JSON type: Null"),
        ({"examples": [{"x": [1, "a"]}]}, "Unexpected element type in feature: x expecting type: int64"),
        ({"examples": [{"x": 2**63}]}, "Feature: x has uint64 element. Only int64 is supported."),
    ],
)
def test_examples_that_are_none_are_told_so(body, said):
    with pytest.raises(InvalidArgument) as refusal:
        check_examples(body)
    assert str(refusal.value) == said


@pytest.mark.parametrize(
    "body",
    [
        {"instances": [1.5, 2]},
        {"instances": [{"x": 1}, {"x": 2}]},
        {"inputs": [[1, 2], [3, 4]]},
        {"inputs": {"x": [], "y": 1}},
    ],
)
def test_what_fits_passes(body):
    check_inputs(body, {"x": FLOAT})
    check_examples({"context": {}, "examples": [{"a": [1, True], "b": 1.5, "c": ["x", {"b64": "eA=="}]}, {}]})


@pytest.mark.parametrize(
    ("number", "shown"), [(0.1, "0.1"), (3.0, "3.0"), (1e10, "1e+10"), (0.1234567, "0.123456702"), (1e300, "1e+300")]
)
def test_a_decimal_is_shown_as_tf_serving_writes_it(number, shown):
    assert written(number) == shown


def test_a_text_shows_no_more_of_a_large_body_than_it_has_room_for():
    with pytest.raises(ServingError) as refusal:
        parsed(json.dumps([0] * 10**6).encode())
    assert len(str(refusal.value)) < 20_000
    assert len(refusal.value.text) == 1024
