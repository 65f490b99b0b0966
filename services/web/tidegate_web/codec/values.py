"""Nested JSON values to one numpy array of a signature's type, and an array to nested JSON values."""

import base64
import binascii
import json
import math
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import cast

import numpy as np

from tidegate_web.errors import BadInput, Problem
from tidegate_web.prediction import Array, TensorSpec

MAX_RANK = 32
"""TensorFlow's own limit is 254; numpy's is 64. Nobody sends more than a few."""

_SHOWN = 60


def describe(value: object) -> str:
    """Say what a JSON value is, briefly enough for an error message."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {_cut(str(value))}"
        case str():
            return f"the text {_cut(json.dumps(value, ensure_ascii=False))}"
        case list():
            return f"a list of {len(value)}"
        case _:
            return "an object"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def to_array(value: object, spec: TensorSpec, where: str) -> Array:
    """Turn nested lists into an array of the signature's dtype.

    Args:
        value: Parsed JSON: a scalar or nested lists, `{"b64": …}` for bytes.
        spec: What the signature wants; the shape is checked too.
        where: Path of the value, for messages.

    Raises:
        BadInput: A leaf of another type or out of range, ragged lists, or another shape.
    """
    array = _few_numbers(value, spec)
    if array is not None and spec.accepts(array.shape):
        return array
    shape = _shape(value)
    fits = spec.accepts(shape)
    array = _many_numbers(value, shape, spec) if fits else None
    if array is None and (fits or not shape or shape[0] <= _FEW):  # a long one is not searched for what else is wrong
        array = to_array_by_leaves(value, spec, where)
    if array is None or not fits:
        raise BadInput(problems=(Problem(where, str(spec), f"the shape [{', '.join(map(str, shape))}]"),))
    return array


_NUMBERS: dict[str, set[type]] = {"f": {int, float}, "i": {int}, "u": {int}}
"""What JSON numbers of each kind of dtype parse to; a decimal is no whole number, and a boolean no number."""

_LARGEST = {2: 65504.0, 4: float(np.finfo(np.float32).max), 8: math.inf}
"""The largest number of a float dtype, by its size in bytes."""

_FEW = 64
"""Elements of a tensor that is converted in the fewest steps."""


def _few_numbers(value: object, spec: TensorSpec) -> Array | None:
    """Convert a small tensor in the fewest steps; None where it is none, and where anything needs a closer look."""
    kinds = _NUMBERS.get(spec.dtype.kind)
    if kinds is None or not spec.shape or not isinstance(value, list):
        return None
    nested: Iterable[object] = value
    for _ in spec.shape[1:]:
        nested = chain.from_iterable(cast("Iterable[list[object]]", nested))
    try:
        leaves = cast("list[float]", list(islice(nested, _FEW + 1)))
        if not 0 < len(leaves) <= _FEW or not kinds.issuperset(map(type, leaves)):
            return None
        if spec.dtype.kind == "f" and not max(map(abs, leaves)) <= _LARGEST[spec.dtype.itemsize]:
            return None
        return np.array(value, spec.dtype)
    except (TypeError, ValueError, OverflowError):
        return None


def _many_numbers(value: object, shape: tuple[int, ...], spec: TensorSpec) -> Array | None:
    """Convert a large tensor from its innermost lists, twice as fast as numpy from the outermost.

    Args:
        value: Parsed JSON.
        shape: Its `_shape`.
        spec: What the signature wants.

    Returns:
        None where anything needs a closer look: a ragged list, a leaf of another type, a number that is too large.
    """
    kinds = _NUMBERS.get(spec.dtype.kind)
    count = math.prod(shape)
    if kinds is None or not shape or not count:
        return None
    lists: Iterable[list[object]] = [cast("list[object]", value)]
    try:
        for size in shape[1:]:
            lists = list(chain.from_iterable(cast("Iterable[list[list[object]]]", lists)))
            if {size} != set(map(len, lists)):
                return None
        if not kinds.issuperset(map(type, chain.from_iterable(lists))):
            return None
        with np.errstate(over="raise"):
            return np.fromiter(chain.from_iterable(lists), spec.dtype, count).reshape(shape)
    except (TypeError, ValueError, OverflowError, FloatingPointError):
        return None


def to_array_by_leaves(value: object, spec: TensorSpec, where: str) -> Array:
    """Convert element by element: slow, but knows where what does not fit stands. The shape is not checked.

    Raises:
        BadInput: A leaf of another type or out of range, or ragged lists.
    """
    shape = _shape(value)
    leaves = [_leaf(leaf, spec, path) for leaf, path in _leaves(value, shape, where)]
    try:
        with np.errstate(over="raise"):
            return np.array(leaves, dtype=spec.dtype).reshape(shape)
    except (OverflowError, FloatingPointError):
        raise BadInput(problems=(Problem(where, f"numbers that fit {spec.dtype_name}", "a larger one"),)) from None


def _shape(value: object) -> tuple[int, ...]:
    """Sizes along the first element of each level."""
    shape: list[int] = []
    while isinstance(value, list) and len(shape) < MAX_RANK:
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def _leaves(value: object, shape: tuple[int, ...], where: str) -> Iterator[tuple[object, str]]:
    if not shape:
        yield value, where
        return
    if not isinstance(value, list) or len(value) != shape[0]:
        raise BadInput(problems=(Problem(where, f"a list of {shape[0]}, like its neighbours", describe(value)),))
    for index, item in enumerate(value):
        yield from _leaves(item, shape[1:], f"{where}[{index}]")


def _leaf(value: object, spec: TensorSpec, where: str) -> object:
    kind = spec.dtype.kind
    if kind == "O":
        return _bytes(value, where)
    fits = {
        "b": isinstance(value, bool),
        "i": isinstance(value, int) and not isinstance(value, bool),
        "u": isinstance(value, int) and not isinstance(value, bool),
        "f": isinstance(value, (int, float)) and not isinstance(value, bool),
    }
    if not fits.get(kind, False):
        expected = {"b": "true or false", "f": "a number"}.get(kind, "a whole number")
        raise BadInput(problems=(Problem(where, expected, describe(value)),))
    if kind in "iu" and isinstance(value, int):
        limits = np.iinfo(spec.dtype.name)
        if not limits.min <= value <= limits.max:
            expected = f"a whole number from {limits.min} to {limits.max}"
            raise BadInput(problems=(Problem(where, expected, describe(value)),))
    if kind == "f" and isinstance(value, int):
        try:
            return float(value)
        except OverflowError:
            raise BadInput(problems=(Problem(where, "a number that a float can hold", describe(value)),)) from None
    return value


def _bytes(value: object, where: str) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str):
        try:
            return base64.b64decode(value["b64"], validate=True)
        except (binascii.Error, ValueError):
            raise BadInput(problems=(Problem(f"{where}.b64", "base64", describe(value["b64"])),)) from None
    raise BadInput(problems=(Problem(where, 'a text or {"b64": "…"}', describe(value)),))


def is_finite(array: Array) -> bool:
    """Whether JSON proper can write all its numbers."""
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def from_array(array: Array, name: str, *, plain: bool) -> object:
    """Give what the JSON writer takes for an array.

    Args:
        array: An output.
        name: Its name: outputs named `*_bytes` are written as `{"b64": …}`.
        plain: Whether to give lists of Python numbers rather than the array itself.
    """
    if array.dtype == object:
        return _texts(array.tolist(), b64=name.endswith("_bytes"))
    plain = plain or not array.ndim  # orjson takes no array without dimensions
    if plain and array.dtype.kind == "f":
        # The shortest decimal that reads back as the same element, not its widening to 64 bits
        return np.array([float(str(number)) for number in array.ravel()]).reshape(array.shape).tolist()
    return array.tolist() if plain else np.ascontiguousarray(array)


def _texts(value: object, *, b64: bool) -> object:
    if isinstance(value, list):
        return [_texts(item, b64=b64) for item in value]
    if not isinstance(value, bytes):
        return value
    if not b64:
        try:
            return value.decode()
        except UnicodeDecodeError:
            pass  # bytes that are no text are still bytes
    return {"b64": base64.b64encode(value).decode()}
