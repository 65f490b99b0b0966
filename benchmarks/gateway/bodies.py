"""What is asked: a row of two numbers, and an image of about 1 MB."""

import json
import random
from dataclasses import dataclass
from functools import cached_property

SIDE, CHANNELS, DIGITS, SEED = 224, 3, 4, 1


@dataclass(frozen=True)
class Body:
    """A request and its right answer.

    Attributes:
        name: What the tables call it.
        model: The model that is asked.
        document: The request as JSON.
        predictions: What the model answers.
    """

    name: str
    model: str
    document: dict[str, object]
    predictions: list[list[float]]

    @cached_property
    def text(self) -> bytes:
        """The request as it is sent."""
        return json.dumps(self.document, separators=(",", ":")).encode()


def small() -> Body:
    """One row of two numbers."""
    return Body("one row", "and_gate", {"instances": [[5, 6]]}, [[0.125, 0.875]])


def large() -> Body:
    """One image of 150,528 numbers with four digits each."""
    shades = random.Random(SEED)  # noqa: S311 a picture needs no secrecy
    image = [
        [[round(shades.uniform(0.1, 1), DIGITS) for _ in range(CHANNELS)] for _ in range(SIDE)] for _ in range(SIDE)
    ]
    return Body("1 MB", "image", {"instances": [image]}, [[0.125, 0.875]])
