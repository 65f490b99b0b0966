"""What people may want to know of a model, from its `assets.extra/tidegate.json`: title, class names, examples.

TF Serving hands out no assets, so the gateway reads them from a folder of its own, one `NAME.json` a model.
"""

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path

import orjson

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 2.0
"""How long a card is used before its file is looked at again."""

MAX_CARD_BYTES = 2**20

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


@dataclass(frozen=True, slots=True)
class CardExample:
    """One row to try.

    Attributes:
        inputs: JSON values of one row, by input name.
        expected: The right answer, such as the index of a class; None where it is not told.
        label: What to call it.
        signature: The signature that it is for.
    """

    inputs: Mapping[str, object]
    expected: object = None
    label: str = ""
    signature: str = "serving_default"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What is told of a model; everything may be missing.

    Attributes:
        title: A name for people.
        description: A sentence or two.
        class_names: A name for each index of a distribution.
        feature_names: A name for each number of a row, over all inputs in their order.
        examples: Rows to try.
        image_range: The numbers that stand for a picture's darkest and brightest, where it is not the dtype's usual.
        image_invert: Whether dark stands for large numbers, as ink on paper.
        unread: What is wrong with members that nobody reads, such as misspelt ones.
    """

    title: str = ""
    description: str = ""
    class_names: Sequence[str] = ()
    feature_names: Sequence[str] = ()
    examples: Sequence[CardExample] = ()
    image_range: tuple[float, float] | None = None
    image_invert: bool = False
    unread: Sequence[str] = ()


_MEMBERS = [spec.name for spec in fields(ModelCard) if spec.name != "unread"]
_MEMBERS_OF_AN_EXAMPLE = [spec.name for spec in fields(CardExample)]


class CardError(Exception):
    """A file that is no card; the text says what was expected."""


def parse_card(text: bytes) -> ModelCard:
    """Read a `tidegate.json`.

    Raises:
        CardError: Not a JSON object, or a member of another type; or it is over MAX_CARD_BYTES.
    """
    if len(text) > MAX_CARD_BYTES:
        raise CardError(f"expected at most {MAX_CARD_BYTES} bytes, came more")
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise CardError(f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise CardError(f"expected an object, came {type(document).__name__}")
    return ModelCard(
        title=_text(document, "title"),
        description=_text(document, "description"),
        class_names=_texts(document, "class_names"),
        feature_names=_texts(document, "feature_names"),
        examples=tuple(_example(example) for example in _list(document, "examples")),
        image_range=_range(document, "image_range"),
        image_invert=_switch(document, "image_invert"),
        unread=tuple(_unread(document)),
    )


def _unread(document: Mapping[str, object]) -> Iterator[str]:
    yield from _unknown(document, _MEMBERS, "")
    for number, example in enumerate(_list(document, "examples")):
        if isinstance(example, dict):
            yield from _unknown(example, _MEMBERS_OF_AN_EXAMPLE, f"examples[{number}].")


def _unknown(members: Mapping[str, object], known: Sequence[str], where: str) -> Iterator[str]:
    for name in members:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            yield f"{where}{name}: no such member; {advice}"


def _text(document: Mapping[str, object], key: str) -> str:
    value = document.get(key, "")
    if not isinstance(value, str):
        raise CardError(f"{key}: expected a text, came {type(value).__name__}")
    return value


def _list(document: Mapping[str, object], key: str) -> list[object]:
    value = document.get(key, [])
    if not isinstance(value, list):
        raise CardError(f"{key}: expected a list, came {type(value).__name__}")
    return value


def _texts(document: Mapping[str, object], key: str) -> tuple[str, ...]:
    return tuple(str(item) for item in _list(document, key))


def _range(document: Mapping[str, object], key: str) -> tuple[float, float] | None:
    match document.get(key):
        case None:
            return None
        case [int() | float() as low, int() | float() as high] if low < high:
            return float(low), float(high)
        case other:
            raise CardError(f"{key}: expected two numbers, the smaller first, came {str(other)[:40]}")


def _switch(document: Mapping[str, object], key: str) -> bool:
    value = document.get(key, False)
    if not isinstance(value, bool):
        raise CardError(f"{key}: expected true or false, came {type(value).__name__}")
    return value


def _example(example: object) -> CardExample:
    if not isinstance(example, dict) or not isinstance(example.get("inputs"), dict):
        raise CardError('examples: expected objects with "inputs" by name')
    return CardExample(
        inputs=example["inputs"],
        expected=example.get("expected"),
        label=_text(example, "label"),
        signature=_text(example, "signature") or "serving_default",
    )


@dataclass(slots=True)
class _Known:
    card: ModelCard
    stamp: tuple[int, int] | None
    looked_at: float


@dataclass(slots=True)
class Cards:
    """The cards of a folder, read when asked for and again when a file has changed.

    Attributes:
        folder: Where `NAME.json` lie; None for no cards.
        clock: Monotonic seconds.
    """

    folder: Path | None
    clock: Callable[[], float] = time.monotonic
    _known: dict[str, _Known] = field(default_factory=dict)

    def read(self, models: Sequence[str]) -> None:
        """Read the cards of some models now, so that the log says at once what is wrong with them."""
        for model in models:
            self.card(model)

    def path(self, model: str) -> str:
        """Return where a model's card is read from."""
        return str((self.folder or Path()) / f"{model}.json")

    def card(self, model: str) -> ModelCard:
        """Return a model's card; an empty one where there is none or it cannot be read (the log says why)."""
        if self.folder is None or not _FILE_NAME.fullmatch(model):
            return ModelCard()
        now = self.clock()
        known = self._known.get(model)
        if known is not None and now - known.looked_at < LOOK_AGAIN_S:
            return known.card
        stamp = self._stamp(model)
        if known is None or known.stamp != stamp:
            if stamp is None:
                self._known.pop(model, None)  # names that clients make up are not kept
                return ModelCard()
            known = self._known[model] = _Known(self._read(model), stamp, now)
        known.looked_at = now
        return known.card

    def _stamp(self, model: str) -> tuple[int, int] | None:
        assert self.folder is not None  # noqa: S101 card() has seen to it
        try:
            found = (self.folder / f"{model}.json").stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

    def _read(self, model: str) -> ModelCard:
        assert self.folder is not None  # noqa: S101 card() has seen to it
        try:
            with (self.folder / f"{model}.json").open("rb") as file:
                card = parse_card(file.read(MAX_CARD_BYTES + 1))
        except (OSError, CardError) as error:
            log.warning("card not read", extra={"model": model, "path": self.path(model), "error": str(error)})
            return ModelCard()
        for problem in card.unread:
            log.warning("card with an unread member", extra={"path": self.path(model), "error": problem})
        return card
