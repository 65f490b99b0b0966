"""A user of any model: asks for its signature, sends the examples of its card and rows like them, checks the answers.

`LOADTEST_MODEL` names the model, `LOADTEST_CARDS` the folder of its card (in a checkout, those that are there).
"""

import json
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from time import sleep

from locust import task

from answers import agrees, malformed, rows_of
from checked import AND_GATE, MODEL, SEED, CheckedUser, parsed, post_rows, refused, settle
from samples import CARD_FOLDERS, SampleError, class_names, endless, examples, find_card, read_card
from signatures import DEFAULT, Signature, SignatureError, choose, read_signatures

POOL_ROWS = 64
POOL_CHARACTERS = 4_000_000
"""Rows are drawn and written once, up to these bounds: for pictures, drawing takes longer than asking."""

BODY_CHARACTERS = 1_000_000
"""A body has fewer rows rather than more than this; the gateway's own limit is in the tens of millions."""

AGAIN_S = 1.0
"""How long a user waits before it asks for the signature again."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A row to send: its JSON, and the right answer or None."""

    text: str
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
        """Say what is wrong with an answer: its form, or what is not as the card expects; empty when nothing is."""
        found = rows_of(said, self.signature, len(rows))
        if isinstance(found, str):
            return found
        for row, answer in zip(rows, found, strict=True):
            if problem := malformed(answer, self.signature):
                return problem
            if agrees(row.expected, answer, self.names) is False:
                return f"wrong answer for {row.text[:60]}: expected {row.expected}, came {str(answer)[:80]}"
        return ""


def make_payload(model: str, metadata: object, folders: Sequence[str]) -> Payload:
    """Prepare what to send.

    Args:
        model: Its name.
        metadata: The answer of its metadata route.
        folders: Where its card may be.

    Raises:
        SignatureError: The metadata has no `serving_default` that predicts.
        SampleError: The card cannot be read, or an input's dtype stands in no JSON.
    """
    signature = choose(read_signatures(metadata), DEFAULT)
    path = find_card(model, folders)
    card = read_card(path) if path else {}
    pool: list[Prepared] = []
    characters = 0
    for sample in islice(endless(signature, examples(card, signature), random.Random(SEED)), POOL_ROWS):
        pool.append(Prepared(json.dumps(sample.row), sample.expected))
        characters += len(pool[-1].text)
        if characters > POOL_CHARACTERS:
            break
    return Payload(signature, pool, class_names(card))


@cache
def payload_of(metadata: str) -> Payload:
    """Prepare what to send once for all users of this process; see `make_payload`."""
    folder = os.environ.get("LOADTEST_CARDS")
    return make_payload(MODEL, json.loads(metadata), (folder,) if folder else CARD_FOLDERS)


class ModelUser(CheckedUser):
    """A program that uses the model which the environment names."""

    abstract = MODEL == AND_GATE
    payload: Payload | None = None

    @task
    def predict(self) -> None:
        """Send rows and check every answer; first of all, learn what fits."""
        payload = self.payload or self._learn()
        if payload is None:
            sleep(AGAIN_S)
            return
        self.payload = payload
        rows = payload.some(self.rows(), self.source)
        body = payload.signature.body([row.text for row in rows])
        post_rows(self.client, MODEL, body, f"predict {MODEL}", lambda said: payload.wrong(rows, said))

    def _learn(self) -> Payload | None:
        """Ask for the signature; a failure is counted as any other request's."""
        path = f"/v1/models/{MODEL}/metadata"
        with self.client.get(path, name="metadata", catch_response=True) as response:
            if not settle(response, refused(response)):
                return None
            try:
                return payload_of(json.dumps(parsed(response)))
            except (SignatureError, SampleError) as error:
                settle(response, str(error))
                return None
