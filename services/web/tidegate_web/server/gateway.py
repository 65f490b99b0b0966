"""The gateway's life: discover, listen, wait for the signal, drain, leave."""

import asyncio
import contextlib
import logging
import signal
import socket
import time
from collections.abc import AsyncIterator, Coroutine
from functools import partial
from importlib.metadata import version
from pathlib import Path

from tidegate_web.admission import AdmittedPredictor
from tidegate_web.metrics import Metrics
from tidegate_web.server.app import make_app
from tidegate_web.server.connection_age import ConnectionAge
from tidegate_web.server.exchanges import Exchanges
from tidegate_web.server.fast_front import FastFronts
from tidegate_web.server.lifecycle import Lifecycle
from tidegate_web.server.listening import KEEPALIVE_S, SHUTDOWN_GRACE_S, Port, listening
from tidegate_web.server.middlewares import Observer
from tidegate_web.server.ops import make_ops_app
from tidegate_web.serving.backend import Backend
from tidegate_web.serving.balancer import Balancer
from tidegate_web.serving.discovery import Discovery
from tidegate_web.serving.discovery.schemes import discover
from tidegate_web.serving.lane import Batching
from tidegate_web.serving.monitor import StatusMonitor
from tidegate_web.serving.predictor import ServingPredictor
from tidegate_web.serving.router import Router
from tidegate_web.settings import Settings

log = logging.getLogger(__name__)


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
    router = Router(settings.model_names, Path(settings.routes_file) if settings.routes_file else None)
    balancer = Balancer(lambda address: Backend(address, metrics, time.monotonic), settings.request_timeout_s)
    batching = Batching(settings.max_batch_rows, settings.calls_per_backend)
    serving = ServingPredictor(balancer, router, batching, metrics)
    predictor = AdmittedPredictor(serving, settings.max_inflight, settings.max_queue, metrics)
    ages = ConnectionAge(settings.connection_max_age_s, time.monotonic)
    exchanges = Exchanges(settings, metrics, lifecycle, pod)
    ops = make_ops_app(metrics, lifecycle, balancer, pod, version("tidegate-web"))

    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(listening(ops, Port(settings.host, settings.ops_port, "TIDEGATE_OPS_PORT")))
        stack.push_async_callback(balancer.close)
        stack.push_async_callback(serving.close)
        for work in (
            _follow(discovery, balancer, serving, lifecycle),
            StatusMonitor(balancer, serving.known_models, serving.changed).run(),
            router.follow(),
        ):
            await stack.enter_async_context(_running(work))
        app = make_app(settings, predictor, Observer(exchanges, ages), lifecycle)
        finish = partial(exchanges.finish, settings.request_timeout_s + SHUTDOWN_GRACE_S)
        front = partial(FastFronts, predictor, exchanges, ages, settings.client_id_header.lower(), KEEPALIVE_S)
        port = Port(settings.host, settings.http_port, "TIDEGATE_HTTP_PORT")
        async with listening(app, port, finish, front) as address:
            lifecycle.listening = True
            log.info("listening", extra={"address": address, "backends": settings.backends})
            await stop.wait()
            lifecycle.draining = True
            log.info("draining", extra={"seconds": settings.drain_s})
            await asyncio.sleep(settings.drain_s)
    log.info("stopped", extra={"answered": exchanges.answered})


def _stop_on_signals() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _follow(discovery: Discovery, balancer: Balancer, serving: ServingPredictor, lifecycle: Lifecycle) -> None:
    """Keep the balancer's backends as discovery tells them."""
    async for addresses in discovery.watch():
        balancer.update(addresses)
        serving.changed()
        lifecycle.discovered = True


@contextlib.asynccontextmanager
async def _running(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Do something in the background; cancelled on leaving."""
    task = asyncio.create_task(work)
    task.add_done_callback(_stop_on_failure)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _stop_on_failure(task: asyncio.Task[None]) -> None:
    """Without its background work the gateway would go stale in silence, so it stops."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("background work failed", exc_info=error)
        signal.raise_signal(signal.SIGTERM)
