"""Bodies for the models that measured runs ask, drawn by seed, with judges that know the right answers themselves."""

import json
import random
from collections.abc import Sequence

import and_gate
from tidegate_proof.engine.payload import Payload

DIFFERENT = 64
"""Bodies of a run, sent in turn: few enough to remember the right answers of each."""


def and_gate_payloads(rows: int, seed: int, count: int = DIFFERENT) -> list[Payload]:
    """Draw requests for the AND gate.

    Args:
        rows: Of each request.
        seed: Of the draw.
        count: Requests.
    """
    source = random.Random(seed)  # noqa: S311 samples need no secrecy
    return [and_gate_payload(and_gate.draw(rows, source)) for _ in range(count)]


def and_gate_payload(rows: Sequence[and_gate.Row]) -> Payload:
    """Make the request of some rows."""

    def wrong(answer: bytes) -> str:
        said = _predictions(answer)
        return said if isinstance(said, str) else and_gate.wrong(rows, said)

    return Payload(json.dumps({"instances": list(rows)}).encode(), wrong)


def _predictions(answer: bytes) -> list[object] | str:
    """Return the rows of an answer of REST v1; a text that says what came instead."""
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("predictions"), list):
        return f"expected JSON with predictions, came {answer[:80]!r}"
    found: list[object] = document["predictions"]
    return found
