"""Requests to a model, as the load test prepares them, ready for the engine."""

import http.client
import json
import random
from collections.abc import Sequence

import payloads
from samples import CARD_FOLDERS
from tidegate_proof.engine.payload import Payload
from tidegate_proof.engine.target import Target, TargetError

DIFFERENT = 64
"""Bodies of a run, sent in turn: few enough to remember the right answers of each."""

PATIENCE_S = 10.0


def learn(
    gateway: Target,
    model: str,
    *,
    seed: int,
    iterations: int | None = None,
    folders: Sequence[str] = CARD_FOLDERS,
) -> payloads.Payload:
    """Ask a gateway what fits a model; done once, before a run.

    Args:
        gateway: Its path does not matter.
        model: Its name.
        seed: Of drawn rows.
        iterations: Of each row where the model is `work`; None for a mix.
        folders: Where its card may be.

    Raises:
        TargetError: The gateway does not tell.
        SignatureError: The model has no `serving_default` that predicts.
        SampleError: The card cannot be read, or an input stands in no JSON.
    """
    path = f"/v1/models/{model}/metadata"
    connection = http.client.HTTPConnection(gateway.host, gateway.port, timeout=PATIENCE_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != http.client.OK:
            raise TargetError(f"{gateway.authority}{path}: expected 200, came {answer.status}: {said[:200]!r}")
        document = json.loads(said)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise TargetError(f"{gateway.authority}{path}: expected a model's metadata, came {error!r}") from None
    finally:
        connection.close()
    return payloads.make_payload(model, document, folders, seed=seed, iterations=iterations)


def requests_of(prepared: payloads.Payload, rows: int, seed: int, count: int = DIFFERENT) -> list[Payload]:
    """Draw requests.

    Args:
        prepared: What fits the model.
        rows: Of each request.
        seed: Of the draw.
        count: Requests.
    """
    source = random.Random(seed)  # noqa: S311 samples need no secrecy
    return [_request(prepared, prepared.some(rows, source)) for _ in range(count)]


def _request(prepared: payloads.Payload, chosen: Sequence[payloads.Prepared]) -> Payload:
    def wrong(answer: bytes) -> str:
        try:
            return prepared.wrong(chosen, json.loads(answer))
        except (ValueError, RecursionError) as error:
            return f"expected JSON, came {answer[:80]!r}: {error}"

    return Payload(prepared.signature.body([row.text for row in chosen]).encode(), wrong)
