"""What every request passes: observation (id, deadline, metrics, log, headers), errors, and the door."""

import asyncio
import contextlib
import logging
import math
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from http import HTTPStatus

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Middleware

from tidegate_web.admission import AdmittedPredictor
from tidegate_web.errors import ANSWERS, BadInput, BodyTooLarge, DeadlineExceeded, NotFound, Problem, TidegateError
from tidegate_web.metrics import Metrics
from tidegate_web.prediction import Reply
from tidegate_web.server.connection_age import ConnectionAge
from tidegate_web.server.error_bodies import error_body, plain_error_body
from tidegate_web.server.keys import EXCHANGE, Exchange
from tidegate_web.server.lifecycle import Lifecycle
from tidegate_web.settings import Settings

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LONGEST_REQUEST_ID = 128
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
CLIENT_CLOSED_REQUEST = 499
"""nginx's status for a client that left before its answer; only metrics and logs see it."""


class ExchangeContext:
    """The handlers' RequestContext, over what the Observer keeps of each request.

    Args:
        client_id_header: Names a client over its requests.
    """

    def __init__(self, client_id_header: str) -> None:
        self._client_id_header = client_id_header

    def request_id(self, request: web.Request) -> str:
        """Return its id: the client's, or one of ours."""
        return request[EXCHANGE].request_id

    def client(self, request: web.Request) -> str:
        """Return the client's own name, or the request's id."""
        return request.headers.get(self._client_id_header) or request[EXCHANGE].request_id

    def remaining_s(self, request: web.Request) -> float:
        """Return the seconds that it may still take."""
        return request[EXCHANGE].remaining_s()

    def answered(self, request: web.Request, reply: Reply) -> None:
        """Keep a model's answer for headers and log."""
        request[EXCHANGE].reply = reply


class Observer:
    """The outermost middleware: gives each request its id and deadline, and tells of its answer.

    Args:
        settings: Time-outs and what to expose.
        metrics: Where answers are counted.
        lifecycle: Whether connections are to be closed.
        ages: When connections are to be closed.
        pod: Name of this replica.
    """

    def __init__(
        self, settings: Settings, metrics: Metrics, lifecycle: Lifecycle, ages: ConnectionAge, pod: str
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._lifecycle = lifecycle
        self._ages = ages
        self._pod = pod
        self._inflight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.answered = 0

    @web.middleware
    async def observe(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request and tell of it."""
        started = time.monotonic()
        exchange = Exchange(_request_id(request), started + self._settings.request_timeout_s)
        request[EXCHANGE] = exchange
        status = CLIENT_CLOSED_REQUEST
        with self._counted():
            try:
                response = await handler(request)
                status = response.status
                self._set_headers(request, response, exchange, time.monotonic() - started)
            finally:
                self._tell(request, exchange, status, time.monotonic() - started)
        return response

    async def finish(self, timeout_s: float) -> None:
        """Wait until no request is being answered, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        self._inflight += 1
        self._idle.clear()
        try:
            with self._metrics.inflight_request():
                yield
        finally:
            self._inflight -= 1
            if not self._inflight:
                self._idle.set()

    def _set_headers(
        self, request: web.Request, response: web.StreamResponse, exchange: Exchange, took_s: float
    ) -> None:
        headers = response.headers
        headers["X-Request-ID"] = exchange.request_id
        headers["Server"] = "Tidegate"
        reply = exchange.reply
        if reply is not None:
            headers["Tidegate-Model-Version"] = str(reply.version)
            stages = {**reply.timings, "total": took_s}
            headers["Server-Timing"] = ", ".join(f"{name};dur={1e3 * took:.3f}" for name, took in stages.items())
        self.answered += 1
        if self._settings.expose_route:
            headers["Tidegate-Pod"] = self._pod
            headers["Tidegate-Seq"] = str(self.answered)
            if reply is not None:
                headers["Tidegate-Backend"] = reply.backend
        if self._lifecycle.draining or self._ages.expired(request.transport):
            response.force_close()

    def _tell(self, request: web.Request, exchange: Exchange, status: int, took_s: float) -> None:
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "unmatched"
        method = request.method if request.method in KNOWN_METHODS else "other"
        self._metrics.requests.labels(route, method, str(status)).inc()
        self._metrics.duration.labels(route).observe(took_s)
        failed = status >= web.HTTPInternalServerError.status_code
        if failed or random.random() < self._settings.access_log_share:  # noqa: S311 a sample, no secret
            log.log(
                logging.WARNING if failed else logging.INFO,
                "request",
                extra={
                    "request_id": exchange.request_id,
                    "method": method,
                    "path": request.path[:200],
                    "status": status,
                    "took_ms": round(1e3 * took_s, 3),
                    "failure": exchange.failure,
                    "backend": exchange.reply.backend if exchange.reply else "",
                },
            )


def _request_id(request: web.Request) -> str:
    """Take the client's id where it is short and printable, so that it can stand in a header and a log."""
    given = request.headers.get("X-Request-ID", "")
    if given and len(given) <= LONGEST_REQUEST_ID and given.isascii() and given.isprintable():
        return given
    return uuid.uuid4().hex


@web.middleware
async def translate_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer within the request's time, and turn every error into the answer that the table gives it."""
    exchange = request[EXCHANGE]
    try:
        exchange.deadline = min(exchange.deadline, time.monotonic() + _wanted_timeout_s(request))
        _refuse_too_large(request)
        async with asyncio.timeout(exchange.remaining_s()):
            return await handler(request)
    except TidegateError as error:
        return error_response(request, error)
    except TimeoutError:
        return error_response(request, DeadlineExceeded("The request took longer than it may"))
    except (web.RequestPayloadError, HttpProcessingError):  # the latter by a part of a multipart body
        return error_response(request, BadInput("The body ended early, or is not encoded as its headers say"))
    except web.HTTPException as error:
        return _http_error_response(request, error)
    except ConnectionError:
        raise  # the client is gone: nobody reads an answer
    except Exception:
        log.exception("unexpected error", extra={"request_id": exchange.request_id})
        text = f"Something went wrong here; it is in our log as request {exchange.request_id}"
        return _plain_response(request, HTTPStatus.INTERNAL_SERVER_ERROR, text, "internal")


def _http_error_response(request: web.Request, error: web.HTTPException) -> web.Response:
    """Answer what aiohttp refuses by itself in our own words."""
    match error:
        case web.HTTPRequestEntityTooLarge():
            return error_response(request, _too_large(request))
        case web.HTTPNotFound():
            return error_response(request, NotFound(f"Malformed request: {request.method} {request.path}"))
    response = _plain_response(request, error.status, error.reason, f"http_{error.status}")
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response


def _refuse_too_large(request: web.Request) -> None:
    """Refuse a body that says it is too large before any of it is read.

    Raises:
        BodyTooLarge: It does.
    """
    if (request.content_length or 0) > request.client_max_size:
        raise _too_large(request)


def _too_large(request: web.Request) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than the limit of {request.client_max_size} bytes")


def _plain_response(request: web.Request, status: int, text: str, code: str) -> web.Response:
    exchange = request[EXCHANGE]
    exchange.failure = code
    body = plain_error_body(text, code, exchange.request_id)
    return web.Response(status=status, body=body, content_type="application/json")


def error_response(request: web.Request, error: TidegateError) -> web.Response:
    """Answer an error as JSON, by the table."""
    answer = ANSWERS[type(error)]
    exchange = request[EXCHANGE]
    exchange.failure = answer.code
    response = web.Response(
        status=answer.status,
        body=error_body(error, answer, exchange.request_id),
        content_type="application/json",
    )
    if answer.retry_after_s is not None:
        response.headers["Retry-After"] = str(answer.retry_after_s)
    return response


def _wanted_timeout_s(request: web.Request) -> float:
    text = request.headers.get("X-Request-Timeout")
    if text is None:
        return math.inf
    try:
        wanted = float(text)
    except ValueError:
        wanted = math.nan
    if not wanted > 0:
        raise BadInput(problems=(Problem("X-Request-Timeout", "a number of seconds above 0", repr(text[:40])),))
    return wanted


def door(predictor: AdmittedPredictor) -> Middleware:
    """Make the middleware that turns predictions away while the queue is full, before their bodies are read."""

    @web.middleware
    async def refuse_when_full(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == "POST" and request.path.startswith("/v1/"):
            predictor.refuse_when_full()
        return await handler(request)

    return refuse_when_full
