"""JSON Schemas of tensors: what a request may hold for an input, and what an answer holds for an output."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tidegate_web.codec.oip_v2 import DATATYPES
from tidegate_web.prediction import Signature, TensorSpec

Schema = dict[str, Any]

ROWS_SPELT_OUT = (1, 2, 3)
"""Numbers of rows for which a schema is written where it can only say one number at a time."""

LIKE_THE_FIRST = "As the first of these schemas, for another number of rows"

BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"

BYTES: Schema = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "description": "Bytes that are no text",
            "properties": {"b64": {"type": "string", "contentEncoding": "base64", "pattern": BASE64}},
            "required": ["b64"],
            "additionalProperties": False,
        },
    ]
}


def text(description: str = "", **more: object) -> Schema:
    """Return the schema of a text."""
    return {"type": "string", **({"description": description} if description else {}), **more}


def record(properties: Mapping[str, Schema | bool], required: Sequence[str] | None = None, **more: object) -> Schema:
    """Return the schema of an object; all its members are required unless told otherwise, False forbids one."""
    needed = list(properties) if required is None else list(required)
    return {"type": "object", "properties": dict(properties), **({"required": needed} if needed else {}), **more}


def listing(items: Schema, size: int | None = None, least: int = 0) -> Schema:
    """Return the schema of a list, of exactly `size` or at least `least` items."""
    bounds = {"minItems": size, "maxItems": size} if size is not None else {"minItems": least} if least else {}
    return {"type": "array", "items": items, **bounds}


def element(spec: TensorSpec, *, bounded: bool) -> Schema:
    """Return the schema of one element.

    Args:
        spec: The tensor.
        bounded: Whether to say which numbers fit, as for what comes in.
    """
    match spec.dtype.kind:
        case "V":
            return {}  # it is not carried
        case "O":
            return BYTES
        case "b":
            return {"type": "boolean"}
        case "f":
            return {"type": "number"} | (_floats(spec.dtype) if bounded else {})
        case _:
            whole = np.iinfo(spec.dtype.name)
            limits = {"minimum": int(whole.min), "maximum": int(whole.max)}
            return {"type": "integer"} | (limits if bounded else {})


def _floats(dtype: np.dtype[np.generic]) -> Schema:
    """Return the bounds of the numbers that do not round to an infinity."""
    limits = np.finfo(dtype.name)
    if dtype.itemsize >= np.dtype(np.float64).itemsize:
        return {"minimum": float(limits.min), "maximum": float(limits.max)}
    # Half a unit of the last place above the largest
    bound = float(limits.max) + 2.0 ** (limits.maxexp - limits.nmant - 2)
    return {"exclusiveMinimum": -bound, "exclusiveMaximum": bound}


def nested(spec: TensorSpec, *, bounded: bool, outer: int = 0, rows: int | None = None) -> Schema:
    """Return the schema of a tensor as nested lists.

    Args:
        spec: The tensor.
        bounded: Whether it is an input: numbers are to fit.
        outer: How many of its first dimensions to leave out.
        rows: What a size is where any will do; None to say so.
    """
    leaf = element(spec, bounded=bounded)
    if spec.shape is None:
        # Of any rank: spelt out as far as lists cannot be ragged
        whole = leaf if outer else {"anyOf": [leaf, listing(leaf)]}
        return whole if bounded else {}
    schema = leaf
    for place, size in reversed(list(enumerate(spec.shape))[outer:]):
        # An empty list has no shape within: only the innermost may be one
        least = 1 if bounded and place < len(spec.shape) - 1 else 0
        schema = listing(schema, rows if size is None else size, least)
    return schema


def takes_rows(specs: Mapping[str, TensorSpec]) -> bool:
    """Whether tensors can be written row by row: all have a first dimension of the same size."""
    firsts = {spec.shape[0] if spec.shape else 0 for spec in specs.values() if spec.shape is not None}
    return bool(specs) and 0 not in firsts and len(firsts) <= 1


def rows_of(specs: Mapping[str, TensorSpec], *, bounded: bool) -> list[Schema]:
    """Return the schemas of a list of rows: of values where there is one tensor, and of objects by name."""
    first = next(iter(specs.values())).shape
    size = first[0] if first else None
    values = {name: nested(spec, bounded=bounded, outer=1) for name, spec in specs.items()}
    least = 1 if bounded else 0
    named = listing(record(values, additionalProperties=False), size, least)
    if len(values) > 1:
        return [named]
    (value,) = values.values()
    return [listing(value, size, least), *([named] if bounded else [])]


def columns_of(specs: Mapping[str, TensorSpec], *, bounded: bool) -> list[Schema]:
    """Return the schemas of tensors whole: of the value where there is one, and of an object by name.

    Names that the signature has not are ignored there, as TF Serving does.
    """
    together = bounded and sum(spec.batched for spec in specs.values()) > 1
    named = [
        record({name: nested(spec, bounded=bounded, rows=rows) for name, spec in specs.items()})
        | ({"$comment": LIKE_THE_FIRST} if rows not in {None, ROWS_SPELT_OUT[0]} else {})
        for rows in (ROWS_SPELT_OUT if together else (None,))
    ]
    if len(specs) > 1:
        return named
    return [*(nested(spec, bounded=bounded) for spec in specs.values()), *(named if bounded else [])]


def infer_tensors(signature: Signature) -> list[Schema]:
    """Return schemas of the `inputs` of an infer request, one for each number of rows that is spelt out.

    `data` holds as many elements as `shape` says, which JSON Schema can only say of one shape at a time.
    """
    dynamic = any(spec.shape is None or None in spec.shape for spec in signature.inputs.values())
    first, *others = [_infer_tensors(signature.inputs, rows) for rows in (ROWS_SPELT_OUT if dynamic else (1,))]
    return [first, *({"$comment": LIKE_THE_FIRST, **schema} for schema in others)]


def _infer_tensors(specs: Mapping[str, TensorSpec], rows: int) -> Schema:
    tensors = [_infer_tensor(name, spec, rows) for name, spec in specs.items()]
    bounds = {"minItems": len(tensors), "maxItems": len(tensors)}
    if len(tensors) == 1:
        return {"type": "array", "items": tensors[0], **bounds}
    return {"type": "array", "prefixItems": tensors, "items": False, **bounds}


def _infer_tensor(name: str, spec: TensorSpec, rows: int) -> Schema:
    shape: list[int] = [rows if size is None else size for size in ((None,) if spec.shape is None else spec.shape)]
    count = int(np.prod(shape, dtype=object))
    flat = listing(element(spec, bounded=True), count)
    whole = TensorSpec(spec.dtype, tuple(shape), spec.wire_dtype)
    forms = [flat, *([nested(whole, bounded=True)] if len(shape) > 1 and count else [])]
    return record(
        {
            "name": {"const": name},
            "datatype": {"const": DATATYPES[spec.dtype]},
            "shape": {"const": shape},
            "data": forms[0] if len(forms) == 1 else {"anyOf": forms},
        }
    )
