"""Port 8501: the gateway's REST handlers over this server's models, and metrics, in a thread with a loop of its own."""

import asyncio
import json
import logging
import threading
import time
import uuid

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from tidegate_serving.metrics import RequestMetrics
from tidegate_serving.rest_refusals import in_tf_servings_words
from tidegate_serving.servicer import answer_to
from tidegate_web.errors import ANSWERS, TidegateError
from tidegate_web.prediction import Predictor, Reply
from tidegate_web.rest_v1.handlers import RestV1

log = logging.getLogger(__name__)

LARGEST_BODY = 2**30
"""Bytes; TF Serving has no limit of its own."""

GRACE_S = 10.0
"""How long requests in flight may take at the end."""

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class PortTakenError(Exception):
    """The port is not to be had; the text says why."""


class _Context:
    """What the handlers ask about a request: the same for all.

    Args:
        timeout_s: How long a request may take.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    def request_id(self, request: web.Request) -> str:
        return request.headers.get("X-Request-ID") or uuid.uuid4().hex

    def client(self, request: web.Request) -> str:
        return request.remote or ""

    def remaining_s(self, request: web.Request) -> float:  # noqa: ARG002 the Protocol's
        return self._timeout_s

    def answered(self, request: web.Request, reply: Reply) -> None:
        """Note nothing: TF Serving tells no version by REST."""


def application(
    predictor: Predictor, timeout_s: float, metrics: RequestMetrics, scraped: str | None, *, cors: bool = False
) -> web.Application:
    """Make the application.

    Args:
        predictor: What answers.
        timeout_s: How long a request may take.
        metrics: Where requests are counted.
        scraped: Path of the metrics' page; None where there is none.
        cors: Whether pages of any other origin may call.
    """
    middlewares = [
        *([_cors] if cors else []),
        _errors,
        _counted(metrics),
        in_tf_servings_words(predictor, timeout_s),
    ]
    app = web.Application(middlewares=middlewares, client_max_size=LARGEST_BODY)
    if scraped is not None:
        app.router.add_get(scraped, _scrape(metrics))
    app.add_routes(RestV1(predictor, _Context(timeout_s)).routes())
    return app


def _scrape(metrics: RequestMetrics) -> Handler:
    """Serve the page in the text format whatever is asked for, as TF Serving does."""

    async def scrape(_: web.Request) -> web.Response:
        return web.Response(text=metrics.page(), headers={"Content-Type": METRICS_TYPE})

    return scrape


def _counted(metrics: RequestMetrics) -> Middleware:
    """Count requests, bodies that cannot be read among them. Source: tensorflow_serving/model_servers/http_server.cc.

    The API is the path's `predict`, `classify` or `regress`, and empty for status and metadata.
    """

    @web.middleware
    async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
        model = request.match_info.get("model")
        if model is None:
            return await handler(request)
        resource = request.match_info.route.resource
        _, colon, api = (resource.canonical if resource else "").rpartition(":")
        started = time.perf_counter()
        status = "OK"
        try:
            return await handler(request)
        except BaseException as error:
            status = _code(error)
            raise
        finally:
            metrics.observe(model, (api if colon else "", "REST"), status, time.perf_counter() - started)

    return counted


def _code(error: BaseException) -> str:
    """Name the code of TF Serving's that an error stands for."""
    match error:
        case asyncio.CancelledError():
            return "CANCELLED"
        case TidegateError() if error.__cause__ is not None:
            return answer_to(error.__cause__)[0].name
        case TidegateError():
            return _NAMES.get(ANSWERS[type(error)].status, "INVALID_ARGUMENT")
        case web.HTTPException():
            return "INVALID_ARGUMENT"
        case _:
            return "INTERNAL"


_NAMES = {404: "NOT_FOUND", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}


@web.middleware
async def _cors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let pages of any origin call. Source of the headers: tensorflow_serving/model_servers/http_rest_api_util.cc."""
    answer = web.Response() if request.method == "OPTIONS" else await handler(request)
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.headers["Access-Control-Allow-Methods"] = "POST, GET"
    answer.headers["Access-Control-Allow-Headers"] = "Content-Type"
    return answer


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Say every error as TF Serving does: `{"error": text}`."""
    try:
        return await handler(request)
    except TidegateError as error:
        return _error(ANSWERS[type(error)].status, str(error))
    except web.HTTPNotFound:
        return _error(404, f"Malformed request: {request.method} {request.path}")
    except web.HTTPMethodNotAllowed:  # which the gateway tells apart, and TF Serving does not
        return _error(400, f"Malformed request: {request.method} {request.path}")
    except web.HTTPException as error:
        if error.status < 400:  # noqa: PLR2004 not an error
            raise
        return _error(error.status, error.reason)
    except Exception:
        log.exception("unexpected error")
        return _error(500, "internal error; the model server's log has it")


def _error(status: int, text: str) -> web.Response:
    body = json.dumps({"error": text}, ensure_ascii=False)
    return web.Response(status=status, text=body, content_type="application/json")


class RestServer:
    """Serves an application from a thread of its own until it is closed.

    Args:
        app: What to serve.
        address: Where, as an IP address.
        port: Where.

    Raises:
        PortTakenError: The port is not to be had.
    """

    def __init__(self, app: web.Application, address: str, port: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rest")
        self._thread.start()
        # Bodies are decoded by the handlers themselves; see tidegate_web.request_body
        self._runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=GRACE_S)
        try:
            asyncio.run_coroutine_threadsafe(self._start(address, port), self._loop).result()
        except OSError as error:
            self.close()
            raise PortTakenError(error.strerror or str(error)) from None

    async def _start(self, address: str, port: int) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, address, port).start()

    def close(self) -> None:
        """Take no new connections, finish what is in flight, end the thread."""
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
