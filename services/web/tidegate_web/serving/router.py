"""Which models are offered, and which label of a model a client's requests go to.

Canary weights come from a YAML file, `model: {label: weight}`, that is read again when it changes. A client keeps its
label while the weights stay: the choice is a hash of what names the client. Without such a name each request is a
client of its own. Shares come out right in the long run, because hashes are spread evenly.
"""

import asyncio
import logging
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path

import yaml

from tidegate_web.prediction import ModelRef
from tidegate_web.settings import SettingsError

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""How often the file is looked at."""

MAX_FILE_BYTES = 2**20

HASH_BYTES = 8


@dataclass(frozen=True, slots=True)
class Split:
    """The labels of one model, and where each one's share of [0, 1) ends."""

    labels: tuple[str, ...]
    ends: tuple[float, ...]

    def label(self, model: str, client: str) -> str:
        """Return a client's label."""
        digest = blake2b(f"{model}\n{client}".encode("utf-8", "surrogateescape"), digest_size=HASH_BYTES).digest()
        point = int.from_bytes(digest) / 2 ** (8 * HASH_BYTES)
        return self.labels[min(bisect_right(self.ends, point), len(self.labels) - 1)]

    @property
    def shares(self) -> dict[str, float]:
        """The share of the clients that each label has; all together 1."""
        starts = (0.0, *self.ends[:-1])
        return {label: end - start for label, start, end in zip(self.labels, starts, self.ends, strict=True)}


def parse_routes(text: str) -> Mapping[str, Split]:
    """Read a routes file.

    Raises:
        ValueError: Not YAML, or not `model: {label: weight}` with weights from 0, one of them above; names the place.
    """
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"expected YAML: {' '.join(str(error).split())}") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ValueError(  # noqa: TRY004 it is the file that is wrong
            f"expected `model: {{label: weight}}`, came {type(document).__name__}"
        )
    return {str(model): _split(str(model), weights) for model, weights in document.items()}


def _split(model: str, weights: object) -> Split:
    if not isinstance(weights, dict) or not weights:
        raise ValueError(f"{model}: expected labels with their weights, came {weights!r}")
    for label, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
            raise ValueError(f"{model}.{label}: expected a weight from 0, came {weight!r}")
    try:
        total = sum(weights.values())
    except OverflowError:
        raise ValueError(f"{model}: expected weights that add up to a number, came larger ones") from None
    if not total:
        raise ValueError(f"{model}: expected a weight above 0, came none")
    chosen = {str(label): weight for label, weight in weights.items() if weight}
    return Split(tuple(chosen), tuple(end / total for end in accumulate(chosen.values())))


class Router:
    """The offered models, and the splits of a routes file.

    Args:
        models: Names that are offered to people, the default first.
        file: The canary weights; None for no canaries.

    Raises:
        SettingsError: It cannot be used, at start. Later the last good one stands, and the log says why.
    """

    def __init__(self, models: Sequence[str], file: Path | None = None) -> None:
        self.models = models
        self._file = file
        self._text = ""
        self._splits: Mapping[str, Split] = {}
        if file is not None:
            try:
                self._read(file)
            except (OSError, ValueError) as error:
                raise SettingsError(f"TIDEGATE_ROUTES_FILE: {file}: {error}") from None

    @property
    def known(self) -> tuple[str, ...]:
        """Names of the models that are offered or have a split."""
        return tuple(dict.fromkeys((*self.models, *self._splits)))

    @property
    def shares(self) -> dict[str, dict[str, float]]:
        """Of each model with a split, the share of the clients that each label has."""
        return {model: split.shares for model, split in self._splits.items()}

    def route(self, model: ModelRef, client: str) -> ModelRef:
        """Return the label that a client's requests for a model go to; a named version or label stays."""
        if not self._splits or model.version is not None or model.label is not None:
            return model
        split = self._splits.get(model.name)
        return model if split is None else ModelRef(model.name, label=split.label(model.name, client))

    async def follow(self) -> None:
        """Read the file again whenever it changes, until cancelled; tell once of each reason why it cannot be used."""
        told = ""
        while self._file is not None:
            await asyncio.sleep(LOOK_S)
            try:
                await asyncio.to_thread(self._read, self._file)
                told = ""
            except (OSError, ValueError) as error:
                if str(error) != told:
                    told = str(error)
                    log.warning("routes not read: the last good ones stand", extra={"error": told})

    def _read(self, file: Path) -> None:
        with file.open(encoding="utf-8") as stream:
            text = stream.read(MAX_FILE_BYTES + 1)
        if len(text) > MAX_FILE_BYTES:
            raise ValueError(f"expected at most {MAX_FILE_BYTES} characters")
        if text != self._text:
            splits = parse_routes(text)
            self._text, self._splits = text, splits
            log.info("routes read", extra={"models": sorted(splits)})
