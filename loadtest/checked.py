"""What all users share: where they go, when they send, how many rows, and how an answer is judged and counted."""

import json
import os
import random
import re
import sys
import uuid
from collections.abc import Callable, Mapping
from html import unescape

from locust import FastHttpUser, User, between
from locust.contrib.fasthttp import ResponseContextManager

import run_state
from ledger import Route
from settings import Settings, SettingsError, read

AND_GATE = "and_gate"
"""The model whose API user draws rows anew, and knows what is right."""

Files = Mapping[str, tuple[str, bytes]]

PAGE_ERROR = re.compile(r'<p class="error"[^>]*>([^<]+)')
REASON_CHARACTERS = 160

ROWS = (1, 1, 1, 4, 32)
"""Rows of a request, unless --rows or a scenario says how many."""


def read_settings() -> Settings:
    """Read what the environment says.

    Raises:
        SystemExit: Something in it cannot be; the text is one line.
    """
    try:
        return read(os.environ)
    except SettingsError as error:
        sys.exit(f"tidegate: {error}")


SETTINGS = read_settings()


class PacedUser(User):
    """A user with randomness of its own, who sends when the run says: after thinking, or when an arrival is due."""

    abstract = True

    due_ns: int = 0
    """When the arrival that this user is busy with was due, in an open loop."""

    def on_start(self) -> None:
        """Seed the user; in an open loop, wait for something to do."""
        self.state = run_state.of(self.environment)
        self.source = random.Random(SETTINGS.seed)
        if self.state.dispatcher:
            self.wait()

    def wait_time(self) -> float:
        """Wait as long as --think says, on average; in an open loop, until an arrival is due."""
        if self.state.dispatcher:
            self.due_ns = self.state.dispatcher.take()
            self.state.ledger.sent(self.due_ns, self.state.now_ns())
            return 0.0
        mean = float(self.environment.parsed_options.think)
        return float(between(0.5 * mean, 1.5 * mean)(self)) if mean else 0.0

    def rows(self) -> int:
        """Draw how many rows to send."""
        return int(self.environment.parsed_options.rows) or self.source.choice(ROWS)

    def begin(self) -> int:
        """Take the arrival that a request is for; in a closed loop, each request is one.

        Returns:
            When it was due, in nanoseconds since the start of the run.
        """
        if self.state.dispatcher:
            return self.due_ns
        now = self.state.now_ns()
        self.state.ledger.sent(now, now)
        return now

    def finish(self, due_ns: int, route: Route, *, right: bool) -> float:
        """Count an answer.

        Returns:
            Its latency from the intended start in milliseconds.
        """
        now = self.state.now_ns()
        self.state.ledger.answered(due_ns, now, route, right=right)
        return (now - due_ns) / 1e6


class CheckedUser(PacedUser, FastHttpUser):
    """A user of the gateway."""

    abstract = True
    host = SETTINGS.host

    def ask(  # noqa: PLR0913 the parts of a request
        self,
        method: str,
        path: str,
        wrong: Callable[[ResponseContextManager], str],
        *,
        name: str,
        data: str | dict[str, str] | None = None,
        files: Files | None = None,
        headers: dict[str, str] | None = None,
        more: bool = False,
    ) -> bool:
        """Send a request, judge its answer and count it.

        Args:
            method: GET or POST.
            path: On the gateway.
            wrong: Says what is wrong with an answer of status 200; empty when nothing is.
            name: Under which it is counted.
            data: The body, or the fields of a form.
            files: Of the form: name and bytes by field.
            headers: Besides Locust's own.
            more: Whether another request follows a right answer, with which an open loop's arrival is answered.

        Returns:
            Whether the answer was right.
        """
        due_ns = self.begin()
        with self.client.request(
            method, path, data=data, files=files, headers=headers, name=name, catch_response=True
        ) as response:
            problem = refused(response) or wrong(response)
            if problem or not more or not self.state.dispatcher:
                latency_ms = self.finish(due_ns, _route_of(response), right=not problem)
                if self.state.dispatcher:
                    response.request_meta["response_time"] = latency_ms
            settle(response, problem)
        return not problem

    def post_json(self, path: str, body: str, name: str, wrong: Callable[[object], str]) -> None:
        """Ask for a prediction and judge the answer.

        Args:
            path: On the gateway.
            body: The request's JSON.
            name: Under which it is counted.
            wrong: Says what is wrong with an answer's JSON; empty when nothing is.
        """
        request_id = uuid.uuid4().hex
        headers = {"X-Request-ID": request_id, "Content-Type": "application/json"}
        self.ask(
            "POST",
            path,
            lambda response: _foreign(response, request_id) or wrong(parsed(response)),
            name=name,
            data=body,
            headers=headers,
        )


def predict_path(model: str) -> str:
    """Return where a model's predictions are asked for."""
    return f"/v1/models/{model}:predict"


def refused(response: ResponseContextManager, status: int = 200) -> str:
    """Say what is wrong with an answer before its content; empty when nothing is."""
    if not response.status_code:
        return f"no answer: {getattr(response, 'error', 'connection closed')!r}"
    if response.status_code != status:
        return f"expected status {status}, came {response.status_code}{_reason(response)}"
    return ""


def settle(response: ResponseContextManager, problem: str) -> bool:
    """Count an answer as right, or as a failure that says what is wrong; gives whether it was right."""
    if problem:
        response.failure(problem)
    else:
        response.success()
    return not problem


def parsed(response: ResponseContextManager) -> object:
    """Read an answer's JSON, NaN and Infinity included; its text where it is none."""
    text = response.text or ""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _reason(response: ResponseContextManager) -> str:
    """Tell what a request was refused for. What came of load or of a fault has other words each time."""
    if not 400 <= response.status_code < 429:  # noqa: PLR2004 a client's mistakes
        return ""
    said = parsed(response)
    if isinstance(said, dict):
        return f": {str(said.get('error'))[:REASON_CHARACTERS]}"
    found = PAGE_ERROR.search(str(said))
    return f": {unescape(found[1])[:REASON_CHARACTERS]}" if found else ""


def _header(response: ResponseContextManager, name: str) -> str:
    return str(response.headers.get(name) or "") if response.headers is not None else ""


def _foreign(response: ResponseContextManager, request_id: str) -> str:
    return "" if _header(response, "X-Request-ID") == request_id else "the answer belongs to another request"


def _route_of(response: ResponseContextManager) -> Route:
    return Route(*(_header(response, f"Tidegate-{name}") for name in ("Pod", "Backend", "Model-Version")))
