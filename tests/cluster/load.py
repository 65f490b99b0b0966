"""Keep-alive clients that ask the AND gate, check every answer, and keep a record of every request."""

import asyncio
import itertools
import json
import math
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import uvloop

from tests.resilience.load import Answer, Connection, LostError, connect, deliver, post

PATH = "/v1/models/and_gate:predict"
SAMPLES = (0.0, 1.0, 2.0, 5.0, 10.0)
PAUSE_S = 0.1
"""What a client waits after a request that failed, so that an outage is not answered with a flood."""


@dataclass(slots=True)
class Request:
    """What became of one request. Times are of time.monotonic().

    Attributes:
        id: Its X-Request-ID.
        client: Number of the client that sent it.
        intended: When it was to be sent.
        sent: When it was.
        answered: When its answer was complete, or it was known to be lost.
        status: HTTP status, 0 where no answer came.
        error: What is wrong with the answer; empty where nothing is.
        pod: Gateway that answered, where it tells.
        backend: Model server that answered, where the gateway tells.
        version: Model version that answered.
        seq: The gateway's number of its answer, where it tells; 0 otherwise.
        idle_closes: Times that it met a connection closed while idle and was sent again, as RFC 9112 9.3.1 allows.
    """

    id: str
    client: int
    intended: float
    sent: float = 0.0
    answered: float = math.inf
    status: int = 0
    error: str = ""
    pod: str = ""
    backend: str = ""
    version: str = ""
    seq: int = 0
    idle_closes: int = 0

    def answerer(self, tier: str) -> str:
        """Return the pod of a tier that had a part in the answer, as `Cluster.answerers` calls it."""
        return self.pod if tier == "web" else self.backend


@dataclass
class KeepAliveLoad:
    """Clients that each keep a connection, in a thread of their own, between entering and leaving the context.

    Attributes:
        url: The gateway's address.
        clients: How many; each sends one request at a time.
        per_second: Requests of all clients together, at evenly spaced times; may change meanwhile. None for each as
            soon as its last one is answered.
        requests: Those whose outcome is known, in the order of their ends.
    """

    url: str
    clients: int = 16
    per_second: float | None = None
    requests: list[Request] = field(default_factory=list)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "load"))
    _next: float = 0.0
    _running: Future[None] | None = None

    def __enter__(self) -> Self:
        self._next = time.monotonic()
        self._running = self._worker.submit(uvloop.run, self._run())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._worker.shutdown()
        if self._running is not None:
            self._running.result()

    def since(self, began: float) -> list[Request]:
        """Return the requests that were sent at or after a monotonic time and whose outcome is known."""
        return [request for request in list(self.requests) if request.sent >= began]

    async def _run(self) -> None:
        await asyncio.gather(*(self._client(number) for number in range(self.clients)))

    async def _client(self, number: int) -> None:
        address = urlsplit(self.url).netloc
        source = random.Random(number)
        connection: Connection | None = None
        while (intended := await self._turn()) is not None:
            row = (source.choice(SAMPLES), source.choice(SAMPLES))
            request = Request(uuid.UUID(int=source.getrandbits(128)).hex, number, intended, time.monotonic())
            connection = await _send(request, row, address, connection)
            self.requests.append(request)
            if request.error:
                await asyncio.sleep(PAUSE_S)
        if connection is not None:
            connection.close()

    async def _turn(self) -> float | None:
        """Wait until a request is to be sent; gives the intended time, None when no more are."""
        if self.per_second is None:
            return None if self._stopped.is_set() else time.monotonic()
        intended = self._next
        self._next += 1 / self.per_second
        await asyncio.sleep(max(0.0, intended - time.monotonic()))
        return None if self._stopped.is_set() else intended


async def _send(
    request: Request, row: tuple[float, float], address: str, connection: Connection | None
) -> Connection | None:
    """Send a request and note what became of it; gives the connection if it can be used again."""
    message = post(PATH, json.dumps({"instances": [row]}).encode(), {"X-Request-ID": request.id})
    try:
        if connection is None:
            connection = await connect(address)
        answer, connection = await deliver(message, connection, request)
    except LostError as lost:
        request.answered = time.monotonic()
        request.error = f"lost: {lost}"
        return None
    request.answered = time.monotonic()
    _judge(request, row, answer)
    return None if connection.closed else connection


def _judge(request: Request, row: tuple[float, float], answer: Answer) -> None:
    request.status = answer.status
    request.pod = answer.headers.get("tidegate-pod", "")
    request.backend = answer.headers.get("tidegate-backend", "")
    request.version = answer.headers.get("tidegate-model-version", "")
    request.seq = int(answer.headers.get("tidegate-seq", "0"))
    if answer.status != 200:
        request.error = f"status {answer.status}: {answer.body[:200].decode(errors='replace')}"
    elif answer.headers.get("x-request-id") != request.id:
        request.error = f"another's answer: {answer.headers.get('x-request-id')}"
    else:
        request.error = _wrong(row, answer.body)


def _wrong(row: tuple[float, float], body: bytes) -> str:
    """Say what is wrong with an answer's content; empty when nothing is."""
    try:
        ((low, high),) = json.loads(body)["predictions"]
        right = (high > low) == (row[0] != 0 and row[1] != 0)
    except (ValueError, KeyError, TypeError):
        right = False
    return "" if right else f"wrong for {row}: {body[:80]!r}"


def failures(requests: Iterable[Request]) -> list[Request]:
    """Return those that failed."""
    return [request for request in requests if request.error]


def longest_pause_s(requests: Iterable[Request]) -> float:
    """Return the longest time in which no answer came."""
    times = sorted(request.answered for request in requests)
    return max(later - earlier for earlier, later in itertools.pairwise(times))


def summary(requests: Iterable[Request]) -> dict[str, Any]:
    """Count requests, idle closes, failures, and of these the commonest by what was wrong."""
    requests = list(requests)
    failed = failures(requests)
    return {
        "requests": len(requests),
        "idle_closes": sum(request.idle_closes for request in requests),
        "failed": len(failed),
        "errors": dict(Counter(request.error[:80] for request in failed).most_common(5)),
    }
