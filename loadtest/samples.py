"""Rows to send to any model: the examples of its card, and rows drawn to look like them or by the signature alone."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from signatures import DEFAULT, Shape, Signature, Tensor

CARD_FOLDERS = ("k8s/overlays/own/cards", ".run/cards", "k8s/base/cards")
"""Where a checkout has cards: of `make deploy MODEL=…`, of `make run`, and of the models that come with it."""

UNKNOWN_SIZE = 32
"""What a free size becomes; the same for all inputs, whose sizes may have to agree."""

WORDS = ("a", "blue", "train", "under", "the", "harbour")
FLOATS = {"DT_FLOAT", "DT_DOUBLE", "DT_HALF", "DT_BFLOAT16"}
WHOLE = {
    **dict.fromkeys(("DT_INT8", "DT_INT16", "DT_INT32", "DT_INT64", "DT_UINT16", "DT_UINT32", "DT_UINT64"), 9),
    "DT_UINT8": 255,
}
"""Whole numbers and the largest that is drawn; uint8 is mostly pictures."""


class SampleError(Exception):
    """A file that holds no card or no rows, or a dtype that nobody can draw; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A row to send.

    Attributes:
        row: As it stands in a body.
        expected: The right answer; None where nobody knows.
        inputs: The row by input, where it may serve as a likeness.
    """

    row: object
    expected: object = None
    inputs: Mapping[str, object] | None = None


def find_card(model: str, folders: Sequence[str] = CARD_FOLDERS) -> Path | None:
    """Return the first `MODEL.json` there is."""
    return next((path for folder in folders if (path := Path(folder) / f"{model}.json").is_file()), None)


def read_card(path: Path) -> dict[str, object]:
    """Read a card.

    Raises:
        SampleError: There is no such file, or it is no card.
    """
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SampleError(f"{path}: expected a model's card (tidegate.json): {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("examples", []), list):
        raise SampleError(f'{path}: expected a model\'s card, a JSON object with a list of "examples"')
    return document


def class_names(card: Mapping[str, object]) -> tuple[str, ...]:
    """Return a card's names of classes."""
    names = card.get("class_names")
    return tuple(map(str, names)) if isinstance(names, list) else ()


def examples(card: Mapping[str, object], signature: Signature) -> list[Sample]:
    """Return the examples of a card that fit a signature."""
    listed = card.get("examples", [])
    found: list[Sample] = []
    for example in listed if isinstance(listed, list) else ():
        inputs = example.get("inputs") if isinstance(example, dict) else None
        if isinstance(inputs, dict) and example.get("signature", DEFAULT) == signature.name and _fit(inputs, signature):
            found.append(Sample(signature.row(inputs), example.get("expected"), inputs))
    return found


def draw(signature: Signature, like: Sequence[Sample], source: random.Random) -> Sample:
    """Draw a row.

    Args:
        signature: What it must fit.
        like: Each number is one that some of these has in its place, and each text too. Without any, by the dtype.
        source: Of the choices.

    Raises:
        SampleError: An input's dtype stands in no JSON.
    """
    likeness = [sample.inputs for sample in like if sample.inputs is not None]
    inputs = {
        name: _mixed([inputs[name] for inputs in likeness], source) if likeness else _drawn(name, tensor, source)
        for name, tensor in signature.inputs.items()
    }
    return Sample(signature.row(inputs), inputs=inputs)


def endless(signature: Signature, like: Sequence[Sample], source: random.Random) -> Iterator[Sample]:
    """Give the examples first, then drawn rows without end."""
    yield from like
    while True:
        yield draw(signature, like, source)


def _fit(inputs: Mapping[str, object], signature: Signature) -> bool:
    return inputs.keys() == signature.inputs.keys() and all(
        fits(inputs[name], row_shape(tensor)) for name, tensor in signature.inputs.items()
    )


def row_shape(tensor: Tensor) -> Shape | None:
    """Return the shape of one row of a tensor."""
    return tensor.shape[1:] if tensor.shape is not None and tensor.batched else tensor.shape


def fits(value: object, shape: Shape | None) -> bool:
    """Whether a JSON value has a shape; free sizes and ranks fit anything."""
    if shape is None:
        return True
    if not isinstance(value, list):
        return shape == ()
    if not shape or shape[0] not in {None, len(value)}:
        return False
    return all(fits(item, shape[1:]) for item in value)


def _mixed(values: Sequence[object], source: random.Random) -> object:
    """Take each element from one of several values; whole lists where their lengths differ."""
    chosen = source.choice(values)
    if not isinstance(chosen, list):
        return chosen
    alike = [value for value in values if isinstance(value, list) and len(value) == len(chosen)]
    return [_mixed(column, source) for column in zip(*alike, strict=True)]


def _drawn(name: str, tensor: Tensor, source: random.Random) -> object:
    return _filled(name, tensor.dtype, row_shape(tensor) or (), source)


def _filled(name: str, dtype: str, shape: Shape, source: random.Random) -> object:
    if shape:
        size = UNKNOWN_SIZE if shape[0] is None else shape[0]
        return [_filled(name, dtype, shape[1:], source) for _ in range(size)]
    if dtype in FLOATS:
        return round(source.gauss(0, 1), 4)
    if dtype in WHOLE:
        return source.randint(0, WHOLE[dtype])
    if dtype == "DT_BOOL":
        return source.random() < 0.5  # noqa: PLR2004 as often as not
    if dtype == "DT_STRING":
        return " ".join(source.choices(WORDS, k=3))
    raise SampleError(f"input {name} is of type {dtype}, which a JSON request cannot carry")
