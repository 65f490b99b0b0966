"""The Open Inference Protocol v2 as a client speaks it: rows to a request, an answer to rows. Standard library only."""

import json
from collections.abc import Mapping, Sequence
from math import prod

from signatures import DEFAULT, Signature, Tensor

DATATYPES = {
    **{
        f"DT_{name}": name
        for name in ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "BOOL")
    },
    "DT_HALF": "FP16",
    "DT_FLOAT": "FP32",
    "DT_DOUBLE": "FP64",
    "DT_STRING": "BYTES",
}


def body(signature: Signature, rows: Sequence[Mapping[str, object]]) -> str:
    """Write a request.

    Args:
        signature: That the rows fit.
        rows: Values by input; exactly one row where requests do not go by rows.
    """
    inputs = [
        {
            "name": name,
            "datatype": DATATYPES[tensor.dtype],
            "shape": shape_of(value := column(signature, tensor, rows, name)),
            "data": flat(value),
        }
        for name, tensor in signature.inputs.items()
    ]
    chosen = {} if signature.name == DEFAULT else {"parameters": {"signature_name": signature.name}}
    return json.dumps({"inputs": inputs} | chosen)


def column(signature: Signature, tensor: Tensor, rows: Sequence[Mapping[str, object]], name: str) -> object:
    """Return an input's value for all rows: stacked, unless the input does not count rows."""
    if tensor.batched or signature.by_rows:
        return [row[name] for row in rows]
    (row,) = rows
    return row[name]


def rows_of(document: object, signature: Signature, count: int) -> list[object] | str:
    """Return what a model said of each row, as `answers.rows_of` does; a text that says what came instead.

    Args:
        document: The answer's JSON.
        signature: Of the request.
        count: Rows that were sent.
    """
    try:
        outputs = {
            output["name"]: nested(output["data"], output["shape"])
            for output in document["outputs"]  # type: ignore[index]  # what is no such document is caught
        }
    except (TypeError, KeyError, ValueError):
        return f"expected JSON with outputs, came {str(document)[:80]}"
    return split(outputs, signature, count)


def split(outputs: Mapping[str, object], signature: Signature, count: int) -> list[object] | str:
    """Take whole outputs apart into rows, each in the form of TF Serving's REST API."""
    if outputs.keys() != signature.outputs.keys():
        return f"expected {', '.join(signature.outputs)}, came {', '.join(outputs) or 'none'}"
    alone = len(outputs) == 1
    if not signature.by_rows:
        return [next(iter(outputs.values())) if alone else dict(outputs)]
    columns: dict[str, list[object]] = {}
    for name, value in outputs.items():
        if not isinstance(value, list) or len(value) != count:
            return f"{name}: expected {count} rows, came {str(value)[:80]}"
        columns[name] = value
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return [next(iter(row.values())) for row in rows] if alone else list(rows)


def nested(elements: Sequence[object], shape: Sequence[int]) -> object:
    """Fold a flat list into a shape.

    Raises:
        ValueError: It has another number of elements.
    """
    if prod(shape) != len(elements):
        raise ValueError(f"expected {prod(shape)} elements, came {len(elements)}")
    if not shape:
        return elements[0]
    step = len(elements) // shape[0] if shape[0] else 0
    return [nested(elements[place * step : (place + 1) * step], shape[1:]) for place in range(shape[0])]


def shape_of(value: object) -> list[int]:
    """Return the sizes of nested lists."""
    return [len(value), *(shape_of(value[0]) if value else [])] if isinstance(value, list) else []


def flat(value: object) -> list[object]:
    """Unfold nested lists."""
    return [item for element in value for item in flat(element)] if isinstance(value, list) else [value]
