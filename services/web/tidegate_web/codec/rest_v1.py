"""TF Serving's REST bodies: row form (`instances` → `predictions`) and column form (`inputs` → `outputs`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np

from tidegate_web.codec import json_text
from tidegate_web.codec.values import describe, from_array, is_finite, to_array
from tidegate_web.errors import BadInput, Problem
from tidegate_web.prediction import DEFAULT_SIGNATURE, Array, ModelMetadata, Signature


class Layout(Enum):
    """How a body lays out its tensors; the value is the body's key, and answers use the same layout."""

    ROWS = "instances"
    COLUMNS = "inputs"


@dataclass(slots=True)
class PredictBody:
    """A parsed body, not yet held against a signature."""

    layout: Layout
    signature_name: str
    tensors: object


def parse_predict(body: bytes) -> PredictBody:
    """Read a body of `:predict`; members that nobody knows are ignored, as TF Serving does.

    Raises:
        BadInput: Not JSON, not an object, neither or both of `instances` and `inputs`, or one of them twice.
    """
    document = members(body, '"instances" or "inputs"')
    by_rows = "instances" in document
    if by_rows == ("inputs" in document):
        came = "both" if by_rows else f"the keys {sorted(document)[:5]}"
        raise BadInput(problems=(Problem("body", 'one of "instances" (rows) and "inputs" (columns)', came),))
    layout, key = (Layout.ROWS, "instances") if by_rows else (Layout.COLUMNS, "inputs")
    values = document[key]
    named_like_it = isinstance(values, dict) and key in values  # and_gate's own input is "inputs"
    json_text.refuse_repeated(body, document, {key: 2 if named_like_it else 1, "signature_name": 1})
    return PredictBody(layout, signature_name(document), values)


def members(body: bytes, expected: str) -> dict[str, object]:
    """Parse a body that must be an object.

    Args:
        body: As it came.
        expected: The members that it should have, for the message.

    Raises:
        BadInput: Not JSON, or not an object.
    """
    document = json_text.loads(body)
    if not isinstance(document, dict):
        raise BadInput(problems=(Problem("body", f"an object with {expected}", describe(document)),))
    return document


def signature_name(document: Mapping[str, object]) -> str:
    """Return the signature that a body names; the default one where it names none, or an empty one.

    Raises:
        BadInput: It is no text.
    """
    name = document.get("signature_name", DEFAULT_SIGNATURE)
    if not isinstance(name, str):
        raise BadInput(problems=(Problem("signature_name", "a text", describe(name)),))
    return name or DEFAULT_SIGNATURE


def select_signature(metadata: ModelMetadata, name: str) -> Signature:
    """Return the named signature.

    Raises:
        BadInput: There is none of that name; TF Serving's words.
    """
    try:
        return metadata.signatures[name]
    except KeyError:
        raise BadInput(
            f'Serving signature name: "{name}" not found in signature def',
            (Problem("signature_name", f"one of {sorted(metadata.signatures)}", describe(name)),),
        ) from None


def tensors(body: PredictBody, signature: Signature) -> dict[str, Array]:
    """Hold a body against a signature: an array for every input.

    Raises:
        BadInput: Missing or unknown inputs, or values that do not fit; names every place.
    """
    for name, spec in signature.inputs.items():
        if not spec.carried:
            raise BadInput(
                f'The model\'s input "{name}" is of type {spec.wire_dtype}, which a JSON request cannot carry'
            )
    if body.layout is Layout.ROWS:
        where, columns = "instances", _columns_of_rows(body.tensors, signature)
    else:
        where, columns = "inputs", _columns(body, signature)
    if len(columns) == 1:
        ((name, column),) = columns.items()
        return {name: to_array(column, signature.inputs[name], where)}
    return {name: to_array(column, signature.inputs[name], f"{where}.{name}") for name, column in columns.items()}


def _columns(body: PredictBody, signature: Signature) -> dict[str, object]:
    value = body.tensors
    if len(signature.inputs) == 1:
        (name,) = signature.inputs
        is_named = isinstance(value, dict) and value.keys() != {"b64"}
        if not is_named:
            return {name: value}
    if isinstance(value, dict):  # TF Serving takes what it needs and ignores the rest
        value = {name: value[name] for name in value if name in signature.inputs}
    return _named(value, signature, "inputs")


def _columns_of_rows(rows: object, signature: Signature) -> dict[str, object]:
    if not isinstance(rows, list) or not rows:
        raise BadInput(problems=(Problem("instances", "a list of one row or more", describe(rows)),))
    first = rows[0]
    if len(signature.inputs) == 1 and not (isinstance(first, dict) and first.keys() != {"b64"}):
        (name,) = signature.inputs
        return {name: rows}
    named = [_named(row, signature, f"instances[{index}]") for index, row in enumerate(rows)]
    return {name: [row[name] for row in named] for name in signature.inputs}


def _named(value: object, signature: Signature, where: str) -> dict[str, object]:
    """Check that an object names exactly the signature's inputs."""
    expected = f"an object with {', '.join(sorted(signature.inputs))}"
    if not isinstance(value, dict):
        raise BadInput(problems=(Problem(where, expected, describe(value)),))
    if value.keys() != signature.inputs.keys():
        came = ", ".join(sorted(map(str, value))[:10]) or "none"
        raise BadInput(problems=(Problem(where, expected, came),))
    return value


def encode_outputs(outputs: Mapping[str, Array], layout: Layout) -> bytes:
    """Write an answer in the layout of its question.

    Raises:
        BadInput: Rows were asked for and the outputs have none, or do not agree on how many; TF Serving's words.
    """
    if len(outputs) == 1:
        (array,) = outputs.values()
        if array.dtype.kind in "fiu" and array.ndim:
            key = "outputs" if layout is Layout.COLUMNS else "predictions"
            text = json_text.dumps({key: np.ascontiguousarray(array)})
            if b"null" not in text:  # as orjson writes NaN and infinities
                return text
    if layout is Layout.ROWS:
        _check_rows(outputs)
    finite = all(is_finite(array) for array in outputs.values())
    values = {name: from_array(array, name, plain=not finite) for name, array in outputs.items()}
    if layout is Layout.COLUMNS:
        columns = next(iter(values.values())) if len(values) == 1 else values
        return json_text.dumps({"outputs": columns}, finite=finite)
    if len(values) == 1:
        return json_text.dumps({"predictions": next(iter(values.values()))}, finite=finite)
    lists = {name: from_array(array, name, plain=True) for name, array in outputs.items()}
    rows = [dict(zip(lists, row, strict=True)) for row in zip(*map(_as_list, lists.values()), strict=True)]
    return json_text.dumps({"predictions": rows}, finite=finite)


def _check_rows(outputs: Mapping[str, Array]) -> None:
    """Refuse outputs that cannot be cut into rows."""
    rows: int | None = None
    for name, array in outputs.items():
        why = ""
        if not array.ndim:
            why = f"Tensor name: {name} has no shape information "
        elif rows is not None and array.shape[0] != rows:
            why = f"Tensor name: {name} has inconsistent batch size: {array.shape[0]} expecting: {rows}"
        if why:
            problem = Problem(
                "body", 'column form ("inputs"), as outputs have no common rows', 'row form ("instances")'
            )
            raise BadInput(why, (problem,))
        rows = array.shape[0]


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]
