"""Single JSON values: how TF Serving shows one, and what it takes one for. Source: its util/json_tensor.cc."""

import base64
import binascii
import json
import math
from collections.abc import Mapping
from itertools import islice

import numpy as np

from tidegate_serving.errors import LONGEST_TEXT, InvalidArgument, Unimplemented
from tidegate_web.prediction import TensorSpec

_LARGEST_FLOAT = float(np.finfo(np.float32).max)
_WHOLE = {"float": 2**24 - 1, "double": 2**53 - 1}
"""The largest whole number that TF Serving takes for each, by absolute value."""


def written(value: object) -> str:
    """Write a JSON value as TF Serving shows it, but no more of it than a text has room for."""
    if isinstance(value, float):
        return _decimal(value)
    pieces = json.JSONEncoder(indent=4, ensure_ascii=False).iterencode(value)
    return "".join(islice(pieces, LONGEST_TEXT))


def _decimal(number: float) -> str:
    if not math.isfinite(number):
        return json.dumps(number)
    narrow = abs(number) <= _LARGEST_FLOAT
    exact = float(np.float32(number)) if narrow else number
    text = f"{exact:.6g}"
    if (float(np.float32(text)) if narrow else float(text)) != exact:
        text = f"{exact:.9g}" if narrow else f"{exact:.17g}"
    return text if "." in text or "e" in text else f"{text}.0"


def is_base64(value: Mapping[str, object]) -> bool:
    """Whether an object stands for bytes."""
    return value.keys() == {"b64"} and isinstance(value["b64"], str)


def check_element(value: object, spec: TensorSpec) -> None:
    """Hold a value against the type of a tensor.

    Raises:
        InvalidArgument: It is of another type, or out of range.
        Unimplemented: The type is none that JSON can carry.
    """
    wanted = spec.wire_dtype.removeprefix("DT_").lower()
    if isinstance(value, dict) and spec.dtype == object:
        _check_base64(value)
        return
    if not spec.carried and not isinstance(value, dict):
        raise Unimplemented(f"Conversion of JSON Value: {written(value)} to type: {wanted}")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {"b": isinstance(value, bool), "O": isinstance(value, str), "f": number}.get(spec.dtype.kind, False)
    if spec.dtype.kind in "iu" and number and isinstance(value, int):
        limits = np.iinfo(spec.dtype.name)
        fits = limits.min <= value <= limits.max
    if not fits:
        raise InvalidArgument(f"JSON Value: {written(value)} Type: {kind_of(value)} is not of expected type: {wanted}")
    if isinstance(value, int | float):
        _check_precision(value, wanted)


def _check_precision(number: float, wanted: str) -> None:
    """Refuse a number that a float type does not hold; whole numbers of more than 64 bits count as decimals."""
    if wanted not in _WHOLE:
        return
    whole = isinstance(number, int) and -(2**63) <= number < 2**64
    largest = _WHOLE[wanted] if whole else {"float": _LARGEST_FLOAT}.get(wanted, math.inf)
    if math.inf != abs(number) > largest:
        raise InvalidArgument(f"Cannot convert JSON value: {written(number)} to {wanted} without loss of precision.")


def _check_base64(value: Mapping[str, object]) -> None:
    text = value.get("b64")
    if not is_base64(value) or not isinstance(text, str):
        raise InvalidArgument(f"JSON Value: {written(value)} not formatted correctly for base64 data")
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidArgument("Unable to base64 decode") from None


def kind_of(value: object) -> str:
    """Name a value's JSON type."""
    match value:
        case None:
            return "Null"
        case bool():
            return str(value)
        case str():
            return "String"
        case list():
            return "Array"
        case dict():
            return "Object"
        case _:
            return "Number"


def feature_kind(name: str, value: object) -> str:
    """Return which list of a tf.Example an element of the named feature is for.

    Raises:
        InvalidArgument: For none, or out of range.
    """
    match value:
        case str():
            return "bytes"
        case dict() if is_base64(value):
            _check_base64(value)
            return "bytes"
        case None | dict() | list():
            raise InvalidArgument(f"Feature: {name} has element with unexpected JSON type: {kind_of(value)}")
        case int() if 2**63 <= value < 2**64:
            raise InvalidArgument(f"Feature: {name} has uint64 element. Only int64 is supported.")
        case int() if abs(value) < 2**63:
            return "int64"
        case _:
            assert isinstance(value, int | float)  # noqa: S101 JSON has nothing else
            _check_precision(value, "float")
            return "float"
