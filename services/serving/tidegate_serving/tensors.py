"""TensorProto to numpy and back, with TensorFlow's own reader and writer."""

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from tidegate_proto.tensor_pb2 import TensorProto
from tidegate_serving.errors import InvalidArgument

Array = npt.NDArray[np.generic]


def read(tensor: TensorProto, name: str) -> Array:
    """Read a tensor, whether its elements are raw bytes or typed values.

    Args:
        tensor: As it came.
        name: The input's, for the message.

    Raises:
        InvalidArgument: It cannot be read; TF Serving's words.
    """
    try:
        array: Array = tf.make_ndarray(tensor_pb2.TensorProto.FromString(tensor.SerializeToString()))
    except (TypeError, ValueError, KeyError, IndexError):
        raise InvalidArgument(f"tensor parsing error: {name}") from None
    return array


def write(array: Array) -> TensorProto:
    """Write a tensor with typed values, as TF Serving answers."""
    return TensorProto.FromString(_typed(array).SerializeToString())


_FIELDS = {
    "float32": ("float_val", np.float32),
    "float64": ("double_val", np.float64),
    "int32": ("int_val", np.int32),
    "uint8": ("int_val", np.int32),
    "int16": ("int_val", np.int32),
    "int8": ("int_val", np.int32),
    "uint16": ("int_val", np.int32),
    "int64": ("int64_val", np.int64),
    "bool": ("bool_val", np.bool_),
    "uint32": ("uint32_val", np.uint32),
    "uint64": ("uint64_val", np.uint64),
    "object": ("string_val", object),
}


def _typed(array: Array) -> tensor_pb2.TensorProto:
    if array.dtype.name not in _FIELDS:
        return tf.make_tensor_proto(array)  # half and bfloat16 have an encoding of their own
    field, kind = _FIELDS[array.dtype.name]
    proto = tensor_pb2.TensorProto(dtype=tf.as_dtype(array.dtype).as_datatype_enum)
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    getattr(proto, field).extend(array.astype(kind, copy=False).ravel().tolist())
    return proto
