"""The gateway's life: discover, listen, wait for the signal, drain, leave."""

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from importlib.metadata import version

from aiohttp import web

from tidegate_web.admission import AdmittedPredictor
from tidegate_web.metrics import Metrics
from tidegate_web.server.app import make_app
from tidegate_web.server.connection_age import ConnectionAge
from tidegate_web.server.connections import BoundedRunner, ConnectionLimits
from tidegate_web.server.lifecycle import Lifecycle
from tidegate_web.server.middlewares import Observer
from tidegate_web.server.ops import make_ops_app
from tidegate_web.serving.backend import Backend
from tidegate_web.serving.balancer import Balancer
from tidegate_web.serving.discovery import Discovery
from tidegate_web.serving.discovery.schemes import discover
from tidegate_web.serving.predictor import ServingPredictor
from tidegate_web.settings import Settings, SettingsError

log = logging.getLogger(__name__)

KEEPALIVE_S = 75.0
"""How long an idle client connection is kept; longer than usual load balancers' 60 s, so that they close first."""

SHUTDOWN_GRACE_S = 1.0
"""What requests in flight may take over their own time-out before they are cut off."""


async def serve(settings: Settings) -> None:
    """Run the gateway until SIGTERM or SIGINT, then drain.

    Raises:
        SettingsError: A setting that cannot be used, or a port that is taken.
    """
    stop = _stop_on_signals()
    discovery = discover(settings.backends)
    pod = settings.pod_name or socket.gethostname()
    metrics = Metrics()
    lifecycle = Lifecycle()
    balancer = Balancer(lambda address: Backend(address, metrics), time.monotonic, settings.request_timeout_s)
    predictor = AdmittedPredictor(
        ServingPredictor(balancer, settings.model_names, metrics), settings.max_inflight, settings.max_queue, metrics
    )
    ages = ConnectionAge(settings.connection_max_age_s, time.monotonic)
    observer = Observer(settings, metrics, lifecycle, ages, pod)
    limits = ConnectionLimits(settings.max_connections, metrics.shed.labels("connections").inc)
    ops = make_ops_app(metrics, lifecycle, balancer, pod, version("tidegate-web"))

    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(
            _listening(ops, limits, (settings.host, settings.ops_port), "TIDEGATE_OPS_PORT")
        )
        stack.push_async_callback(balancer.close)
        await stack.enter_async_context(_following(discovery, balancer, lifecycle))
        app = make_app(settings, predictor, observer)
        finish = partial(observer.finish, settings.request_timeout_s + SHUTDOWN_GRACE_S)
        async with _listening(
            app, limits, (settings.host, settings.http_port), "TIDEGATE_HTTP_PORT", finish
        ) as address:
            lifecycle.listening = True
            log.info("listening", extra={"address": address, "backends": settings.backends})
            await stop.wait()
            lifecycle.draining = True
            log.info("draining", extra={"seconds": settings.drain_s})
            await asyncio.sleep(settings.drain_s)
    log.info("stopped", extra={"answered": observer.answered})


def _stop_on_signals() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


@contextlib.asynccontextmanager
async def _listening(
    app: web.Application,
    limits: ConnectionLimits,
    place: tuple[str, int],
    setting: str,
    finish: Callable[[], Awaitable[None]] | None = None,
) -> AsyncIterator[str]:
    """Listen; on leaving, stop accepting, let requests in flight `finish`, and close.

    They finish before aiohttp's own shutdown: that one drops what still arrives of a request's body.
    """
    runner = BoundedRunner(
        app,
        limits,
        access_log=None,
        handler_cancellation=True,
        keepalive_timeout=KEEPALIVE_S,
        shutdown_timeout=SHUTDOWN_GRACE_S,
    )
    await runner.setup()
    try:
        host, port = place
        site = web.TCPSite(runner, host, port, backlog=1024)
        try:
            await site.start()
        except OSError as error:
            why = "another program listens there" if error.errno == errno.EADDRINUSE else error.strerror
            raise SettingsError(f"{setting}: cannot listen on {host}:{port}: {why}; choose another port") from None
        yield "http://{}:{}/".format(*runner.addresses[0][:2])
        await site.stop()
        if finish is not None:
            await finish()
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def _following(discovery: Discovery, balancer: Balancer, lifecycle: Lifecycle) -> AsyncIterator[None]:
    """Keep the balancer's backends as discovery tells them."""

    async def follow() -> None:
        async for addresses in discovery.watch():
            balancer.update(addresses)
            lifecycle.discovered = True

    task = asyncio.create_task(follow())
    task.add_done_callback(_report_end)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _report_end(task: asyncio.Task[None]) -> None:
    """Discovery never ends by itself: without it the gateway would go stale in silence, so it stops."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("discovery failed", exc_info=error)
        signal.raise_signal(signal.SIGTERM)
