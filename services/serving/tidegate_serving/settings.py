"""What the server is to do: the command line, and the files that it names, as one typed object."""

import ipaddress
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message

from tidegate_proto.server_config_pb2 import (
    BatchingParameters,
    ModelConfig,
    ModelServerConfig,
    MonitoringConfig,
    SSLConfig,
)
from tidegate_serving import flags
from tidegate_serving.flags import FlagError, Value

DEFAULT_MONITORING_PATH = "/monitoring/prometheus/metrics"
MICROSECONDS = 1e6
MILLISECONDS = 1e3

Config = TypeVar("Config", bound=Message)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the server is to do.

    Attributes:
        port: gRPC port.
        listen_address: Address of both ports, as it stands before a colon and a port.
        socket_path: Unix socket for gRPC; empty for none.
        rest_api_port: HTTP port; 0 for none.
        rest_timeout_s: How long a request there may take.
        rest_cors: Whether pages of other origins may call there.
        models: What to serve.
        model_config_file: Where that was read; None where the command line says it.
        model_config_poll_s: Seconds between two looks at it; 0 for one look.
        labels_ahead: Whether a new label may name a version that is not available yet.
        labels_free: Whether any label may.
        always_present: Whether a model stays when the folders of all its versions go.
        poll_wait_s: Seconds between two looks for new versions; 0 for one look at start.
        load_retries: Tries after the first to load a version.
        load_retry_s: Seconds between them.
        load_timeout_s: Longest wait for every model to be available.
        tags: Of the graph to load.
        warm_up: How often each warm-up request of a model is sent; 0 for not at all.
        check_method_names: Whether a signature must name the method that it is for.
        as_content: Whether tensors are answered as raw bytes.
        batching: How calls are joined; None where they are not.
        monitoring_path: Where metrics are, None where they are off.
        ssl: Key and certificates; None for no TLS.
        channel_arguments: Of the gRPC server.
        grpc_max_threads: Predictions computed at once.
        session_threads: In an operation, and operations at once; 0 for the default.
        ignored: Flags that were given and do nothing.
    """

    port: int
    listen_address: str
    socket_path: str
    rest_api_port: int
    rest_timeout_s: float
    rest_cors: bool
    models: tuple[ModelConfig, ...]
    model_config_file: Path | None
    model_config_poll_s: float
    labels_ahead: bool
    labels_free: bool
    always_present: bool
    poll_wait_s: float
    load_retries: int
    load_retry_s: float
    load_timeout_s: float
    tags: tuple[str, ...]
    warm_up: int
    check_method_names: bool
    as_content: bool
    batching: BatchingParameters | None
    monitoring_path: str | None
    ssl: SSLConfig | None
    channel_arguments: tuple[tuple[str, int | str], ...]
    grpc_max_threads: int
    session_threads: tuple[int, int]
    ignored: tuple[str, ...]


def read(arguments: Sequence[str] | None = None) -> Settings:
    """Read the command line and the files that it names; exits with code 2 and a message on what cannot be used."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if {"--help", "-h"} & set(arguments):
        sys.stdout.write(f"{flags.usage()}\n")
        sys.exit(0)
    if "--version" in arguments:
        sys.stdout.write(f"tidegate-model-server {version('tidegate-serving')}\nTensorFlow {_tensorflow()}\n")
        sys.exit(0)
    try:
        return _settings(*flags.parse(arguments))
    except (FlagError, OSError) as error:
        sys.stderr.write(f"tidegate-model-server: {error}\n")
        sys.exit(2)


def _tensorflow() -> str:
    """Return its version without importing it, whichever of its distributions is there."""
    for name in ("tensorflow-cpu", "tensorflow"):
        with suppress(PackageNotFoundError):
            return version(name)
    return "is not installed"


def read_text_proto(file: Path, message: type[Config]) -> Config:
    """Read a message from a text file.

    Raises:
        FlagError: Not a text proto of that kind.
        OSError: The file cannot be read.
    """
    try:
        return text_format.Parse(file.read_text(), message())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise FlagError(f"{file}: expected a text proto of {message.DESCRIPTOR.name}: {error}") from None


def _settings(given: Mapping[str, Value], ignored: Sequence[str]) -> Settings:
    """Make typed settings of flags.

    Raises:
        FlagError: Flags that contradict each other, or a file that is not what it should be.
        OSError: A file cannot be read.
    """

    def number(name: str, scale: float = 1.0) -> float:
        return float(given[name]) / scale

    def count(name: str) -> int:
        return int(given[name])

    def text(name: str) -> str:
        return str(given[name])

    def on(name: str) -> bool:
        return bool(given[name])

    models, file = _models(text("model_config_file"), text("model_name"), text("model_base_path"))
    session_threads = count("tensorflow_session_parallelism")
    return Settings(
        port=_port("port", count("port")),
        listen_address=_address(text("listen_address")),
        socket_path=text("grpc_socket_path"),
        rest_api_port=_port("rest_api_port", count("rest_api_port")),
        rest_timeout_s=number("rest_api_timeout_in_ms", MILLISECONDS),
        rest_cors=on("rest_api_enable_cors_support"),
        models=models,
        model_config_file=file,
        model_config_poll_s=number("model_config_file_poll_wait_seconds"),
        labels_ahead=on("allow_version_labels_for_unavailable_models"),
        labels_free=on("force_allow_any_version_labels_for_unavailable_models"),
        always_present=on("servable_versions_always_present"),
        poll_wait_s=number("file_system_poll_wait_seconds"),
        load_retries=count("max_num_load_retries"),
        load_retry_s=number("load_retry_interval_micros", MICROSECONDS),
        load_timeout_s=number("load_timeout_seconds"),
        tags=tuple(text("saved_model_tags").split(",")),
        warm_up=max(1, count("num_request_iterations_for_warmup")) if on("enable_model_warmup") else 0,
        check_method_names=on("enable_signature_method_name_check"),
        as_content=on("enable_serialization_as_tensor_content"),
        batching=_batching(text("batching_parameters_file"), enabled=on("enable_batching")),
        monitoring_path=_monitoring_path(text("monitoring_config_file")),
        ssl=read_text_proto(Path(text("ssl_config_file")), SSLConfig) if text("ssl_config_file") else None,
        channel_arguments=_channel_arguments(text("grpc_channel_arguments")),
        grpc_max_threads=max(1, count("grpc_max_threads")),
        session_threads=(
            count("tensorflow_intra_op_parallelism") or session_threads,
            count("tensorflow_inter_op_parallelism") or session_threads,
        ),
        ignored=tuple(ignored),
    )


def _port(name: str, port: int) -> int:
    if not 0 <= port < 2**16:
        raise FlagError(f"--{name}: expected a port from 0 to 65535, came {port}")
    return port


def _address(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise FlagError(f"--listen_address: expected an IP address such as 127.0.0.1, came {text!r}") from None
    return f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004 IPv6


def _models(file: str, name: str, base_path: str) -> tuple[tuple[ModelConfig, ...], Path | None]:
    if file:
        return tuple(read_text_proto(Path(file), ModelServerConfig).model_config_list.config), Path(file)
    if not base_path:
        raise FlagError("give one of --model_config_file and --model_base_path")
    absolute = str(Path(base_path).absolute())
    return (ModelConfig(name=name, base_path=absolute, model_platform="tensorflow"),), None


def _batching(file: str, *, enabled: bool) -> BatchingParameters | None:
    if file and not enabled:
        raise FlagError("--batching_parameters_file is set without setting --enable_batching to true")
    if not enabled:
        return None
    return read_text_proto(Path(file), BatchingParameters) if file else BatchingParameters()


def _monitoring_path(file: str) -> str | None:
    if not file:
        return None
    config = read_text_proto(Path(file), MonitoringConfig).prometheus_config
    return (config.path or DEFAULT_MONITORING_PATH) if config.enable else None


def _channel_arguments(text: str) -> tuple[tuple[str, int | str], ...]:
    """Take `name=value,name=value` apart; values that are numbers are so for gRPC."""
    pairs = []
    for argument in filter(None, text.split(",")):
        name, separator, value = argument.partition("=")
        if not separator:
            raise FlagError(f"--grpc_channel_arguments: expected name=value, came {argument!r}")
        pairs.append((name, int(value) if value.lstrip("-").isdigit() else value))
    return tuple(pairs)
