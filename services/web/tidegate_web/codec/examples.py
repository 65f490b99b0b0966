"""TF Serving's REST bodies of classify and regress: `examples` and `context` → `results`.

TF Serving's documentation calls the answer's member `result`; its code (util/json_tensor.cc) and this one write
`results`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tidegate_web.codec import json_text
from tidegate_web.codec.rest_v1 import members, signature_name
from tidegate_web.codec.values import describe, to_array
from tidegate_web.errors import BadInput, Problem
from tidegate_web.prediction import Array, Example, TensorSpec

_BYTES = TensorSpec(np.dtype(object), None, "DT_STRING")
_INT64 = TensorSpec(np.dtype(np.int64), None, "DT_INT64")
_FLOAT = TensorSpec(np.dtype(np.float32), None, "DT_FLOAT")


@dataclass(frozen=True, slots=True)
class ExamplesBody:
    """A parsed body of classify or regress."""

    signature_name: str
    examples: Sequence[Example]
    context: Example | None


def parse_examples(body: bytes) -> ExamplesBody:
    """Read a body of `:classify` or `:regress`.

    A feature is a value or a list of values: whole numbers and booleans are int64, decimals float32 (so `1.0` is one
    and `1` is not; a list that holds both is float32), texts and `{"b64": …}` bytes.

    Raises:
        BadInput: Not JSON, not an object, no example, or a feature that is none of these.
    """
    document = members(body, '"examples"')
    json_text.refuse_repeated(body, document, {"examples": 1, "context": 1, "signature_name": 1})
    rows = document.get("examples")
    if not isinstance(rows, list) or not rows:
        came = describe(rows) if "examples" in document else f"the keys {sorted(document)[:5]}"
        raise BadInput(problems=(Problem("examples", "a list of one example or more", came),))
    context = _example(document["context"], "context") if "context" in document else None
    examples = [_example(row, f"examples[{index}]") for index, row in enumerate(rows)]
    return ExamplesBody(signature_name(document), examples, context)


def _example(value: object, where: str) -> Example:
    if not isinstance(value, dict):
        raise BadInput(problems=(Problem(where, "an object of features by name", describe(value)),))
    return {name: _feature(feature, f"{where}.{name}") for name, feature in value.items()}


def _feature(value: object, where: str) -> Array:
    elements = value if isinstance(value, list) else [value]
    kinds = set(map(type, elements))
    if kinds <= {int, bool}:  # also without elements, where the type does not matter
        whole = [int(element) for element in elements if isinstance(element, int)]
        return to_array(whole if isinstance(value, list) else whole[0], _INT64, where).reshape(-1)
    if kinds <= {int, float}:
        return to_array(value, _FLOAT, where).reshape(-1)
    if kinds <= {str, dict}:
        return to_array(value, _BYTES, where).reshape(-1)
    for index, element in enumerate(elements):
        if not isinstance(element, str | int | float | dict):
            path = f"{where}[{index}]" if isinstance(value, list) else where
            raise BadInput(problems=(Problem(path, 'a number, a text or {"b64": "…"}', describe(element)),))
    expected = "elements of one kind: numbers, whole numbers and booleans, or texts and bytes"
    raise BadInput(problems=(Problem(where, expected, "several kinds"),))


def encode_classes(classes: Sequence[Sequence[tuple[str, float]]]) -> bytes:
    """Write for each example its `[label, score]` pairs."""
    flat = np.array([score for found in classes for _, score in found], np.float32)
    scores = iter(_decimals(flat))
    results = [[(label, next(scores)) for label, _ in found] for found in classes]
    return json_text.dumps({"results": results}, finite=bool(np.isfinite(flat).all()))


def encode_values(values: Sequence[float]) -> bytes:
    """Write a value for each example."""
    array = np.array(values, np.float32)
    return json_text.dumps({"results": _decimals(array)}, finite=bool(np.isfinite(array).all()))


def _decimals(array: Array) -> list[float]:
    """Give the shortest decimals that read back as the same float32s."""
    return [float(str(number)) for number in array]
