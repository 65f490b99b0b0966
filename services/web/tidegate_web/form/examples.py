"""A card's example rows: what the page offers, what a click types, and whether the answer is as it should be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tidegate_web.cards import CardExample, ModelCard
from tidegate_web.errors import BadInput
from tidegate_web.form.images import Grid, grid_of, picture_of_file, picture_of_row
from tidegate_web.form.reading import row_of_json
from tidegate_web.form.result import Bar, class_name
from tidegate_web.prediction import Array, Signature

MOST_EXAMPLES = 12
"""The page is a form, not a data set."""

MOST_NUMBERS = 6
"""Longer rows are not written out."""

MOST_SHELVED = 64
"""Of how many signatures the prepared examples are kept."""

LONGEST_EXPECTED = 40
"""Characters of an expected answer that are shown."""

LONGEST_TEXT = 40
"""Characters of a text in a row that are shown."""

TOLERANCE = 1e-3
"""How far, relative to the number, an answer may be from what was expected."""


@dataclass(frozen=True, slots=True)
class ShownExample:
    """A row to try.

    Attributes:
        number: Counted from 1 over the card's examples; names it in links.
        text: What it is called.
        named: Whether the card calls it so.
        expected: The answer that it should have, as a person would say it; empty where it is not told.
        picture: What it looks like, as a `data:` address.
        tensors: The row.
        answer: The card's expected answer.
    """

    number: int
    text: str
    named: bool
    expected: str
    picture: str
    tensors: Mapping[str, Array]
    answer: object


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether the answer to an example is as expected, and what was expected."""

    right: bool
    expected: str


def shown_examples(card: ModelCard, name: str, signature: Signature) -> tuple[ShownExample, ...]:
    """Prepare the examples for a signature; those that do not fit it are left out."""
    shown: list[ShownExample] = []
    for number, example in enumerate(card.examples, 1):
        if example.signature == name and len(shown) < MOST_EXAMPLES:
            try:
                shown.append(_shown(number, example, card, signature))
            except BadInput:
                continue
    return tuple(shown)


class ExampleShelf:
    """Examples as they were prepared before, as long as card and signature stay the same."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[ModelCard, Signature, tuple[ShownExample, ...]]] = {}

    def examples(self, model: str, card: ModelCard, name: str, signature: Signature) -> tuple[ShownExample, ...]:
        """Return a model's examples for one of its signatures."""
        if not card.examples:
            return ()
        known = self._known.get((model, name))
        if known is not None and known[0] is card and known[1] == signature:
            return known[2]
        shown = shown_examples(card, name, signature)
        if len(self._known) >= MOST_SHELVED:
            del self._known[next(iter(self._known))]
        self._known[model, name] = (card, signature, shown)
        return shown


def judge(
    example: ShownExample, tensors: Mapping[str, Array], best: Bar | None, outputs: Mapping[str, Array]
) -> Judgement | None:
    """Hold an answer against what was expected.

    Args:
        example: What the form was filled with.
        tensors: What it sent.
        best: The answer's largest class, where it has classes: the expected one is its index or name.
        outputs: The answer. Without classes a single output is expected to hold the example's numbers or text.

    Returns:
        None where the row was changed, nothing is expected, or what is expected cannot be compared.
    """
    if not all(np.array_equal(tensors[name], tensor) for name, tensor in example.tensors.items()):
        return None
    answer = example.answer
    if best is not None:
        return Judgement(answer in (best.index, best.name), example.expected) if isinstance(answer, int | str) else None
    if len(outputs) != 1 or answer is None:
        return None
    (output,) = outputs.values()
    right = _agrees(answer, output[0] if output.shape[:1] == (1,) else output)
    return None if right is None else Judgement(right, example.expected)


def _agrees(answer: object, output: Array) -> bool | None:
    """Whether numbers are close or texts the same; None for anything else."""
    if isinstance(answer, str):
        return output.tolist() in (answer, answer.encode())
    try:
        expected = np.asarray(answer, np.float64)
        return expected.size == output.size and bool(
            np.allclose(output.astype(np.float64).ravel(), expected.ravel(), rtol=TOLERANCE, atol=TOLERANCE)
        )
    except (TypeError, ValueError):
        return None


def _shown(number: int, example: CardExample, card: ModelCard, signature: Signature) -> ShownExample:
    if example.inputs.keys() != signature.inputs.keys():
        raise BadInput("other inputs")
    tensors = {name: row_of_json(value, signature.inputs[name], name) for name, value in example.inputs.items()}
    grids = {name: grid_of(spec, card) for name, spec in signature.inputs.items()}
    pictures = [_picture(tensor, grids[name]) for name, tensor in tensors.items()]
    picture = next(filter(None, pictures), "")
    return ShownExample(
        number=number,
        text=example.label or ("" if picture else _summary(list(tensors.values()))) or f"Example {number}",
        named=bool(example.label),
        expected=_expected(example.expected, card.class_names),
        picture=picture,
        tensors=tensors,
        answer=example.expected,
    )


def _picture(tensor: Array, grid: Grid | None) -> str:
    if grid is not None:
        return picture_of_row(tensor, grid)
    if tensor.dtype == object and tensor.size == 1:
        return picture_of_file(bytes(tensor.ravel()[0]))
    return ""


def _summary(tensors: Sequence[Array]) -> str:
    elements = [element for tensor in tensors for element in tensor.ravel()[: MOST_NUMBERS + 1]]
    if not 0 < len(elements) <= MOST_NUMBERS:
        return ""
    texts = (item.decode(errors="replace") if isinstance(item, bytes) else f"{item:g}" for item in elements)
    return ", ".join(text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…" for text in texts)


def _expected(answer: object, class_names: Sequence[str]) -> str:
    match answer:
        case None | dict():
            return ""
        case list():
            return ", ".join(map(str, answer))[:LONGEST_EXPECTED]
        case bool():
            return str(answer).lower()
        case int() if 0 <= answer < len(class_names):
            return class_name(answer, class_names, len(class_names))
        case int():
            return f"Class {answer}"
        case _:
            return str(answer)[:LONGEST_EXPECTED]
