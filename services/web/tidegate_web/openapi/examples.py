"""One request to try for each signature: the card's, or one of zeros that fits; told in short where it is long."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tidegate_web.cards import ModelCard
from tidegate_web.codec.oip_v2 import DATATYPES
from tidegate_web.codec.values import from_array, to_array
from tidegate_web.errors import BadInput
from tidegate_web.openapi.programs import Programmed, a_file, repeated
from tidegate_web.prediction import Array, Signature, TensorSpec

LONGEST = 1024
"""Characters, about, that an example may have to be spelt out: 256 numbers, or as much text as fills half a screen."""

NUMBER = 4
"""Characters of a number, its comma included, as they are counted here."""


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
    def long(self) -> bool:
        """Whether it is too long to be spelt out."""
        return sum(map(_characters, self.inputs.values())) > LONGEST

    @property
    def encoded(self) -> bool:
        """Whether it holds bytes that are no text, such as a picture: no schema can tell which a model takes."""
        return any(map(_is_encoded, self.inputs.values()))

    @property
    def pinned(self) -> bool:
        """Whether a schema is to spell it out, as it cannot say otherwise what a model takes."""
        return self.encoded and not self.long

    def columns(self) -> object:
        """Return the value of `inputs` of TF Serving's column form."""
        values = {name: self._value(array) for name, array in self.inputs.items()}
        return next(iter(values.values())) if len(values) == 1 else values

    def rows(self) -> object:
        """Return the value of `instances` of TF Serving's row form."""
        if len(self.inputs) == 1:
            return self.columns()
        lists = {name: np.atleast_1d(array) for name, array in self.inputs.items()}
        (count,) = {len(array) for array in lists.values()}
        if self.long:  # one row is like the other
            row = {name: self._value(array[0, ...]) for name, array in lists.items()}
            return Programmed(repeated((count,), row))
        return [{name: self._value(array[row, ...]) for name, array in lists.items()} for row in range(count)]

    def tensors(self) -> list[dict[str, object]]:
        """Return the `inputs` of an infer request."""
        return [
            {
                "name": name,
                "datatype": DATATYPES[array.dtype],
                "shape": list(array.shape),
                "data": self._value(array.ravel()),
            }
            for name, array in self.inputs.items()
        ]

    def _value(self, array: Array) -> object:
        """Write an array; of a long example a program does it, as `example_of` left nothing to tell but its shape."""
        if not self.long:
            return _plain(array)
        return Programmed(repeated(array.shape, a_file() if _is_encoded(array) else _plain(_zero(array.dtype))))


def _characters(array: Array) -> int:
    texts = sum(map(len, array.ravel().tolist())) if array.dtype.kind == "O" else 0
    return texts + NUMBER * array.size


def _is_encoded(array: Array) -> bool:
    return array.dtype.kind == "O" and not all(map(_is_text, array.flat))


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
    """Return the card's first example that fits a signature; else zeros and empty texts.

    One that is too long to be spelt out becomes zeros too, but where it holds files they stay.
    """
    for example in card.examples:
        if example.signature == name and example.inputs.keys() == signature.inputs.keys():
            try:
                inputs = {
                    key: to_array([example.inputs[key]] if spec.batched else example.inputs[key], spec, key)
                    for key, spec in signature.inputs.items()
                }
            except BadInput:
                continue  # the card is of another version of the model
            found = RequestExample(example.label or "example", inputs)
            return _in_short(found) if found.long else found
    return RequestExample("zeros", {key: _zeros(spec) for key, spec in signature.inputs.items()})


def _in_short(example: RequestExample) -> RequestExample:
    inputs = {
        key: array if _is_encoded(array) else np.full(array.shape, _zero(array.dtype))
        for key, array in example.inputs.items()
    }
    return RequestExample("a file of yours" if example.encoded else "zeros", inputs)


def _zeros(spec: TensorSpec) -> Array:
    shape = (1,) if spec.shape is None else tuple(1 if size is None else size for size in spec.shape)
    return np.full(shape, _zero(spec.dtype))


def _zero(dtype: "np.dtype[np.generic]") -> Array:
    return np.full((), b"" if dtype.kind == "O" else 0, dtype)
