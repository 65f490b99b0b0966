"""From a signature's inputs to the fields of a form, and from what was typed to tensors."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tidegate_web.codec.json_text import loads
from tidegate_web.codec.values import describe, to_array
from tidegate_web.errors import BadInput, Problem
from tidegate_web.prediction import Array, Signature, TensorSpec

MOST_BOXES = 16
"""An input of more elements a row is typed as JSON into one box."""


@dataclass(frozen=True, slots=True)
class Field:
    """One control of the form.

    Attributes:
        name: Its name in the form, `INPUT.INDEX` or `INPUT`.
        label: What a person reads.
        hint: What to type.
        kind: `number`, `text` or `json`.
        typed: What was typed.
        error: What is wrong with it.
    """

    name: str
    label: str
    hint: str
    kind: str
    typed: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """The fields of one input."""

    name: str
    spec: TensorSpec
    fields: tuple[Field, ...]


def groups(signature: Signature) -> list[Group]:
    """Return the fields of every input of a signature, empty."""
    return [Group(name, spec, _fields(name, spec)) for name, spec in signature.inputs.items()]


def fill(form: list[Group], typed: Mapping[str, str]) -> list[Group]:
    """Put into the fields what was typed; the tutorial's names `input1`, `input2`, … are understood too."""
    places = [field.name for group in form for field in group.fields]
    texts = {name: typed.get(name, typed.get(f"input{number}", "")) for number, name in enumerate(places, 1)}
    return [
        replace(group, fields=tuple(replace(field, typed=texts[field.name]) for field in group.fields))
        for group in form
    ]


def mark(form: list[Group], error: BadInput) -> list[Group]:
    """Put each problem beside the field that it is about."""
    texts = {problem.where: f"Expected {problem.expected}, came {problem.came}." for problem in error.problems}
    return [
        replace(group, fields=tuple(replace(field, error=texts.get(field.name, "")) for field in group.fields))
        for group in form
    ]


def read(form: list[Group]) -> dict[str, Array]:
    """Turn what was typed into one row of tensors.

    Raises:
        BadInput: Problems, each at its field.
    """
    tensors: dict[str, Array] = {}
    problems: list[Problem] = []
    for group in form:
        values: list[Array] = []
        for field in group.fields:
            try:
                values.append(_read_field(field, group.spec))
            except BadInput as error:
                found = error.problems or (Problem(field.name, field.hint, describe(field.typed)),)
                # A box holds a whole tensor: the place inside it is part of what came
                problems += [
                    Problem(field.name, p.expected, p.came if p.where == field.name else f"{p.came} at {p.where}")
                    for p in found[:1]
                ]
        if len(values) == len(group.fields):
            tensors[group.name] = values[0] if group.fields[0].kind == "json" else _row(values, group.spec)
    if problems:
        raise BadInput(problems=tuple(problems))
    return tensors


def _fields(name: str, spec: TensorSpec) -> tuple[Field, ...]:
    size = _row_size(spec)
    if size is None:
        return (Field(name, name, f"JSON: {spec}", "json"),)
    kind, hint = ("text", "a text") if spec.dtype == object else ("number", _number_hint(spec))
    if spec.dtype == np.bool_:
        kind = "text"
    if size == 1:
        return (Field(f"{name}.0", name, hint, kind),)
    return tuple(Field(f"{name}.{index}", f"{name} {index + 1} of {size}", hint, kind) for index in range(size))


def _number_hint(spec: TensorSpec) -> str:
    return {"b": "true or false", "f": "a number"}.get(spec.dtype.kind, "a whole number")


def _row_size(spec: TensorSpec) -> int | None:
    """Count the elements of one row where they are few and known."""
    if not spec.batched or spec.shape is None:
        return None
    sizes = [size for size in spec.shape[1:] if size is not None]
    size = math.prod(sizes)
    return size if len(sizes) == len(spec.shape) - 1 and 0 < size <= MOST_BOXES else None


def _read_field(field: Field, spec: TensorSpec) -> Array:
    if field.kind == "json":
        return to_array(loads(field.typed.encode()), spec, field.name)
    element = replace(spec, shape=())
    text = field.typed.strip()
    if spec.dtype == object:
        return to_array(field.typed, element, field.name)
    if not text:
        raise BadInput(problems=(Problem(field.name, field.hint, "nothing"),))
    value = _number(text, spec)
    return to_array(text if value is None else value, element, field.name)


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
