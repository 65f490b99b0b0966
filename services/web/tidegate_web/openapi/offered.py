"""The facts that the document is made from: what is offered, and the document as last made from them."""

import asyncio
from typing import Any

from tidegate_web.cards import Cards
from tidegate_web.errors import TidegateError
from tidegate_web.openapi.document import OfferedModel, make_document
from tidegate_web.prediction import ModelMetadata, ModelRef, Predictor

LONGEST_WAIT_S = 2.0
"""How long a model's signatures are waited for: without them the document is still of use."""


class LiveDocument:
    """The document of now; it is only written anew when a model has come, gone or changed.

    Args:
        predictor: What is asked for signatures.
        cards: Titles and examples.
        version: The gateway's own version.
        secured: Whether the gateway asks for bearer tokens.
    """

    def __init__(self, predictor: Predictor, cards: Cards, version: str, *, secured: bool) -> None:
        self._predictor = predictor
        self._cards = cards
        self._version = version
        self._secured = secured
        self._made: tuple[list[OfferedModel], dict[str, Any]] | None = None

    async def current(self, timeout_s: float) -> dict[str, Any]:
        """Return the document; models that do not answer in time are told as away."""
        names = self._predictor.models()
        wait_s = min(timeout_s / 2, LONGEST_WAIT_S)
        known = await asyncio.gather(*(self._metadata(name, wait_s) for name in names))
        models = [
            OfferedModel(name, metadata, self._cards.card(name)) for name, metadata in zip(names, known, strict=True)
        ]
        if self._made is None or self._made[0] != models:
            self._made = models, make_document(models, self._version, secured=self._secured)
        return self._made[1]

    async def _metadata(self, name: str, timeout_s: float) -> ModelMetadata | None:
        try:
            return await self._predictor.metadata(ModelRef(name), timeout_s)
        except TidegateError:
            return None
