"""From a signature's inputs to the controls of a form."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from tidegate_web.cards import ModelCard
from tidegate_web.errors import BadInput
from tidegate_web.form.images import Grid, grid_of
from tidegate_web.prediction import Signature, TensorSpec

MOST_BOXES = 16
"""An input of more elements a row is typed as JSON into one box."""

MOST_PAD_SIDE = 64
"""A finer grid is no fun to draw on."""

ENCODED_PICTURE = re.compile(r"image|png|jpe?g|_bytes$", re.IGNORECASE)
"""How people name string inputs that take the bytes of a picture file."""


@dataclass(frozen=True, slots=True)
class Field:
    """One control of the form.

    Attributes:
        name: Its name in the form, `INPUT.INDEX` or `INPUT.all`; a file goes with it as `INPUT.all.file`.
        label: What a person reads.
        hint: What to type.
        kind: `number`, `switch`, `text`, `json`, `pixels` (a picture, or its numbers as JSON) or `file` (a file, or its
            bytes as base64).
        typed: What was typed.
        error: What is wrong with it.
        picture: The picture that it holds, as a `data:` address.
    """

    name: str
    label: str
    hint: str
    kind: str
    typed: str = ""
    error: str = ""
    picture: str = ""

    @property
    def id(self) -> str:
        """The name without what an HTML id may not hold."""
        return quote(self.name, safe="")

    @property
    def file(self) -> str:
        """Name of the file that goes with it."""
        return f"{self.name}.file"


@dataclass(frozen=True, slots=True)
class Group:
    """The fields of one input.

    Attributes:
        name: The input's name.
        spec: What it takes.
        fields: One field for each element of a row, or one for all.
        grid: How its numbers stand for pixels, where they do.
    """

    name: str
    spec: TensorSpec
    fields: tuple[Field, ...]
    grid: Grid | None = None

    @property
    def drawable(self) -> bool:
        """Whether a person can draw it pixel by pixel."""
        grid = self.grid
        return grid is not None and grid.channels in {None, 1} and max(grid.height, grid.width) <= MOST_PAD_SIDE


def groups(signature: Signature, card: ModelCard) -> list[Group]:
    """Return the fields of every input of a signature, empty, with the card's names where it has one for each."""
    form = [_group(name, spec, card) for name, spec in signature.inputs.items()]
    boxes = [field.name for group in form for field in group.fields]
    if len(card.feature_names) != len(boxes):
        return form
    labels = dict(zip(boxes, card.feature_names, strict=True))
    return [
        replace(group, fields=tuple(replace(field, label=labels[field.name]) for field in group.fields))
        for group in form
    ]


def fill(form: Sequence[Group], typed: Mapping[str, str]) -> list[Group]:
    """Put into the fields what was typed; the tutorial's names `input1`, `input2`, … are understood too."""
    places = [field.name for group in form for field in group.fields]
    texts = {name: typed.get(name, typed.get(f"input{number}", "")) for number, name in enumerate(places, 1)}
    return [
        replace(group, fields=tuple(replace(field, typed=texts[field.name]) for field in group.fields))
        for group in form
    ]


def mark(form: Sequence[Group], error: BadInput) -> list[Group]:
    """Put each problem beside the field that it is about."""
    texts = {problem.where: f"Expected {problem.expected}, came {problem.came}." for problem in error.problems}
    return [
        replace(group, fields=tuple(replace(field, error=texts.get(field.name, "")) for field in group.fields))
        for group in form
    ]


def blame(form: Sequence[Group], text: str) -> list[Group]:
    """Put what a model said beside the form's only field; with several nobody knows which one it is about."""
    if sum(len(group.fields) for group in form) != 1:
        return list(form)
    (group,) = (group for group in form if group.fields)
    return [replace(group, fields=(replace(group.fields[0], error=text),))]


def _group(name: str, spec: TensorSpec, card: ModelCard) -> Group:
    grid = grid_of(spec, card)
    if grid is not None:
        colours = {1: "grey", 3: "colour", 4: "colour and transparency"}[grid.channels or 1]
        hint = f"a file is scaled to {grid.width} by {grid.height} pixels, {colours}"
        return Group(name, spec, (Field(_whole(name), name, hint, "pixels"),), grid)
    return Group(name, spec, _fields(name, spec, card))


def _fields(name: str, spec: TensorSpec, card: ModelCard) -> tuple[Field, ...]:
    size = row_size(spec)
    if size == 1 and spec.dtype == object and ENCODED_PICTURE.search(" ".join((name, *card.feature_names))):
        return (Field(_whole(name), name, "a file; the model gets its bytes as they are", "file"),)
    if size is None:
        rows = ", or one row of it" if spec.batched else ""
        return (Field(_whole(name), name, f"JSON: {spec}{rows}", "json"),)
    kind, hint = {
        "O": ("text", "a text"),
        "b": ("switch", "true or false"),
        "f": ("number", "a number"),
    }.get(spec.dtype.kind, ("number", "a whole number"))
    if size == 1:
        return (Field(f"{name}.0", name, hint, kind),)
    return tuple(Field(f"{name}.{index}", f"{name} {index + 1} of {size}", hint, kind) for index in range(size))


def _whole(name: str) -> str:
    """Name the field of a whole input; with its dot it is no parameter and no id of the page itself."""
    return f"{name}.all"


def row_size(spec: TensorSpec) -> int | None:
    """Count the elements of one row where they are few and known."""
    if not spec.batched or spec.shape is None:
        return None
    sizes = [size for size in spec.shape[1:] if size is not None]
    size = math.prod(sizes)
    return size if len(sizes) == len(spec.shape) - 1 and 0 < size <= MOST_BOXES else None
