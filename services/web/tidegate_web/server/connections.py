"""Client connections within bounds: how many there may be, how long a head may take, and bytes that are no HTTP.

aiohttp accepts any number, gives a head as long as an idle connection, and answers what it can neither parse nor expect
in its own words. A request's body is bounded elsewhere: by the request's deadline.
"""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from tidegate_web.errors import ANSWERS, Answer, BadInput, Overloaded, TidegateError
from tidegate_web.server.error_bodies import error_body, plain_error_body
from tidegate_web.server.exchanges import is_usable_id

UNREAD_S = 20.0
"""How long a client may leave its answer unread."""

HEAD_S = 20.0
"""From a head's first byte to its last: only a slow-loris takes so long. Apache allows 20 s too, nginx 60 s."""

LINGER_S = 0.5
"""How long a refused connection stays open after its answer, so that what it still sends does not reset it unread."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What client connections may take.

    Attributes:
        most: How many may be open.
        refused: Told of each that is turned away.
        head_s: Seconds that a request's head may take.
    """

    most: int
    refused: Callable[[], None]
    head_s: float = HEAD_S


class BoundedRunner(web.AppRunner):
    """Runs an application over connections that keep their limits.

    Args:
        app: The application.
        limits: The limits.
        options: aiohttp's own, as for AppRunner.
    """

    __slots__ = ("_limits", "bounded")

    bounded: "BoundedServer"
    """The server, once it is set up."""

    def __init__(self, app: web.Application, limits: ConnectionLimits, **options: Any) -> None:  # noqa: ANN401 as AppRunner
        super().__init__(app, **options)
        self._limits = limits

    async def _make_server(self) -> web.Server:
        self.bounded = BoundedServer(await super()._make_server(), self._limits)
        return self.bounded


class BoundedServer(web.Server):
    """Makes a _Connection for each client of the server that it takes over from.

    Args:
        server: aiohttp's own.
        limits: The limits.

    Attributes:
        elsewhere: Counts the connections that another way in holds.
    """

    def __init__(self, server: web.Server, limits: ConnectionLimits) -> None:
        super().__init__(
            server.request_handler,
            request_factory=server.request_factory,
            handler_cancellation=server.handler_cancellation,
            loop=server._loop,  # noqa: SLF001 the class is aiohttp's, and so is this one's half
            **server._kwargs,  # noqa: SLF001 the same
        )
        self.limits = limits
        self.elsewhere: Callable[[], int] = int

    def __call__(self) -> web.RequestHandler:
        """Make the protocol of a new connection."""
        return _Connection(self, loop=self._loop, **self._kwargs)

    @property
    def full(self) -> bool:
        """Whether another connection would be one too many."""
        return len(self._connections) + self.elsewhere() >= self.limits.most


class _Connection(web.RequestHandler):
    """One client's connection."""

    __slots__ = ("_head_timer", "_refused", "_server", "_unread_timer")

    def __init__(self, server: BoundedServer, *, loop: asyncio.AbstractEventLoop, **options: Any) -> None:  # noqa: ANN401 as RequestHandler
        super().__init__(server, loop=loop, **options)
        self._server = server
        self._head_timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._server.full:
            self._refuse(cast("asyncio.Transport", transport))
        else:
            super().connection_made(transport)

    def _refuse(self, transport: asyncio.Transport) -> None:
        self._refused = True
        self._server.limits.refused()
        error = Overloaded(f"{self._server.limits.most} connections are open: try again soon")
        transport.write(_raw_answer(error, ANSWERS[Overloaded]))
        if transport.can_write_eof():
            transport.write_eof()
        self._loop.call_later(LINGER_S, transport.close)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        parsed = self._request_count
        super().data_received(data)
        if self._request_count != parsed:
            self._stop_timer()
        elif self._head_timer is None and (self._waiter is not None or not self._request_count):
            # No request is at work, so a head has begun
            self._head_timer = self._loop.call_later(self._server.limits.head_s, self.force_close)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.transport is not None:  # closing would wait for the client to read
            self._unread_timer = self._loop.call_later(UNREAD_S, self.transport.abort)

    def resume_writing(self) -> None:
        self._read_on()
        super().resume_writing()

    def _read_on(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_timer()
        self._read_on()
        super().connection_lost(exc)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer bytes that are no HTTP in the words of the error table; leave all else to aiohttp."""
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        request_id = uuid.uuid4().hex
        answer = ANSWERS[BadInput]
        response = _response(answer.status, error_body(_malformed(exc), answer, request_id), request_id)
        response.force_close()
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; aiohttp's own to an `Expect` that it does not know is made the error table's.

        aiohttp looks at that header before any middleware, also where no route matches.
        """
        if isinstance(resp, web.HTTPExpectationFailed):
            given = request.headers.get("X-Request-ID", "")
            request_id = given if given and is_usable_id(given) else uuid.uuid4().hex
            text = "Expect: the only expectation that can be met is 100-continue"
            resp = _response(resp.status, plain_error_body(text, f"http_{resp.status}", request_id), request_id)
        return await super().finish_response(request, resp, start_time)


def _response(status: int, body: bytes, request_id: str) -> web.Response:
    headers = {"X-Request-ID": request_id, "Server": "Tidegate"}
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def _malformed(exc: HttpProcessingError) -> BadInput:
    """Say which rule was broken; the bytes and the parser's hints after the colon are not repeated."""
    return BadInput(f"Malformed request: it is not HTTP/1.1 that can be read: {exc.message.partition(':')[0].strip()}")


def _raw_answer(error: TidegateError, answer: Answer) -> bytes:
    request_id = uuid.uuid4().hex
    body = error_body(error, answer, request_id)
    lines = (
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}",
        f"X-Request-ID: {request_id}",
        "Server: Tidegate",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"Retry-After: {answer.retry_after_s}",
        "Connection: close",
    )
    return "\r\n".join([*lines, "", ""]).encode() + body
