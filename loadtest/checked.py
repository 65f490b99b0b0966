"""What all users share: where they go, how many rows they send, how long they think, and how an answer is judged."""

import json
import os
import random
import uuid
from collections.abc import Callable

from locust import FastHttpUser, between
from locust.contrib.fasthttp import FastHttpSession, ResponseContextManager

AND_GATE = "and_gate"
"""The model whose right answers are worked out here, in any number; it has users of its own."""

MODEL = os.environ.get("LOADTEST_MODEL") or AND_GATE
HOST = os.environ.get("LOADTEST_HOST") or "http://127.0.0.1:8080"
SEED = os.environ.get("TIDEGATE_SEED")
ROWS = (1, 1, 1, 4, 32)
"""Rows of a request, unless --rows says how many."""


class CheckedUser(FastHttpUser):
    """A user with randomness of its own."""

    abstract = True
    host = HOST

    def on_start(self) -> None:
        """Seed the user."""
        self.source = random.Random(SEED)

    def wait_time(self) -> float:
        """Wait as long as --think says, on average."""
        mean = float(self.environment.parsed_options.think)
        return float(between(0.5 * mean, 1.5 * mean)(self)) if mean else 0.0

    def rows(self) -> int:
        """Draw how many rows to send."""
        return int(self.environment.parsed_options.rows) or self.source.choice(ROWS)


def refused(response: ResponseContextManager, status: int = 200) -> str:
    """Say what is wrong with an answer before its content; empty when nothing is."""
    if not response.status_code:
        return f"no answer: {getattr(response, 'error', 'connection closed')!r}"
    if response.status_code != status:
        return f"expected status {status}, came {response.status_code}"
    return ""


def settle(response: ResponseContextManager, problem: str) -> bool:
    """Count an answer as right, or as a failure that says what is wrong; gives whether it was right."""
    if problem:
        response.failure(problem)
    else:
        response.success()
    return not problem


def post_rows(client: FastHttpSession, model: str, body: str, name: str, wrong: Callable[[object], str]) -> None:
    """Ask for a prediction and judge the answer.

    Args:
        client: A user's.
        model: The model's name.
        body: The request's JSON.
        name: Under which it is counted.
        wrong: Says what is wrong with an answer's JSON; empty when nothing is.
    """
    request_id = uuid.uuid4().hex
    headers = {"X-Request-ID": request_id, "Content-Type": "application/json"}
    path = f"/v1/models/{model}:predict"
    with client.post(path, data=body, headers=headers, name=name, catch_response=True) as response:
        settle(response, refused(response) or _foreign(response, request_id) or wrong(parsed(response)))


def parsed(response: ResponseContextManager) -> object:
    """Read an answer's JSON, NaN and Infinity included; its text where it is none."""
    text = response.text or ""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _foreign(response: ResponseContextManager, request_id: str) -> str:
    answered = response.headers.get("X-Request-ID") if response.headers is not None else None
    return "" if answered == request_id else "the answer belongs to another request"
