"""Tensors of the embedded model server and of the gateway, held against TensorFlow's own and against each other."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorflow.core.framework import tensor_pb2

from tidegate_proto.tensor_pb2 import DT_FLOAT, TensorProto, TensorShapeProto
from tidegate_serving import tensors
from tidegate_serving.errors import InvalidArgument
from tidegate_web.errors import BackendFault
from tidegate_web.prediction import Array
from tidegate_web.serving import wire

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


def arrays() -> st.SearchStrategy[Array]:
    shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
    return st.sampled_from(DTYPES).flatmap(lambda dtype: hnp.arrays(dtype, shapes))


@given(arrays())
def test_what_the_server_writes_tensorflow_and_the_gateway_read(array):
    proto = tensors.write(array)
    theirs = tf.make_ndarray(tensor_pb2.TensorProto.FromString(proto.SerializeToString()))
    for read in (theirs, wire.from_tensor(proto)):
        assert read.dtype == array.dtype
        np.testing.assert_array_equal(read, array)


@given(arrays())
def test_what_the_gateway_writes_the_server_reads(array):
    proto = TensorProto()
    wire.fill_tensor(proto, array)
    np.testing.assert_array_equal(tensors.read(proto, "x"), array)


@given(st.lists(st.binary(max_size=5), max_size=4))
def test_strings_survive_both_ways(values):
    array = np.array(values, dtype=object)
    proto = TensorProto()
    wire.fill_tensor(proto, array)
    read = tensors.read(proto, "x")
    assert read.tolist() == values
    assert wire.from_tensor(tensors.write(read)).tolist() == values


@given(arrays())
def test_the_gateway_reads_what_tensorflow_writes(array):
    theirs = tf.make_tensor_proto(array)
    read = wire.from_tensor(TensorProto.FromString(theirs.SerializeToString()))
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


def test_a_last_value_that_repeats_fills_the_shape():
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=3)])
    proto = TensorProto(dtype=DT_FLOAT, tensor_shape=shape, float_val=[1, 2])
    for read in (tensors.read(proto, "x"), wire.from_tensor(proto)):
        assert read.tolist() == [1, 2, 2]


@given(st.binary(max_size=40))
def test_any_bytes_are_a_tensor_or_an_error_that_names_the_input(content):
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=2)])
    proto = TensorProto(dtype=DT_FLOAT, tensor_shape=shape, tensor_content=content)
    if len(content) in {0, 8}:
        return
    with pytest.raises(InvalidArgument, match="tensor parsing error: x"):
        tensors.read(proto, "x")
    with pytest.raises(BackendFault):
        wire.from_tensor(proto)
