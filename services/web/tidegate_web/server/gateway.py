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
from tidegate_web.server.apart import apart
from tidegate_web.server.app import MIB, make_app
from tidegate_web.server.audience import Audience
from tidegate_web.server.auth import Tokens
from tidegate_web.server.connection_age import ConnectionAge
from tidegate_web.server.connections import ConnectionLimits
from tidegate_web.server.exchanges import Exchanges
from tidegate_web.server.fast_front import FastFronts
from tidegate_web.server.lifecycle import Lifecycle
from tidegate_web.server.listening import KEEPALIVE_S, SHUTDOWN_GRACE_S, Port, listening
from tidegate_web.server.middlewares import Observer
from tidegate_web.server.ops import make_ops_app
from tidegate_web.server.peers import Peers
from tidegate_web.server.request_head import LARGEST_BODY
from tidegate_web.server.snapshot import Snapshot
from tidegate_web.server.status import LiveStatus
from tidegate_web.server.tls import Certificate
from tidegate_web.server.web_tier import WebTier
from tidegate_web.serving.backend import Backend
from tidegate_web.serving.balancer import Balancer
from tidegate_web.serving.discovery import Discovery
from tidegate_web.serving.discovery.schemes import discover
from tidegate_web.serving.lane import Batching
from tidegate_web.serving.monitor import StatusMonitor
from tidegate_web.serving.predictor import ServingPredictor
from tidegate_web.serving.router import Router
from tidegate_web.settings import Settings
from tidegate_web.status.reading import About, Limits

log = logging.getLogger(__name__)


async def serve(settings: Settings) -> None:
    """Run the gateway until SIGTERM or SIGINT, then drain.

    Raises:
        SettingsError: A setting that cannot be used, or a port that is taken.
    """
    stop = _stop_on_signals()
    discovery = discover(settings.backends)
    tokens = Tokens(Path(settings.tokens_file)) if settings.tokens_file else None
    certificate = Certificate.of(settings)
    pod = settings.pod_name or socket.gethostname()
    metrics = Metrics()
    lifecycle = Lifecycle()
    router = Router(settings.model_names, Path(settings.routes_file) if settings.routes_file else None)
    balancer = Balancer(lambda address: Backend(address, metrics, time.monotonic), settings.request_timeout_s)
    batching = Batching(settings.max_batch_rows, settings.calls_per_backend)
    serving = ServingPredictor(balancer, router, batching, metrics)
    limits = Limits(settings.max_inflight, settings.max_queue, settings.inflight_per_backend)
    predictor = AdmittedPredictor(
        serving, limits.inflight, limits.queue, metrics, lambda: limits.times(len(balancer.backends))
    )
    ages = ConnectionAge(settings.connection_max_age_s, time.monotonic)
    exchanges = Exchanges(settings, metrics, lifecycle, pod)
    web_tier = WebTier.of(settings)
    about = About(pod, version("tidegate-web"), limits, settings.backends)
    audience = Audience()
    peers = Peers(web_tier, audience.present)
    status = LiveStatus(about, Snapshot(metrics, balancer, router, web_tier, peers), lifecycle, audience)
    ops = make_ops_app(metrics, lifecycle, status, peers)

    connections = ConnectionLimits(settings.max_connections, metrics.shed.labels("connections").inc)

    async with contextlib.AsyncExitStack() as stack:
        ops_port = Port(settings.host, settings.ops_port, "TIDEGATE_OPS_PORT")
        await stack.enter_async_context(apart(partial(listening, ops, ops_port, connections), "ops"))
        stack.push_async_callback(balancer.close)
        stack.push_async_callback(serving.close)
        for work in (
            _follow(discovery, balancer, serving, lifecycle),
            StatusMonitor(balancer, serving.known_models, serving.changed).run(),
            router.follow(),
            web_tier.follow(),
            lifecycle.beat(),
            *(follower.follow() for follower in (tokens, certificate) if follower is not None),
        ):
            await stack.enter_async_context(_running(work))
        app = make_app(settings, predictor, Observer(exchanges, ages), lifecycle, tokens)
        finish = partial(exchanges.finish, settings.request_timeout_s + SHUTDOWN_GRACE_S)
        header = settings.client_id_header.lower()
        largest = min(LARGEST_BODY, int(settings.max_body_mb * MIB))
        front = partial(FastFronts, predictor, exchanges, ages, header, KEEPALIVE_S, largest, tokens)
        tls = None if certificate is None else certificate.context
        port = Port(settings.host, settings.http_port, "TIDEGATE_HTTP_PORT", tls)
        # The fast way does not know the headers that pages of other origins need
        fast = None if settings.cors_origins else front
        async with listening(app, port, connections, finish, fast) as address:
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
