"""From what was typed and uploaded to one row of tensors, and from a row back to what would be typed."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from tidegate_web.codec.json_text import dumps, loads
from tidegate_web.codec.values import describe, from_array, is_finite, to_array
from tidegate_web.errors import BadInput, Problem
from tidegate_web.form.fields import Field, Group
from tidegate_web.form.images import picture_of_file, picture_of_row, row_of_file
from tidegate_web.form.posted import MAX_FILE_BYTES, Upload
from tidegate_web.prediction import Array, TensorSpec

MOST_TYPED = 2**14
"""The numbers of a larger picture are not repeated in the page."""

MOST_TYPED_BYTES = 2**16
"""The bytes of a larger file are not repeated in the page."""


def read(form: Sequence[Group], files: Mapping[str, Upload]) -> dict[str, Array]:
    """Turn what was typed and uploaded into one row of tensors; a file counts before what is typed beside it.

    Raises:
        BadInput: Problems, each at its field.
    """
    tensors: dict[str, Array] = {}
    problems: list[Problem] = []
    for group in form:
        values: list[Array] = []
        for field in group.fields:
            try:
                values.append(_read_field(field, group, files.get(field.file)))
            except BadInput as error:
                problems.append(_at_field(field, error))
        if len(values) == len(group.fields):
            whole = group.fields[0].kind in {"json", "pixels", "file"}
            tensors[group.name] = values[0] if whole else _row(values, group.spec)
    if problems:
        raise BadInput(problems=tuple(problems))
    return tensors


def write(form: Sequence[Group], tensors: Mapping[str, Array]) -> list[Group]:
    """Put a row of tensors into the fields, as a person would type it."""
    return [_write_group(group, tensors[group.name]) for group in form]


def write_pictures(form: Sequence[Group], tensors: Mapping[str, Array]) -> list[Group]:
    """Put into the fields what was read from pictures; leave the others as they were typed."""
    return [
        _write_group(group, tensors[group.name]) if group.fields[0].kind in {"pixels", "file"} else group
        for group in form
    ]


def row_of_json(value: object, spec: TensorSpec, where: str) -> Array:
    """Turn a JSON value into a tensor; one row of a batch may stand without the list around it.

    Raises:
        BadInput: It does not fit.
    """
    if spec.batched and spec.shape is not None and _depth(value) == len(spec.shape) - 1:
        value = [value]
    return to_array(value, spec, where)


def _at_field(field: Field, error: BadInput) -> Problem:
    if not error.problems:
        return Problem(field.name, field.hint, str(error).removeprefix("The body is "))
    found = error.problems[0]
    # A box holds a whole tensor: the place inside it is part of what came
    came = found.came if found.where in {"", field.name} else f"{found.came} at {found.where}"
    return Problem(field.name, found.expected, came)


def _read_field(field: Field, group: Group, file: Upload | None) -> Array:
    spec = group.spec
    if file is not None:
        return _read_file(field, group, file)
    if not field.typed.strip() and field.kind != "text":
        expected = {"pixels": "a picture, or its numbers", "file": "a file, or base64"}.get(field.kind, field.hint)
        raise BadInput(problems=(Problem(field.name, expected, "nothing"),))
    if field.kind in {"json", "pixels"}:
        return row_of_json(loads(field.typed.encode()), spec, "")
    if field.kind == "file":
        return _bytes_row(_from_base64(field), spec)
    element = replace(spec, shape=())
    if spec.dtype == object:
        return to_array(field.typed.replace("\r\n", "\n"), element, field.name)
    text = field.typed.strip()
    value = _number(text, spec)
    return to_array(text if value is None else value, element, field.name)


def _read_file(field: Field, group: Group, file: Upload) -> Array:
    came = "a larger one" if file.too_large else "an empty one" if not file.data else ""
    if came:
        expected = f"a file of at most {MAX_FILE_BYTES // 2**20} MiB"
        raise BadInput(problems=(Problem(field.name, expected, came),))
    if group.grid is None:
        return _bytes_row(file.data, group.spec)
    return row_of_file(file.data, group.grid, group.spec.dtype)


def _from_base64(field: Field) -> bytes:
    try:
        return base64.b64decode("".join(field.typed.split()), validate=True)
    except (binascii.Error, ValueError):
        raise BadInput(problems=(Problem(field.name, "a file, or base64", describe(field.typed)),)) from None


def _bytes_row(data: bytes, spec: TensorSpec) -> Array:
    row = np.empty(1, dtype=object)
    row[0] = data
    return row.reshape((1, *(1 for _ in (spec.shape or ())[1:])))


def _number(text: str, spec: TensorSpec) -> bool | float | None:
    """Read a number as a person types it; None where it is none."""
    if spec.dtype == np.bool_:
        return {"true": True, "false": False, "1": True, "0": False}.get(text.lower())
    try:
        return float(text) if spec.dtype.kind == "f" else int(text)
    except ValueError:
        return None


def _row(values: list[Array], spec: TensorSpec) -> Array:
    inner = tuple(size or 0 for size in (spec.shape or ())[1:])
    return np.stack(values).reshape((1, *inner))


def _depth(value: object) -> int:
    depth = 0
    while isinstance(value, list):
        depth += 1
        value = value[0] if value else None
    return depth


def _write_group(group: Group, array: Array) -> Group:
    first = group.fields[0]
    if first.kind == "file":
        data = bytes(array.ravel()[0])
        typed = base64.b64encode(data).decode() if len(data) <= MOST_TYPED_BYTES else ""
        return _with(group, [typed], picture_of_file(data))
    if group.grid is not None:
        typed = _json(array) if array.size <= MOST_TYPED else first.typed
        return _with(group, [typed], picture_of_row(array, group.grid))
    if first.kind == "json":
        return _with(group, [_json(array)])
    return _with(group, [_text(element) for element in array.ravel()])


def _with(group: Group, texts: list[str], picture: str = "") -> Group:
    pairs = zip(group.fields, texts, strict=True)
    return replace(group, fields=tuple(replace(field, typed=text, picture=picture) for field, text in pairs))


def _json(array: Array) -> str:
    """Write a tensor; numbers with each row of the last dimension on a line."""
    finite = is_finite(array)
    text = dumps(from_array(array, "", plain=not finite), finite=finite).decode()
    return text if array.dtype == object else text.replace("],[", "],\n[")


def _text(element: object) -> str:
    if isinstance(element, bytes):
        return element.decode(errors="replace")
    text = str(element)  # numpy's own: the shortest that reads back as the same element
    return text.lower() if isinstance(element, np.bool_) else text.removesuffix(".0")
