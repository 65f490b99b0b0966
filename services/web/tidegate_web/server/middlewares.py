"""What every request passes: observation (id, deadline, metrics, log, headers), errors, and the door."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Middleware

from tidegate_web.admission import AdmittedPredictor
from tidegate_web.errors import BadInput, BodyTooLarge, DeadlineExceeded, NotFound, TidegateError
from tidegate_web.prediction import Reply
from tidegate_web.server.connection_age import ConnectionAge
from tidegate_web.server.error_bodies import answer_error, answer_unexpected, plain_error_body
from tidegate_web.server.exchanges import CLIENT_CLOSED_REQUEST, Exchange, Exchanges

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

EXCHANGE = web.RequestKey("exchange", Exchange)


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
    """The outermost middleware: begins and ends each exchange.

    Args:
        exchanges: All of them.
        ages: When connections are to be closed.
    """

    def __init__(self, exchanges: Exchanges, ages: ConnectionAge) -> None:
        self._exchanges = exchanges
        self._ages = ages

    @web.middleware
    async def observe(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request and tell of it."""
        headers = request.headers
        exchange = self._exchanges.begin(
            headers.get("X-Request-ID"), headers.get("traceparent"), request.content_length or 0
        )
        request[EXCHANGE] = exchange
        status = CLIENT_CLOSED_REQUEST
        try:
            response = await handler(request)
            status = response.status
            exchange.bytes_out = response.content_length or 0
            response.headers.update(self._exchanges.headers(exchange))
            if self._exchanges.draining or self._ages.expired(request.transport):
                response.force_close()
        finally:
            resource = request.match_info.route.resource
            route = resource.canonical if resource is not None else "unmatched"
            self._exchanges.end(exchange, route, request.method, request.path, status)
        return response


@web.middleware
async def translate_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer within the request's time, and turn every error into the answer that the table gives it."""
    exchange = request[EXCHANGE]
    try:
        exchange.shorten(request.headers.get("X-Request-Timeout"))
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
    except Exception as error:  # noqa: BLE001 whatever it is, the client gets an answer and the log the rest
        status, headers, body = answer_unexpected(error, exchange)
        return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def _http_error_response(request: web.Request, error: web.HTTPException) -> web.Response:
    """Answer what aiohttp refuses by itself in our own words."""
    match error:
        case web.HTTPRequestEntityTooLarge():
            return error_response(request, _too_large(request))
        case web.HTTPNotFound():
            return error_response(request, NotFound(f"Malformed request: {request.method} {request.path}"))
    in_tf_servings_words = isinstance(error, web.HTTPMethodNotAllowed) and request.path.startswith("/v1/")
    text = f"Malformed request: {request.method} {request.path}" if in_tf_servings_words else error.reason
    response = _plain_response(request, error.status, text, f"http_{error.status}")
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response


def _refuse_too_large(request: web.Request) -> None:
    """Refuse a body for an API that says it is too large before any of it is read; the form says it on a page.

    Raises:
        BodyTooLarge: It does.
    """
    if (request.content_length or 0) > request.client_max_size and request.path.startswith(_APIS):
        raise _too_large(request)


def show_the_way(lost: Callable[[web.Request], web.StreamResponse]) -> Middleware:
    """Make the middleware that answers a person who asks for a page that there is not with a page.

    Args:
        lost: Writes it.
    """

    @web.middleware
    async def find(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPNotFound:
            if "text/html" in request.headers.get(hdrs.ACCEPT, "") and not request.path.startswith(_APIS):
                return lost(request)
            raise

    return find


_APIS = ("/v1/", "/v2/")


def _too_large(request: web.Request) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than the limit of {request.client_max_size} bytes")


def _plain_response(request: web.Request, status: int, text: str, code: str) -> web.Response:
    exchange = request[EXCHANGE]
    exchange.failure = code
    body = plain_error_body(text, code, exchange.request_id)
    return web.Response(status=status, body=body, content_type="application/json")


def error_response(request: web.Request, error: TidegateError) -> web.Response:
    """Answer an error as JSON, by the table."""
    status, headers, body = answer_error(error, request[EXCHANGE])
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


_PREDICTIONS = ("/v1/models/", "/v2/models/")


def door(predictor: AdmittedPredictor) -> Middleware:
    """Make the middleware that turns predictions away while the queue is full, before their bodies are read."""

    @web.middleware
    async def refuse_when_full(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == "POST" and request.path.startswith(_PREDICTIONS):
            predictor.refuse_when_full()
        return await handler(request)

    return refuse_when_full
