"""TensorProto to numpy and back, as TensorFlow's own Tensor::FromProto and AsProtoField.

Source: tensorflow/core/framework/tensor.cc.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tidegate_proto.tensor_pb2 import DataType, TensorProto
from tidegate_serving.errors import InvalidArgument

Array = npt.NDArray[np.generic]

Run = Callable[..., list[Array]]
"""Runs a graph: from the tensors of some feeds, in their order, to those of some fetches."""

LARGEST_FILL = 2**28
"""Bytes that a tensor may claim beyond what was sent: its last value fills the shape, and a few bytes must not take
all memory. TensorFlow allocates whatever is claimed."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How one type travels.

    Attributes:
        dtype: Of the array.
        field: The TensorProto's, for typed values.
        carrier: What a value of the field holds of an element: the same bits.
        values: Values of the field to an element.
    """

    dtype: np.dtype[np.generic]
    field: str
    carrier: np.dtype[np.generic]
    values: int = 1


def _encodings() -> dict[int, Encoding]:
    plain = {
        "float_val": (tf.float32,),
        "double_val": (tf.float64,),
        "int_val": (tf.int32, tf.uint8, tf.int16, tf.int8, tf.uint16),
        "int64_val": (tf.int64,),
        "bool_val": (tf.bool,),
        "uint32_val": (tf.uint32,),
        "uint64_val": (tf.uint64,),
        "string_val": (tf.string,),
    }
    found = {
        kind.as_datatype_enum: Encoding(np.dtype(kind.as_numpy_dtype), field, np.dtype(kind.as_numpy_dtype))
        for field, kinds in plain.items()
        for kind in kinds
    }
    carried = (
        (tf.half, "half_val", np.uint16, 1),
        (tf.bfloat16, "half_val", np.uint16, 1),
        (tf.complex64, "scomplex_val", np.float32, 2),
        (tf.complex128, "dcomplex_val", np.float64, 2),
        (tf.dtypes.experimental.float8_e5m2, "float8_val", np.uint8, 1),
        (tf.dtypes.experimental.float8_e4m3fn, "float8_val", np.uint8, 1),
        (tf.qint8, "int_val", np.int8, 1),
        (tf.quint8, "int_val", np.uint8, 1),
        (tf.qint16, "int_val", np.int16, 1),
        (tf.quint16, "int_val", np.uint16, 1),
        (tf.qint32, "int_val", np.int32, 1),
    )
    for kind, field, carrier, values in carried:
        dtype = np.dtype(kind.as_numpy_dtype)
        found[kind.as_datatype_enum] = Encoding(dtype, field, np.dtype(carrier), values)
    return found


ENCODINGS = _encodings()
_NUMBERS = {encoding.dtype: number for number, encoding in ENCODINGS.items()}


class Inputs(Mapping[str, Array]):
    """The tensors of a request, each read when it is asked for.

    Args:
        protos: As they came.
    """

    def __init__(self, protos: Mapping[str, TensorProto]) -> None:
        self._protos = protos

    def __getitem__(self, name: str) -> Array:
        return read(self._protos[name], name)

    def __contains__(self, name: object) -> bool:
        return name in self._protos

    def __iter__(self) -> Iterator[str]:
        return iter(self._protos)

    def __len__(self) -> int:
        return len(self._protos)


def read(tensor: TensorProto, name: str) -> Array:
    """Read a tensor, whether its elements are raw bytes or typed values.

    Args:
        tensor: As it came.
        name: The input's, for the message.

    Raises:
        InvalidArgument: It cannot be read; TF Serving's words.
    """
    try:
        encoding = ENCODINGS[tensor.dtype]
        shape = [dim.size for dim in tensor.tensor_shape.dim]
        if tensor.tensor_shape.unknown_rank or any(size < 0 for size in shape):
            raise ValueError(shape)  # noqa: TRY301 all that is wrong has one text
        count = math.prod(shape)
        if tensor.tensor_content:
            return _from_content(tensor.tensor_content, encoding, count).reshape(shape)
        return _from_values(tensor, encoding, count).reshape(shape)
    except (KeyError, ValueError, OverflowError, MemoryError):
        raise InvalidArgument(f"tensor parsing error: {name}") from None


def _from_content(content: bytes, encoding: Encoding, count: int) -> Array:
    if encoding.field == "string_val":
        return _strings(_split(content, count))
    if len(content) != count * encoding.dtype.itemsize:
        raise ValueError(len(content))
    return np.frombuffer(content, encoding.dtype)


def _from_values(tensor: TensorProto, encoding: Encoding, count: int) -> Array:
    """Take as many values as the shape has elements; the last one, or else zero, stands for those that are missing."""
    sent = getattr(tensor, encoding.field)
    missing = count - len(sent) // encoding.values
    if missing > 0 and missing * encoding.dtype.itemsize > LARGEST_FILL:
        raise ValueError(missing)
    if encoding.field == "string_val":
        texts = list(sent[:count])
        return _strings(texts + [texts[-1] if texts else b""] * missing)
    if encoding.field == "float8_val":
        values = np.frombuffer(sent, np.uint8)
    elif encoding.field in {"int_val", "half_val"}:
        values = np.array(sent, np.int32).astype(encoding.carrier)  # too large ones lose their upper bits, as in C++
    else:
        values = np.array(sent, encoding.carrier)
    array: Array = values[: len(values) // encoding.values * encoding.values].view(encoding.dtype)
    if missing <= 0:
        return array[:count]
    if not array.size:
        return np.zeros(count, encoding.dtype)
    return np.concatenate([array, np.full(missing, array[-1], encoding.dtype)])


def _strings(texts: list[bytes]) -> Array:
    array = np.empty(len(texts), object)
    array[:] = texts
    return array


def _split(content: bytes, count: int) -> list[bytes]:
    """Take strings apart: all of their lengths as varints, then all of their bytes."""
    if count > len(content):
        raise ValueError(count)
    lengths, at = [], 0
    for _ in range(count):
        length, shift = 0, 0
        while True:
            if at >= len(content) or shift > 28:  # noqa: PLR2004 a length has 32 bits
                raise ValueError(at)
            byte = content[at]
            at += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:  # noqa: PLR2004 the last of a varint
                break
        lengths.append(length)
    if sum(lengths) != len(content) - at:
        raise ValueError(lengths)
    texts = []
    for length in lengths:
        texts.append(content[at : at + length])
        at += length
    return texts


def write(array: Array, *, as_content: bool = False) -> TensorProto:
    """Write a tensor.

    Args:
        array: Of any type in ENCODINGS.
        as_content: Raw bytes instead of typed values. Strings have typed values always.
    """
    number = number_of(array.dtype)
    encoding = ENCODINGS[number]
    proto = TensorProto(dtype=number)
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    flat = np.ascontiguousarray(array).reshape(-1)
    if encoding.field == "string_val":
        proto.string_val.extend(flat.tolist())
    elif as_content:
        proto.tensor_content = flat.tobytes()
    elif encoding.field == "float8_val":
        proto.float8_val = flat.tobytes()
    else:
        getattr(proto, encoding.field).extend(flat.view(encoding.carrier).tolist())
    return proto


def number_of(dtype: np.dtype[np.generic]) -> "DataType":
    """Return the number of a type on the wire, such as DT_FLOAT's."""
    return cast("DataType", _NUMBERS[dtype])


def dtype_name(dtype: np.dtype[np.generic]) -> str:
    """Return TensorFlow's name of a type, such as `float`."""
    name: str = tf.as_dtype(dtype).name
    return _CPP_NAMES.get(name, name)


_CPP_NAMES = {"float32": "float", "float64": "double", "float16": "half"}
