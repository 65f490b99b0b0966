"""The server's life: load, open the ports, watch for versions, stop."""

import logging
import signal
import threading
import time
from concurrent.futures import Executor, ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from tidegate_proto.services import register
from tidegate_serving.catalog import Catalog
from tidegate_serving.flags import Flags
from tidegate_serving.in_process import InProcessPredictor
from tidegate_serving.metrics import RequestMetrics
from tidegate_serving.rest import PortTakenError, RestServer, application
from tidegate_serving.servicer import Servicer

log = logging.getLogger(__name__)

QUEUE = 4096
"""Calls that may wait for a thread; past it RESOURCE_EXHAUSTED."""

GRACE_S = 10.0
"""How long calls in flight may take after SIGTERM."""

TELL_AGAIN_S = 60.0
"""After how long the log has the same reason for waiting again."""

OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),  # a second server on the port must fail, not share it
)


class StartError(Exception):
    """The server cannot start; the text says what to do."""


def serve(flags: Flags) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        StartError: A model or a port is not to be had.
    """
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of its own deprecations
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    catalog = Catalog(flags.models)
    if not _load(catalog, flags.load_timeout_s, stop):
        return
    metrics = RequestMetrics(frozenset(model.name for model in flags.models))
    threads = ThreadPoolExecutor(flags.grpc_max_threads, "predict")
    servicer = Servicer(catalog, metrics)
    server = grpc.server(
        threads,
        options=OPTIONS,
        maximum_concurrent_rpcs=flags.grpc_max_threads + QUEUE,
    )
    register(server, servicer.behaviours())
    healthy = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    healthy.set("", health_pb2.HealthCheckResponse.SERVING)
    try:
        port = server.add_insecure_port(f"0.0.0.0:{flags.port}")
    except RuntimeError:
        raise StartError(f"port {flags.port} is taken: choose another with --port=NUMBER") from None
    rest = _serve_rest(flags, servicer, metrics, threads)
    server.start()
    log.info("listening", extra={"port": port, "models": [model.name for model in flags.models]})
    watcher = threading.Thread(target=_watch, args=(catalog, flags.poll_wait_s, stop), name="watch")
    watcher.start()
    stop.wait()
    log.info("stopping")
    healthy.enter_graceful_shutdown()
    stopped = server.stop(GRACE_S)
    if rest is not None:
        rest.close()
    stopped.wait()
    threads.shutdown()
    watcher.join()
    catalog.close()
    log.info("stopped")


def _load(catalog: Catalog, timeout_s: float, stop: threading.Event) -> bool:
    """Load until every model is available; False when told to stop before.

    Raises:
        StartError: Time ran out; says which models are missing and why.
    """
    deadline = time.monotonic() + timeout_s
    told: tuple[list[str], float] = ([], 0.0)
    while not stop.is_set():
        catalog.refresh()
        missing = catalog.unavailable()
        if not missing:
            return True
        if (now := time.monotonic()) >= deadline:
            raise StartError("not available: " + "; ".join(missing))
        if missing != told[0] or now - told[1] >= TELL_AGAIN_S:  # a line a second would hide the others
            log.warning("waiting for models", extra={"missing": missing})
            told = (missing, now)
        stop.wait(min(1.0, timeout_s))
    return False


def _serve_rest(flags: Flags, servicer: Servicer, metrics: RequestMetrics, threads: Executor) -> RestServer | None:
    if not flags.rest_api_port:
        return None
    scraped = (flags.monitoring_path, metrics.registry()) if flags.monitoring_path else None
    app = application(InProcessPredictor(servicer, threads), flags.rest_timeout_s, scraped)
    try:
        return RestServer(app, flags.rest_api_port)
    except PortTakenError as error:
        raise StartError(f"port {flags.rest_api_port}: {error}: choose another with --rest_api_port=NUMBER") from None


def _watch(catalog: Catalog, poll_wait_s: float, stop: threading.Event) -> None:
    """Look for new versions until told to stop; a look that fails is not the last one."""
    while poll_wait_s > 0 and not stop.wait(poll_wait_s):
        try:
            catalog.refresh()
        except OSError:
            log.exception("folders not read")
