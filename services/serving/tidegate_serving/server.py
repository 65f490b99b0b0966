"""The server's life: load, open the ports, watch for versions, stop."""

import logging
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

from tidegate_proto.server_config_pb2 import ModelServerConfig
from tidegate_proto.services import HANDLE_RELOAD_CONFIG_REQUEST
from tidegate_serving import model_config
from tidegate_serving.batching import Joined, understood
from tidegate_serving.catalog import Catalog
from tidegate_serving.errors import CODES, ServingError
from tidegate_serving.flags import FlagError
from tidegate_serving.grpc_server import GrpcServer, PortError
from tidegate_serving.in_process import InProcessPredictor
from tidegate_serving.loading import Load, Loader
from tidegate_serving.metrics import RequestMetrics
from tidegate_serving.model_service import reload_config
from tidegate_serving.rest import PortTakenError, RestServer, application
from tidegate_serving.savedmodel import Options
from tidegate_serving.servicer import Servicer, answering
from tidegate_serving.settings import Settings, read_text_proto
from tidegate_serving.warm_up import load_warm

log = logging.getLogger(__name__)

GRACE_S = 30.0
"""How long calls in flight may take after SIGTERM."""

LAME_DUCK_S = 0.5
"""How long calls are still taken after health says NOT_SERVING, so that who watches it can go before one is refused."""

TELL_AGAIN_S = 60.0
"""After how long the log has the same reason for waiting again."""


class StartError(Exception):
    """The server cannot start; the text says what to do."""


def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        StartError: A model or a port is not to be had.
    """
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of its own deprecations
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    catalog = Catalog(labels_ahead=settings.labels_ahead, labels_free=settings.labels_free)
    try:
        model_config.check(settings.models)
        catalog.configure(settings.models)
        loader = Loader(
            catalog,
            _load_of(settings),
            settings.load_retries,
            settings.load_retry_s,
            always_present=settings.always_present,
        )
    except ServingError as error:
        raise StartError(f"Failed to start server. Error: {CODES[type(error)].name}: {error}") from None
    if not _load(catalog, loader, settings.load_timeout_s, stop):
        return
    metrics = RequestMetrics(catalog.knows)
    threads = ThreadPoolExecutor(settings.grpc_max_threads, "predict")
    servicer = Servicer(catalog, metrics, as_content=settings.as_content)
    behaviours = servicer.behaviours() | {HANDLE_RELOAD_CONFIG_REQUEST: answering(reload_config(loader))}
    rest = ExitStack()
    _serve_rest(settings, InProcessPredictor(servicer, threads), metrics, rest)
    try:
        server = GrpcServer(settings, threads, behaviours)  # last: who waits for one port mostly waits for this one
    except PortError as error:
        rest.close()
        raise StartError(str(error)) from None
    server.tell_health(serving=True)
    server.start()
    log.info("listening", extra={"port": server.port, "models": [config.name for config in catalog.configs()]})

    def look() -> None:
        loader.refresh()
        server.tell_health(serving=not catalog.unavailable())

    watchers = [
        _watch(look, settings.poll_wait_s, stop),
        _watch(_config_reader(settings, loader), settings.model_config_poll_s, stop),
    ]
    stop.wait()
    log.info("stopping")
    server.say_farewell()
    time.sleep(LAME_DUCK_S)
    stopped = server.stop(GRACE_S)
    rest.close()
    stopped.wait()
    for watcher in watchers:
        watcher.join()
    loader.close()
    log.info("stopped")


def _load_of(settings: Settings) -> Load:
    """Return what makes a model of a folder.

    Raises:
        InvalidArgument: Batching parameters that contradict each other.
    """
    joined = None
    if settings.batching is not None:
        batching = understood(settings.batching)
        slots = threading.Semaphore(batching.threads)
        joined = partial(Joined, batching=batching, slots=slots)
    options = Options(settings.tags, settings.session_threads, settings.check_method_names, joined)
    return partial(load_warm, options=options, times=settings.warm_up)


def _load(catalog: Catalog, loader: Loader, timeout_s: float, stop: threading.Event) -> bool:
    """Load until every model is available; False when told to stop before.

    Raises:
        StartError: Time ran out, or a model is tried no more; says which models are missing and why.
    """
    deadline = time.monotonic() + timeout_s
    told: tuple[list[str], float] = ([], 0.0)
    while not stop.is_set():
        loader.refresh()
        missing = catalog.unavailable()
        if not missing:
            return True
        if given_up := loader.given_up():
            many = f"{len(given_up)} servable(s) did not become available"
            raise StartError(f"Failed to start server. Error: UNKNOWN: {many}: {{{'; '.join(given_up)}}}")
        if (now := time.monotonic()) >= deadline:
            raise StartError("not available: " + "; ".join(missing))
        if missing != told[0] or now - told[1] >= TELL_AGAIN_S:  # a line a second would hide the others
            log.warning("waiting for models", extra={"missing": missing})
            told = (missing, now)
        stop.wait(min(0.5, timeout_s))
    return False


def _config_reader(settings: Settings, loader: Loader) -> Callable[[], None]:
    """Return what reads --model_config_file again and serves it, if it has become another."""
    known = list(settings.models)

    def look() -> None:
        nonlocal known
        if settings.model_config_file is None:
            return
        configs = list(read_text_proto(settings.model_config_file, ModelServerConfig).model_config_list.config)
        if configs != known:
            known = configs
            loader.reload(configs)
            log.info("another configuration", extra={"models": [config.name for config in configs]})

    return look


def _watch(look: Callable[[], None], every_s: float, stop: threading.Event) -> threading.Thread:
    """Look again and again until told to stop, or never where the time is 0; a look that fails is not the last one."""

    def watch() -> None:
        while every_s > 0 and not stop.wait(every_s):
            try:
                look()
            except (OSError, FlagError, ServingError):
                log.exception("looked in vain")

    thread = threading.Thread(target=watch, name="watch")
    thread.start()
    return thread


def _serve_rest(settings: Settings, predictor: InProcessPredictor, metrics: RequestMetrics, opened: ExitStack) -> None:
    """Open the HTTP port, if there is to be one, until `opened` is closed.

    Raises:
        StartError: The port is not to be had.
    """
    if not settings.rest_api_port:
        return
    if settings.rest_api_port == settings.port:  # Source: tensorflow_serving/model_servers/server.cc
        log.error("--rest_api_port is --port: there is no REST; choose another port for it")
        return
    app = application(predictor, settings.rest_timeout_s, metrics, settings.monitoring_path, cors=settings.rest_cors)
    try:
        opened.callback(RestServer(app, settings.listen_address.strip("[]"), settings.rest_api_port).close)
    except PortTakenError as error:
        port = settings.rest_api_port
        raise StartError(f"port {port}: {error}: choose another with --rest_api_port=NUMBER") from None
