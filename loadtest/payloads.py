"""What a model is sent, and what is wrong with what it answers: for any model, by its signature and its card."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import and_gate
import work
from answers import agrees, malformed, rows_of
from samples import Sample, class_names, draw, examples, find_card, read_card
from signatures import DEFAULT, Signature, choose, read_signatures

POOL_ROWS = 64
POOL_CHARACTERS = 4_000_000
"""Rows are drawn and written once, up to these bounds: for pictures, drawing takes longer than asking."""

BODY_CHARACTERS = 1_000_000
"""A body has fewer rows rather than more than this; the gateway's own limit is in the tens of millions."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A row to send.

    Attributes:
        text: Its JSON.
        inputs: Its values by input.
        expected: The right answer, or None.
    """

    text: str
    inputs: Mapping[str, object]
    expected: object


@dataclass(frozen=True, slots=True)
class Payload:
    """What a model is sent.

    Attributes:
        signature: Which it must fit.
        pool: Rows to choose from.
        names: Of the classes.
    """

    signature: Signature
    pool: Sequence[Prepared]
    names: Sequence[str]

    def some(self, count: int, source: random.Random) -> list[Prepared]:
        """Draw rows from the pool, fewer where they would make too large a body."""
        if not self.signature.by_rows:
            count = 1
        rows = source.choices(self.pool, k=count)
        longest = max(len(row.text) for row in rows)
        return rows[: max(1, BODY_CHARACTERS // longest)]

    def wrong(self, rows: Sequence[Prepared], said: object) -> str:
        """Say what is wrong with an answer's JSON; empty when nothing is."""
        found = rows_of(said, self.signature, len(rows))
        return found if isinstance(found, str) else self.wrong_rows(rows, found)

    def wrong_rows(self, rows: Sequence[Prepared], found: Sequence[object]) -> str:
        """Say what is wrong with what a model said of each row: its form, or that it is not what is expected."""
        problems = (self.wrong_row(row, answer) for row, answer in zip(rows, found, strict=True))
        return next(filter(None, problems), "")

    def wrong_row(self, row: Prepared, answer: object, best: int | None = None) -> str:
        """Say what is wrong with what a model said of a row; `best` is its class where not all the shares are told."""
        if problem := malformed(answer, self.signature):
            return problem
        if agrees(row.expected, answer, self.names, best) is False:
            return f"wrong answer for {row.text[:60]}: expected {row.expected}, came {str(answer)[:80]}"
        return ""


def make_payload(
    model: str, metadata: object, folders: Sequence[str], *, seed: int | None = None, iterations: int | None = None
) -> Payload:
    """Prepare what to send; see `payload_for`.

    Args:
        model: Its name.
        metadata: The answer of its metadata route.
        folders: Where its card may be.
        seed: Of drawn rows; None for other ones each time.
        iterations: Of each row where the model is `work`; None for a mix.

    Raises:
        SignatureError: The metadata has no `serving_default` that predicts.
        SampleError: The card cannot be read, or an input's dtype stands in no JSON.
    """
    signature = choose(read_signatures(metadata), DEFAULT)
    return payload_for(model, signature, folders, seed=seed, iterations=iterations)


def payload_for(
    model: str, signature: Signature, folders: Sequence[str], *, seed: int | None = None, iterations: int | None = None
) -> Payload:
    """Prepare what to send.

    Args:
        model: Its name.
        signature: Which rows must fit.
        folders: Where its card may be.
        seed: Of drawn rows; None for other ones each time.
        iterations: Of each row where the model is `work`; None for a mix.

    Raises:
        SampleError: The card cannot be read, or an input's dtype stands in no JSON.
    """
    source = random.Random(seed)
    path = find_card(model, folders)
    card = read_card(path) if path else {}
    drawn = _known(model, signature, source, iterations)
    pool: list[Prepared] = []
    characters = 0
    for sample in islice(drawn or _by_card(signature, examples(card, signature), source), POOL_ROWS):
        pool.append(Prepared(json.dumps(sample.row), sample.inputs or {}, sample.expected))
        characters += len(pool[-1].text)
        if characters > POOL_CHARACTERS:
            break
    return Payload(signature, pool, class_names(card))


def _known(model: str, signature: Signature, source: random.Random, iterations: int | None) -> Iterator[Sample] | None:
    """Draw rows whose every right answer is worked out here; None for other models, and others of these names."""
    if model == "and_gate" and signature.inputs.keys() == {"inputs"}:
        return _of_the_gate(signature, source)
    if model == "work" and signature.inputs.keys() == {"seed", "iterations"}:
        return _of_work(signature, source, iterations)
    return None


def _by_card(signature: Signature, like: Sequence[Sample], source: random.Random) -> Iterator[Sample]:
    """Give examples and drawn rows by turns: half of the answers can be held against the card."""
    for example in cycle(like):
        yield example
        yield draw(signature, like, source)
    while True:
        yield draw(signature, (), source)


def _of_the_gate(signature: Signature, source: random.Random) -> Iterator[Sample]:
    while True:
        (row,) = and_gate.draw(1, source)
        inputs = {"inputs": list(row)}
        yield Sample(signature.row(inputs), and_gate.expected(row), inputs)


def _of_work(signature: Signature, source: random.Random, iterations: int | None) -> Iterator[Sample]:
    while True:
        (row,) = work.draw(1, source, iterations)
        inputs = work.inputs(row)
        yield Sample(signature.row(inputs), work.expected(row), inputs)
