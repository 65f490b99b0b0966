"""The binary tensor extension of the Open Inference Protocol: tensors as raw bytes behind the JSON part of a body.

Elements are little-endian and row-major; each string follows its length as an unsigned 32-bit integer. A tensor's
`binary_data_size` says how many bytes are its own; tensors lie in the order in which the JSON part names them.
"""

import struct

import numpy as np

from tidegate_web.errors import BadInput, Problem
from tidegate_web.prediction import Array

_LENGTH = struct.Struct("<I")


def split(body: bytes, json_size: str | None) -> tuple[bytes, memoryview]:
    """Part a body into its JSON and the raw tensors behind it.

    Args:
        body: All of it.
        json_size: The header `Inference-Header-Content-Length`; None where it is not given, so that all is JSON.

    Raises:
        BadInput: The header is no size of a part of this body.
    """
    if json_size is None:
        return body, memoryview(b"")
    # isdecimal takes digits of every script, and int() would too
    size = int(json_size) if json_size.isascii() and json_size.isdecimal() and len(json_size) < _LONGEST_SIZE else -1
    if not 0 <= size <= len(body):
        expected = f"how many bytes of the body's {len(body)} are JSON"
        raise BadInput(problems=(Problem("Inference-Header-Content-Length", expected, repr(json_size[:40])),))
    return body[:size], memoryview(body)[size:]


_LONGEST_SIZE = 20
"""Digits of any size that a body may have."""


def read(raw: memoryview, dtype: np.dtype[np.generic], count: int, where: str) -> Array:
    """Read a flat tensor.

    Args:
        raw: Its bytes.
        dtype: Type of its elements.
        count: How many there are.
        where: Path of the tensor, for messages.

    Raises:
        BadInput: The bytes are not so many elements.
    """
    if dtype.kind == "O":
        return _read_strings(raw, count, where)
    if len(raw) != count * dtype.itemsize:
        expected = f"{count * dtype.itemsize} bytes for {count} elements of {dtype.itemsize}"
        raise _misfit(where, expected, f"{len(raw)}")
    if dtype == np.bool_:
        return np.frombuffer(raw, np.uint8).astype(np.bool_)
    return np.frombuffer(raw, dtype.newbyteorder("<")).astype(dtype, copy=False)


def _read_strings(raw: memoryview, count: int, where: str) -> Array:
    strings: list[bytes] = []
    offset = 0
    while offset < len(raw):
        begin = offset + _LENGTH.size
        length = _LENGTH.unpack_from(raw, offset)[0] if begin <= len(raw) else len(raw)
        offset = begin + length
        if offset > len(raw):
            raise _misfit(where, "strings that each follow their length in 4 bytes", "the end within a string")
        strings.append(bytes(raw[begin:offset]))
    if len(strings) != count:
        raise _misfit(where, f"{count} strings", f"{len(strings)}")
    flat = np.empty(count, dtype=object)
    flat[:] = strings
    return flat


def _misfit(where: str, expected: str, came: str) -> BadInput:
    return BadInput(problems=(Problem(f"{where}.parameters.binary_data_size", expected, came),))


def write(array: Array) -> bytes:
    """Write a tensor's elements."""
    if array.dtype == object:
        return b"".join(part for text in array.ravel().tolist() for part in (_LENGTH.pack(len(text)), text))
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
