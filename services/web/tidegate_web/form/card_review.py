"""Whether a card fits the model that it is about; the log says where it does not, as the form leaves that out."""

import logging
from collections.abc import Iterator, Mapping, Sequence

from tidegate_web.cards import CardExample, Cards, ModelCard
from tidegate_web.errors import BadInput
from tidegate_web.form import fields
from tidegate_web.form.choice import callable_here
from tidegate_web.form.reading import row_of_json
from tidegate_web.prediction import ModelMetadata, Signature

log = logging.getLogger(__name__)

MOST_MODELS = 64
"""Of how many models it is remembered what was told."""

SCORES_RANK = 2
"""Dimensions of an output that has a number for each class: rows and classes."""


def misfits(card: ModelCard, signatures: Mapping[str, Signature]) -> list[str]:
    """Say where a card does not fit a model's signatures."""
    offered = {name: signature for name, signature in signatures.items() if callable_here(signature)}
    found = [*_feature_names(card, offered), *_class_names(card, offered)]
    for number, example in enumerate(card.examples):
        found += [f"examples[{number}]: {problem}" for problem in _example(example, offered)]
    return found


def _feature_names(card: ModelCard, signatures: Mapping[str, Signature]) -> Iterator[str]:
    sizes = {sum(len(group.fields) for group in fields.groups(signature, card)) for signature in signatures.values()}
    if card.feature_names and sizes and len(card.feature_names) not in sizes:
        yield f"feature_names: expected {_or(sizes)}, one for each control, came {len(card.feature_names)}"


def _class_names(card: ModelCard, signatures: Mapping[str, Signature]) -> Iterator[str]:
    outputs = [spec for signature in signatures.values() for spec in signature.outputs.values()]
    sizes = {spec.shape[-1] for spec in outputs if spec.shape is not None and len(spec.shape) == SCORES_RANK}
    if card.class_names and sizes and None not in sizes and len(card.class_names) not in sizes:
        yield f"class_names: expected {_or(sizes)}, one for each class, came {len(card.class_names)}"


def _or(sizes: set[int] | set[int | None]) -> str:
    return " or ".join(sorted(map(str, sizes)))


def _example(example: CardExample, signatures: Mapping[str, Signature]) -> Iterator[str]:
    signature = signatures.get(example.signature)
    if signature is None:
        yield f"signature: expected one of {', '.join(signatures)}, came {example.signature}"
    elif example.inputs.keys() != signature.inputs.keys():
        yield f"inputs: expected {', '.join(signature.inputs)}, came {', '.join(example.inputs) or 'none'}"
    else:
        for name, value in example.inputs.items():
            try:
                row_of_json(value, signature.inputs[name], f"inputs.{name}")
            except BadInput as error:
                yield str(error)


class CardReview:
    """Says once what is wrong with each card.

    Args:
        cards: Where they are.
    """

    def __init__(self, cards: Cards) -> None:
        self._cards = cards
        self._reviewed: dict[str, tuple[ModelCard, Mapping[str, Signature]]] = {}

    def review(self, card: ModelCard, metadata: ModelMetadata) -> None:
        """Hold a card against its model, unless that was done."""
        if card == ModelCard():
            return
        known = self._reviewed.get(metadata.name)
        if known is not None and known[0] is card and known[1] == metadata.signatures:
            return
        told: Sequence[str] = () if known is None or known[0] is not card else misfits(card, known[1])
        if len(self._reviewed) >= MOST_MODELS:
            del self._reviewed[next(iter(self._reviewed))]
        self._reviewed[metadata.name] = (card, metadata.signatures)
        for problem in misfits(card, metadata.signatures):
            if problem not in told:
                path = self._cards.path(metadata.name)
                log.warning(
                    "card does not fit its model",
                    extra={"path": path, "model": metadata.name, "version": metadata.version, "error": problem},
                )
