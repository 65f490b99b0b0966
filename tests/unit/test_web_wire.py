"""Domain objects on the wire: bfloat16, and examples."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_proto.inference_pb2 import (
    Class,
    ClassificationResponse,
    ClassificationResult,
    Classifications,
    Regression,
    RegressionResponse,
    RegressionResult,
)
from tidegate_proto.prediction_pb2 import GetModelMetadataResponse
from tidegate_proto.signature_pb2 import SignatureDef, SignatureDefMap, TensorInfo
from tidegate_proto.tensor_pb2 import DT_BFLOAT16, DT_COMPLEX64, DT_FLOAT, TensorProto, TensorShapeProto
from tidegate_web.codec.rest_v1 import parse_predict, tensors
from tidegate_web.errors import BackendFault, BadInput
from tidegate_web.prediction import Array, ExampleQuery, ModelRef, Prediction, Signature, TensorSpec
from tidegate_web.serving import bfloat16, example_wire, wire

FLOATS = np.dtype(np.float32)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20))
def test_bfloat16_is_rounded_as_tensorflow_rounds_it(patterns):
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="comes with TensorFlow: make test installs it")
    values = np.array(patterns, np.uint32).view(np.float32)
    with np.errstate(invalid="ignore"):
        expected = values.astype(ml_dtypes.bfloat16)
    found = bfloat16.narrow(values)
    nan = np.isnan(values)
    np.testing.assert_array_equal(found[~nan], expected.view(np.uint16)[~nan])
    assert np.isnan(bfloat16.widen(found)[nan]).all()
    np.testing.assert_array_equal(np.signbit(bfloat16.widen(found)), np.signbit(values))


def test_every_bfloat16_survives_the_way_out_and_in():
    words = np.arange(2**16, dtype=np.uint16)
    numbers = ~np.isnan(bfloat16.widen(words))
    np.testing.assert_array_equal(bfloat16.narrow(bfloat16.widen(words))[numbers], words[numbers])


@pytest.mark.parametrize(
    ("value", "nearest"),
    [
        (1 + 2**-8, 1.0),  # a tie: to the even neighbour below
        (1 + 3 * 2**-8, 1 + 2**-6),  # a tie: to the even neighbour above
        (1 + 2**-8 + 2**-20, 1 + 2**-7),
        (3.4028235e38, float("inf")),
        (-0.0, -0.0),
    ],
)
def test_ties_go_to_the_even_neighbour(value, nearest):
    (found,) = bfloat16.widen(bfloat16.narrow(np.array([value], np.float32))).tolist()
    assert struct.pack("f", found) == struct.pack("f", nearest)


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 2)])
def test_bfloat16_inputs_go_as_such_whatever_their_shape(shape):
    spec = TensorSpec(FLOATS, None, "DT_BFLOAT16")
    signature = Signature({"x": spec, "y": TensorSpec(FLOATS, None, "DT_FLOAT")}, {})
    array = np.full(shape, 1.5, np.float32)
    request = wire.to_request(
        Prediction(ModelRef("m"), "s", {"x": array, "y": array}, wire_dtypes=signature.wire_dtypes)
    )
    tensor = request.inputs["x"]
    assert (tensor.dtype, request.inputs["y"].dtype) == (DT_BFLOAT16, DT_FLOAT)
    assert len(tensor.tensor_content) == 2 * array.size
    back = wire.from_tensor(tensor)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, array)


def test_bfloat16_comes_as_typed_values_too_the_last_of_which_repeats():
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=3)])
    tensor = TensorProto(dtype=DT_BFLOAT16, tensor_shape=shape, half_val=[0x3F80, 0xC000])
    assert wire.from_tensor(tensor).tolist() == [1.0, -2.0, -2.0]


def test_features_have_the_kind_of_their_arrays_and_without_elements_none():
    example: dict[str, Array] = {
        "f": np.array([0.5], np.float32),
        "i": np.array([-(2**63)], np.int64),
        "b": np.array([b"\xff", b""], object),
        "nothing": np.array([], np.int64),
    }
    query = ExampleQuery(ModelRef("m", label="canary"), "s", [example, {}], context={"c": np.array([1], np.int64)})
    for request in (example_wire.to_classification(query), example_wire.to_regression(query)):
        spec = request.model_spec
        assert (spec.name, spec.version_label, spec.signature_name) == ("m", "canary", "s")
        sent = request.input.example_list_with_context
        features = sent.examples[0].features.feature
        assert {name: feature.WhichOneof("kind") for name, feature in features.items()} == {
            "f": "float_list", "i": "int64_list", "b": "bytes_list", "nothing": None,
        }  # fmt: skip
        assert list(features["b"].bytes_list.value) == [b"\xff", b""]
        assert list(features["i"].int64_list.value) == [-(2**63)]
        assert len(sent.examples) == 2
        assert list(sent.context.features.feature["c"].int64_list.value) == [1]


def test_without_a_context_there_is_none_on_the_wire():
    query = ExampleQuery(ModelRef("m", version=3), "s", [{}])
    request = example_wire.to_regression(query)
    assert request.input.WhichOneof("kind") == "example_list"
    assert request.model_spec.version.value == 3


def test_results_are_read_in_order_and_must_be_as_many_as_the_examples():
    classes = [Classifications(classes=[Class(label="a", score=0.5), Class(label="b")]), Classifications()]
    classified = ClassificationResponse(result=ClassificationResult(classifications=classes))
    assert example_wire.from_classification(classified, 2) == [[("a", 0.5), ("b", 0.0)], []]
    regressed = RegressionResponse(result=RegressionResult(regressions=[Regression(value=0.5), Regression()]))
    assert example_wire.from_regression(regressed, 2) == [0.5, 0.0]
    with pytest.raises(BackendFault, match="2 results for 3 examples"):
        example_wire.from_classification(classified, 3)
    with pytest.raises(BackendFault, match="2 results for 1 examples"):
        example_wire.from_regression(regressed, 1)


def test_a_tensor_that_nobody_can_carry_does_not_hide_the_models_other_signatures():
    odd, plain = TensorInfo(name="z:0", dtype=DT_COMPLEX64), TensorInfo(name="x:0", dtype=DT_FLOAT)
    signatures = SignatureDefMap(
        signature_def={"odd": SignatureDef(inputs={"z": odd}), "plain": SignatureDef(inputs={"x": plain})}
    )
    response = GetModelMetadataResponse()
    response.metadata["signature_def"].value = signatures.SerializeToString()
    found = wire.from_metadata(response).signatures
    assert found["plain"].inputs["x"].dtype == np.float32
    spec = found["odd"].inputs["z"]
    assert (spec.wire_dtype, spec.dtype_name, spec.carried) == ("DT_COMPLEX64", "complex64", False)
    with pytest.raises(BadInput, match="DT_COMPLEX64, which a JSON request cannot carry"):
        tensors(parse_predict(b'{"inputs": [1]}'), found["odd"])
