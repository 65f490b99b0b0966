"""One request to try for each signature: the card's, or one of zeros that fits."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tidegate_web.cards import ModelCard
from tidegate_web.codec.oip_v2 import DATATYPES
from tidegate_web.codec.values import from_array, to_array
from tidegate_web.errors import BadInput
from tidegate_web.prediction import Array, Signature, TensorSpec


@dataclass(frozen=True, slots=True)
class RequestExample:
    """A row for each input of a signature.

    Attributes:
        label: What to call it.
        inputs: Tensors by name, of one row where rows can be any number.
    """

    label: str
    inputs: Mapping[str, Array]

    @property
    def opaque(self) -> bool:
        """Whether it holds bytes that are no text, such as a picture: no schema can tell which a model takes."""
        return any(array.dtype.kind == "O" and not all(map(_is_text, array.flat)) for array in self.inputs.values())

    def columns(self) -> object:
        """Return the value of `inputs` of TF Serving's column form."""
        values = self._values()
        return next(iter(values.values())) if len(values) == 1 else values

    def rows(self) -> object:
        """Return the value of `instances` of TF Serving's row form."""
        values = self._values()
        if len(values) == 1:
            return next(iter(values.values()))
        lists = {name: value if isinstance(value, list) else [value] for name, value in values.items()}
        return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]

    def tensors(self) -> list[dict[str, object]]:
        """Return the `inputs` of an infer request."""
        return [
            {
                "name": name,
                "datatype": DATATYPES[array.dtype],
                "shape": list(array.shape),
                "data": _plain(array.ravel()),
            }
            for name, array in self.inputs.items()
        ]

    def _values(self) -> dict[str, object]:
        return {name: _plain(array) for name, array in self.inputs.items()}


def _is_text(element: object) -> bool:
    if isinstance(element, bytes):
        try:
            element.decode()
        except UnicodeDecodeError:
            return False
    return True


def _plain(array: Array) -> object:
    """Write an array as a person would: 1 rather than 1.0."""
    return _whole(from_array(array, "", plain=True))


def _whole(value: object) -> object:
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def example_of(name: str, signature: Signature, card: ModelCard) -> RequestExample:
    """Return the card's first example that fits a signature; else zeros and empty texts."""
    for example in card.examples:
        if example.signature == name and example.inputs.keys() == signature.inputs.keys():
            try:
                inputs = {
                    key: to_array([example.inputs[key]] if spec.batched else example.inputs[key], spec, key)
                    for key, spec in signature.inputs.items()
                }
            except BadInput:
                continue  # the card is of another version of the model
            return RequestExample(example.label or "example", inputs)
    return RequestExample("zeros", {key: _zeros(spec) for key, spec in signature.inputs.items()})


def _zeros(spec: TensorSpec) -> Array:
    shape = (1,) if spec.shape is None else tuple(1 if size is None else size for size in spec.shape)
    return np.full(shape, b"", dtype=object) if spec.dtype.kind == "O" else np.zeros(shape, spec.dtype)
