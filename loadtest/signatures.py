"""A model's signature as the gateway tells it (`GET /v1/models/M/metadata`), and the bodies that fit it.

Standard library only: the load test's image has nothing else, and `compare/` uses it too.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DEFAULT = "serving_default"
PREDICT = "tensorflow/serving/predict"

Shape = tuple[int | None, ...]


class SignatureError(Exception):
    """What came is no metadata, or has no such signature; the text says what was expected."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output.

    Attributes:
        dtype: TensorFlow's name, such as DT_FLOAT.
        shape: With None for sizes that are free; None where even the rank is.
    """

    dtype: str
    shape: Shape | None

    @property
    def batched(self) -> bool:
        """Whether its first dimension counts rows."""
        return self.shape is None or self.shape[:1] == (None,)

    def __str__(self) -> str:
        sizes = "?" if self.shape is None else ", ".join("-1" if size is None else str(size) for size in self.shape)
        return f"{self.dtype} [{sizes}]"


@dataclass(frozen=True, slots=True)
class Signature:
    """What goes in and what comes out.

    Attributes:
        name: By which a body chooses it.
        inputs: By name.
        outputs: By name.
    """

    name: str
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]

    @property
    def by_rows(self) -> bool:
        """Whether a request can hold several rows (`instances`); else it holds one in columns (`inputs`)."""
        return all(tensor.batched for tensor in (*self.inputs.values(), *self.outputs.values()))

    @property
    def answer_key(self) -> str:
        """The member of an answer that holds what the model said."""
        return "predictions" if self.by_rows else "outputs"

    def body(self, rows: Sequence[str]) -> str:
        """Write a request.

        Args:
            rows: The JSON text of each row, as of `row`; exactly one where requests do not go by rows.
        """
        chosen = "" if self.name == DEFAULT else f'"signature_name": {json.dumps(self.name)}, '
        if self.by_rows:
            return f'{{{chosen}"instances": [{", ".join(rows)}]}}'
        (row,) = rows
        return f'{{{chosen}"inputs": {row}}}'

    def row(self, inputs: Mapping[str, object]) -> object:
        """Return a row as it stands in a body: a lone input without its name.

        Args:
            inputs: The value of one row for each input.
        """
        values = {
            name: [inputs[name]] if tensor.batched and not self.by_rows else inputs[name]
            for name, tensor in self.inputs.items()
        }
        return next(iter(values.values())) if len(values) == 1 else values


def read_signatures(document: object) -> dict[str, Signature]:
    """Read the answer of the metadata route; signatures of classify and regress are left out.

    Raises:
        SignatureError: It is something else.
    """
    try:
        found: Mapping[str, Any] = document["metadata"]["signature_def"]["signature_def"]  # type: ignore[index]
        return {
            name: Signature(name, _tensors(entry["inputs"]), _tensors(entry["outputs"]))
            for name, entry in found.items()
            if entry["method_name"] == PREDICT
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        raise SignatureError(f"expected the metadata of a model, came {str(document)[:80]}") from None


def choose(signatures: Mapping[str, Signature], name: str) -> Signature:
    """Return the signature of that name; the only one there is where the default one is asked for and missing.

    Raises:
        SignatureError: There is none.
    """
    if name == DEFAULT and name not in signatures and len(signatures) == 1:
        return next(iter(signatures.values()))
    if name not in signatures:
        there = ", ".join(sorted(signatures)) or "none that predict"
        raise SignatureError(f"the model has no signature {name}; it has {there}")
    return signatures[name]


def _tensors(document: Mapping[str, Any]) -> dict[str, Tensor]:
    return {name: Tensor(entry["dtype"], _shape(entry["tensor_shape"])) for name, entry in document.items()}


def _shape(document: Mapping[str, Any]) -> Shape | None:
    if document["unknown_rank"]:
        return None
    sizes = (int(dimension["size"]) for dimension in document["dim"])
    return tuple(None if size < 0 else size for size in sizes)
