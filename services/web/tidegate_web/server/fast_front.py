"""The fast way in for plain predictions: one protocol class instead of a framework's dozen steps.

Most requests of a busy gateway are small `POST /v1/models/…:predict` over kept connections, and most of what they would
cost is the framework's. `FastFront` reads just those; with the first byte of anything else the whole connection is
handed to aiohttp, for good, with every byte that was not answered yet. What a request means and how it is answered are
the plain way's own functions (`rest_v1.handlers.predict`, `Exchanges`, `answer_error`), and a test holds both ways'
answers against each other.
"""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from typing import cast

from tidegate_web.admission import AdmittedPredictor
from tidegate_web.codec.rest_v1 import Layout, encode_outputs, parse_predict
from tidegate_web.errors import TidegateError
from tidegate_web.prediction import Outcome
from tidegate_web.rest_v1.handlers import predict, to_prediction
from tidegate_web.server.auth import Tokens
from tidegate_web.server.connection_age import ConnectionAge
from tidegate_web.server.connections import UNREAD_S, BoundedServer
from tidegate_web.server.error_bodies import answer_error, answer_unexpected
from tidegate_web.server.exchanges import CLIENT_CLOSED_REQUEST, Exchange, Exchanges
from tidegate_web.server.request_head import LARGEST_HEAD, RequestHead, read_head

KEPT_HEADS = 1024
"""Heads that are remembered: a kept connection sends the same one again and again."""

READ_AHEAD = 2**14
"""Bytes that a client may send ahead while it is being answered, before reading pauses."""

PATIENCE_S = 1.0
"""How long an unfinished request may stay here before aiohttp, with its own time-outs, takes the connection over."""

SWEEP_S = 1.0
"""How often connections are looked at for that."""

_HEAD_STARTS = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
    for status in HTTPStatus
}


@dataclass(slots=True)
class FastFronts:
    """What all connections share.

    Attributes:
        predictor: What answers.
        exchanges: Begins and ends each exchange.
        ages: When connections are to be closed.
        client_id_header: Names a client, in lower case.
        keepalive_s: How long an idle connection is kept.
        largest_body: Bytes of a body that may come this way.
        tokens: One of which every request must carry; None where anybody may ask.
        plain: Makes aiohttp's protocol, for connections that are handed over, and knows when there are too many.
        loop: Of this thread; asking for it costs a system call before Python 3.12.
        tasks: Requests that wait for more than the next call.
    """

    predictor: AdmittedPredictor
    exchanges: Exchanges
    ages: ConnectionAge
    client_id_header: str
    keepalive_s: float
    largest_body: int
    tokens: Tokens | None
    plain: BoundedServer
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    tasks: "set[asyncio.Task[None]]" = field(default_factory=set)
    _connections: "set[FastFront]" = field(default_factory=set)
    _heads: dict[bytes, RequestHead] = field(default_factory=dict)
    _date: tuple[int, str] = (0, "")

    def __post_init__(self) -> None:
        """Let the connections here count beside aiohttp's."""
        self.plain.elsewhere = self._connections.__len__

    def connection(self) -> "FastFront":
        """Make the protocol of a new connection."""
        return FastFront(self)

    async def sweep(self) -> None:
        """Close idle connections and hand over slow ones, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_S)
            now = time.monotonic()
            for connection in list(self._connections):
                connection.look(now)

    async def retire(self) -> None:
        """Hand over every connection with a request that has not come in full, so that it counts as in flight."""
        for connection in list(self._connections):
            connection.retire()
        for _ in range(3):  # turns of the event loop until aiohttp has begun with what it was given
            await asyncio.sleep(0)

    def close(self) -> None:
        """Close every connection; those that are being answered are cut off."""
        for connection in list(self._connections):
            connection.abandon()

    def opened(self, connection: "FastFront") -> None:
        """Take note of a connection."""
        self._connections.add(connection)

    def gone(self, connection: "FastFront") -> None:
        """Forget a connection."""
        self._connections.discard(connection)

    def head(self, text: bytes) -> RequestHead | None:
        """Read a head, or remember it."""
        known = self._heads.get(text)
        if known is None:
            known = read_head(text)
            if known is not None and "x-request-id" not in known.headers:
                if len(self._heads) >= KEPT_HEADS:
                    self._heads.clear()
                self._heads[text] = known
        return known

    def admits(self, head: RequestHead) -> bool:
        """Whether a request carries a token, where one is asked for; who is refused hears it from aiohttp's side."""
        return self.tokens is None or self.tokens.accept(head.headers.get("authorization", ""))

    def date(self) -> str:
        """Return the present second as HTTP writes it."""
        now = int(time.time())
        if self._date[0] != now:
            self._date = now, formatdate(now, usegmt=True)
        return self._date[1]


@dataclass(slots=True, eq=False)
class _Asked:
    """The request that a connection is being answered.

    Attributes:
        exchange: What is known of it.
        head: As read.
        take_back: Stops the work on it.
    """

    exchange: Exchange
    head: RequestHead
    take_back: Callable[[], object] = bool


class FastFront(asyncio.Protocol):
    """One connection, until it is handed over or closed.

    A client that ends its half of the connection is taken for one that has left, as by aiohttp and by most proxies.

    Args:
        fronts: What all connections share.
    """

    __slots__ = (
        "__weakref__",
        "_asked",
        "_buffer",
        "_expires",
        "_fronts",
        "_paused",
        "_since",
        "_transport",
        "_writable",
    )

    def __init__(self, fronts: FastFronts) -> None:
        self._fronts = fronts
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._asked: _Asked | None = None
        self._writable = True
        self._paused = False
        self._since = time.monotonic()
        self._expires = math.inf

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        if self._fronts.plain.full:
            self._hand_over()  # to be refused
            return
        self._expires = self._fronts.ages.expiry()
        self._fronts.opened(self)

    def connection_lost(self, _: Exception | None) -> None:
        """Let go; a prediction that nobody waits for is taken back."""
        self._fronts.gone(self)
        self._transport = None
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.take_back()
            self._fronts.exchanges.end(asked.exchange, asked.head.route, "POST", asked.head.path, CLIENT_CLOSED_REQUEST)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._buffer = self._buffer + data if self._buffer else data
        if self._asked is None:
            self._advance()
        waits = self._asked is not None or not self._writable
        if waits and len(self._buffer) > READ_AHEAD and self._transport is not None and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """Begin no answer while the client does not read the last ones."""
        self._writable = False

    def resume_writing(self) -> None:
        """Go on."""
        self._writable = True
        self._go_on()

    def look(self, now: float) -> None:
        """Close the connection when it has idled too long; hand it over when its request does not get finished."""
        if self._asked is not None or self._transport is None:
            return
        if self._buffer and self._writable and now - self._since > PATIENCE_S:
            self._hand_over()
        elif not self._writable and now - self._since > UNREAD_S:
            self._transport.abort()  # close() would wait for the client to read
        elif now - self._since > self._fronts.keepalive_s:
            self._transport.close()

    def retire(self) -> None:
        """Hand the connection over if a request has begun to come."""
        if self._asked is None and self._buffer and self._writable:
            self._hand_over()

    def abandon(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.close()

    def _advance(self) -> None:
        """Begin to answer the next request, if it is here in full."""
        buffer = self._buffer
        if not buffer or not self._writable or self._transport is None:
            return
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(buffer) > LARGEST_HEAD or not b"POST /v1/models/".startswith(buffer[:16]):
                self._hand_over()
            return
        head = self._fronts.head(buffer[:end]) if end <= LARGEST_HEAD else None
        if head is None or head.length > self._fronts.largest_body or not self._fronts.admits(head):
            self._hand_over()
            return
        start, stop = end + 4, end + 4 + head.length
        if len(buffer) < stop:
            return
        self._buffer = buffer[stop:]
        self._ask(head, buffer[start:stop])

    def _ask(self, head: RequestHead, body: bytes) -> None:
        """Begin to answer a request; its end calls `_answered`, `_failed` or, where the client left, neither."""
        fronts = self._fronts
        headers = head.headers
        exchange = fronts.exchanges.begin(headers.get("x-request-id"), headers.get("traceparent"), head.length)
        asked = self._asked = _Asked(exchange, head)
        try:
            fronts.predictor.refuse_when_full()
            exchange.shorten(head.headers.get("x-request-timeout"))
            client = head.headers.get(fronts.client_id_header) or exchange.request_id
            document = parse_predict(body)
            model = fronts.predictor.route(head.model, client)
            metadata = fronts.predictor.known_metadata(model)
            if metadata is not None:
                prediction = to_prediction(document, model, metadata)
                answered = partial(self._answered, asked, document.layout)
                take_back = fronts.predictor.submit(prediction, exchange.remaining_s(), answered)
                if take_back is not None:
                    asked.take_back = take_back
                    return
        except Exception as error:  # noqa: BLE001 whatever it is, the client gets an answer and the log the rest
            self._failed(asked, error)
            return
        task = fronts.loop.create_task(self._wait(asked, client, body))
        fronts.tasks.add(task)
        task.add_done_callback(fronts.tasks.discard)
        asked.take_back = task.cancel

    async def _wait(self, asked: "_Asked", client: str, body: bytes) -> None:
        """Answer what cannot begin at once: signatures have to be asked for, or a turn to be waited for."""
        exchange = asked.exchange
        try:
            text, exchange.reply = await predict(
                self._fronts.predictor, asked.head.model, client, body, exchange.remaining_s
            )
        except Exception as error:  # noqa: BLE001 as in _ask
            self._failed(asked, error)
        else:
            self._end(asked, HTTPStatus.OK, "", text)

    def _answered(self, asked: "_Asked", layout: Layout, answer: Outcome | Exception) -> None:
        if isinstance(answer, Exception):
            self._failed(asked, answer)
            return
        try:
            body = encode_outputs(answer.outputs, layout)
        except Exception as error:  # noqa: BLE001 as in _ask
            self._failed(asked, error)
        else:
            asked.exchange.reply = answer
            self._end(asked, HTTPStatus.OK, "", body)

    def _failed(self, asked: "_Asked", error: Exception) -> None:
        if isinstance(error, TidegateError):
            status, extra, body = answer_error(error, asked.exchange)
        else:
            status, extra, body = answer_unexpected(error, asked.exchange)
        self._end(asked, status, "".join([f"{name}: {value}\r\n" for name, value in extra.items()]), body)

    def _end(self, asked: "_Asked", status: HTTPStatus, extra: str, body: bytes) -> None:
        """Send an answer, close the connection where its time has come, and go on with what came in the meantime."""
        transport = self._transport
        if self._asked is not asked or transport is None:
            return  # the client is gone, and with it the exchange
        fronts = self._fronts
        exchange, head = asked.exchange, asked.head
        now = time.monotonic()
        closing = fronts.exchanges.draining or now >= self._expires
        fields = "".join([f"{name}: {value}\r\n" for name, value in fronts.exchanges.headers(exchange).items()])
        close = "Connection: close\r\n" if closing else ""
        text = (
            f"{_HEAD_STARTS[status]}Content-Length: {len(body)}\r\nDate: {fronts.date()}\r\n{fields}{extra}{close}\r\n"
        )
        transport.write(text.encode("latin-1") + body)
        self._asked = None
        self._since = now
        exchange.bytes_out = len(body)
        fronts.exchanges.end(exchange, head.route, "POST", head.path, status)
        if closing:
            transport.close()
        elif self._paused or self._buffer:
            fronts.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        """Go on with what came while the last request was answered."""
        if self._paused and self._writable and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        if self._asked is None:
            self._advance()

    def _hand_over(self) -> None:
        """Give the connection to aiohttp, with every byte that has not been answered."""
        transport = self._transport
        if transport is None:
            return
        self._fronts.gone(self)
        self._transport = None
        if self._paused:
            transport.resume_reading()
        plain = self._fronts.plain()
        transport.set_protocol(plain)
        plain.connection_made(transport)
        if self._buffer:
            plain.data_received(self._buffer)
