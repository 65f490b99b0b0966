"""An open-loop load over keep-alive connections that accounts for every request.

Requests are sent at their intended times whatever the answers do, and latency counts from there. Each carries its own
number as its row, which the stub model server answers back, so that a neighbour's answer is found out.
"""

import asyncio
import itertools
import json
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

import orjson

CONNECT_S = 5.0
ANSWER_S = 30.0
"""After this a request counts as lost: longer than any deadline that the gateway keeps."""

LARGEST_ID = 2**24
"""Up to here a float32 tells whole numbers apart."""


class LostError(Exception):
    """The connection ended before the answer did.

    Args:
        idle_close: Whether it had answered before and not a byte of this answer came: the server closed it while it was
            idle and the request was on its way. RFC 9112, 9.3.1 lets a client send such a request again.
    """

    def __init__(self, reason: str, *, idle_close: bool = False) -> None:
        super().__init__(reason)
        self.idle_close = idle_close


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: status, headers by lower-case name, body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Connection(asyncio.Protocol):
    """One keep-alive connection, one request at a time.

    Args:
        address: `host:port` of the other end.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.transport: asyncio.Transport | None = None
        self.closed = False
        self._answered = 0
        self._received = b""
        self._waiter: asyncio.Future[Answer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or self._waiter is None or self._waiter.done():
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if len(body) < int(headers.get("content-length", "0")):
            return
        self._received = b""
        self._answered += 1
        if headers.get("connection", "").lower() == "close":
            self.close()
        self._waiter.set_result(Answer(int(first.split()[1]), headers, body))

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self._waiter is not None and not self._waiter.done():
            idle_close = self._answered > 0 and not self._received
            self._waiter.set_exception(LostError(f"connection lost: {exc!r}", idle_close=idle_close))

    def close(self) -> None:
        self.closed = True
        if self.transport is not None:
            self.transport.close()

    async def ask(self, request: bytes, timeout_s: float = ANSWER_S) -> Answer:
        """Send a request and read its answer.

        Raises:
            LostError: The connection ended, or the answer did not come in time.
        """
        if self.closed or self.transport is None:
            raise LostError("closed while idle", idle_close=self._answered > 0)
        self._waiter = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._waiter
        except TimeoutError:
            self.close()
            raise LostError(f"no answer in {timeout_s} s") from None
        finally:
            self._waiter = None


async def connect(address: str) -> Connection:
    """Open a connection to `host:port`.

    Raises:
        LostError: Nobody listens there.
    """
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(CONNECT_S):
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(lambda: Connection(address), host, int(port))
    except (OSError, TimeoutError) as error:
        raise LostError(f"no connection to {address}: {error!r}") from None
    return connection


class Account(Protocol):
    """What counts how often a request was sent again."""

    idle_closes: int


async def deliver(
    request: bytes, connection: Connection, account: Account, next_address: Callable[[], str] | None = None
) -> tuple[Answer, Connection]:
    """Send a request, and once more if the connection was closed while it was idle: RFC 9112, 9.3.1 allows that.

    Args:
        request: Its bytes.
        connection: Where to send it.
        account: Is told of an idle close, also when the second try is lost.
        next_address: Tells where to send it then; to the same address if it is not given.

    Returns:
        The answer, and the connection that it came over.

    Raises:
        LostError: No answer came.
    """
    try:
        return await connection.ask(request), connection
    except LostError as lost:
        if not lost.idle_close:
            raise
    account.idle_closes += 1
    connection = await connect(connection.address if next_address is None else next_address())
    return await connection.ask(request), connection


def post(path: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """Write a POST request."""
    lines = [f"POST {path} HTTP/1.1", "Host: gateway", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def get(path: str) -> bytes:
    """Write a GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: gateway\r\n\r\n".encode()


@dataclass(slots=True)
class Outcome:
    """What became of one request.

    Attributes:
        number: Its own, and its row.
        intended: When it was to be sent, by time.monotonic().
        sent: When it was.
        answered: When its answer was complete.
        kind: `ok`, `wrong` (another's answer), `status` (not 200) or `lost`.
        status: HTTP status, 0 where there is none.
        version: Version that answered.
        backend: Model server that answered.
        retry_after: Whether the answer had the header.
        idle_closes: Times that it met a connection closed while idle, and was sent again.
        said: The body of an answer that was not ok, or why it was lost.
    """

    number: int
    intended: float
    sent: float = 0.0
    answered: float = 0.0
    kind: str = "lost"
    status: int = 0
    version: int = 0
    backend: str = ""
    retry_after: bool = False
    idle_closes: int = 0
    said: str = ""

    @property
    def took_s(self) -> float:
        """Seconds from the intended time to the answer."""
        return self.answered - self.intended


@dataclass
class Load:
    """Sends requests to some gateways in turn.

    Attributes:
        targets: `host:port` of each gateway; may change while the load runs.
        path: Where to post.
        headers: Sent with each, made from its number.
    """

    targets: list[str]
    path: str = "/v1/models/and_gate:predict"
    headers: Callable[[int], dict[str, str]] = lambda _: {}
    outcomes: list[Outcome] = field(default_factory=list)
    _stopped: bool = False
    _idle: dict[str, deque[Connection]] = field(default_factory=dict)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _turns: "itertools.count[int]" = field(default_factory=itertools.count)

    async def open(self, per_second: float, duration_s: float = math.inf) -> list[Outcome]:
        """Send so many requests a second for so long, or until `stop`, and wait for the answers."""
        started = time.monotonic()
        asked: list[asyncio.Task[Outcome]] = []
        self._stopped = False
        for number in itertools.count():
            intended = started + number / per_second
            if self._stopped or intended - started >= duration_s:
                break
            if (ahead_s := intended - time.monotonic()) > 0:
                await asyncio.sleep(ahead_s)
            asked.append(asyncio.create_task(self.one(intended)))
        return list(await asyncio.gather(*asked))

    def stop(self) -> None:
        """Let `open` end."""
        self._stopped = True

    async def first_use(self, backend: str, since: float, patience_s: float = 10.0) -> float:
        """Wait until a request that was sent later is answered by a model server; gives when, infinity if none is."""
        while time.monotonic() - since < patience_s:
            for outcome in reversed(self.outcomes):
                if outcome.intended < since:
                    break
                if outcome.backend == backend and outcome.kind == "ok":
                    return outcome.answered
            await asyncio.sleep(0.005)
        return math.inf

    async def closed(self, count: int, clients: int) -> list[Outcome]:
        """Send so many requests, each client one after the other."""
        left = itertools.count(1)

        async def client() -> list[Outcome]:
            found: list[Outcome] = []
            while next(left) <= count:
                found.append(await self.one())
            return found

        return [outcome for one in await asyncio.gather(*(client() for _ in range(clients))) for outcome in one]

    async def one(self, intended: float | None = None) -> Outcome:
        """Send one request."""
        number = next(self._numbers) % LARGEST_ID
        sent = time.monotonic()
        outcome = Outcome(number, sent if intended is None else intended, sent)
        self.outcomes.append(outcome)
        body = b'{"instances":[[%d,0]]}' % number
        try:
            answer = await self._ask(post(self.path, body, self.headers(number)), outcome)
        except LostError as lost:
            outcome.answered = time.monotonic()
            outcome.said = str(lost)
            return outcome
        outcome.answered = time.monotonic()
        _judge(outcome, answer)
        return outcome

    async def _ask(self, request: bytes, outcome: Outcome) -> Answer:
        answer, connection = await deliver(request, await self._connection(self._turn()), outcome, self._turn)
        if not connection.closed:
            self._idle.setdefault(connection.address, deque()).append(connection)
        return answer

    def _turn(self) -> str:
        return self.targets[next(self._turns) % len(self.targets)]

    async def _connection(self, target: str) -> Connection:
        idle = self._idle.setdefault(target, deque())
        while idle:
            connection = idle.pop()
            if not connection.closed:
                return connection
        return await connect(target)

    def lateness_s(self, share: float) -> float:
        """Return how late the generator itself sent that share of the requests, at most."""
        return percentile([outcome.sent - outcome.intended for outcome in self.outcomes], share)

    def close(self) -> None:
        """Close every idle connection."""
        for connection in itertools.chain.from_iterable(self._idle.values()):
            connection.close()
        self._idle.clear()


def _judge(outcome: Outcome, answer: Answer) -> None:
    outcome.status = answer.status
    outcome.version = int(answer.headers.get("tidegate-model-version", "0"))
    outcome.backend = answer.headers.get("tidegate-backend", "")
    outcome.retry_after = "retry-after" in answer.headers
    if answer.status != 200:
        outcome.kind = "status"
        outcome.said = answer.body[:300].decode(errors="replace")
        return
    expected = {"predictions": [[float(outcome.number), float(outcome.version)]]}
    outcome.kind = "ok" if orjson.loads(answer.body) == expected else "wrong"
    if outcome.kind == "wrong":
        outcome.said = answer.body[:300].decode(errors="replace")


def tally(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Count outcomes: `ok`, `wrong`, `lost`, each status that is not 200, and idle closes apart."""
    counts: Counter[str] = Counter()
    for outcome in outcomes:
        counts["requests"] += 1
        counts[str(outcome.status) if outcome.kind == "status" else outcome.kind] += 1
        counts["idle_closes"] += outcome.idle_closes
    return {"ok": 0, "wrong": 0, "lost": 0} | dict(counts)


def failures(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Return those that are not ok."""
    return [outcome for outcome in outcomes if outcome.kind != "ok"]


def first_words(outcomes: Iterable[Outcome]) -> str:
    """Say what the commonest failures said."""
    said = Counter(f"{outcome.kind} {outcome.status}: {_error(outcome.said)}" for outcome in failures(outcomes))
    return "; ".join(f"{count} x {text}" for text, count in said.most_common(3))


def _error(said: str) -> str:
    try:
        return str(json.loads(said)["error"])[:80]
    except (ValueError, KeyError, TypeError):
        return said[:80]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share of the values lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
