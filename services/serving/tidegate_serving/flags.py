"""The command line, spelt as tensorflow_model_server spells it: `--name=value`.

Source: tensorflow_serving/model_servers/main.cc. Only flags that this server honours are known.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format
from google.protobuf.message import Message

from tidegate_proto.server_config_pb2 import ModelConfig, ModelServerConfig, MonitoringConfig

DEFAULT_MONITORING_PATH = "/monitoring/prometheus/metrics"


@dataclass(frozen=True, slots=True)
class Flags:
    """What the server is to do.

    Attributes:
        port: gRPC port.
        rest_api_port: HTTP port; 0 for none.
        rest_timeout_s: How long a request there may take.
        models: What to serve.
        monitoring_path: Where metrics are, None where they are off.
        poll_wait_s: Seconds between two looks for new versions; 0 for one look at start.
        grpc_max_threads: Predictions computed at once.
        load_timeout_s: Longest wait for every model to be available.
    """

    port: int
    rest_api_port: int
    rest_timeout_s: float
    models: tuple[ModelConfig, ...]
    monitoring_path: str | None
    poll_wait_s: float
    grpc_max_threads: int
    load_timeout_s: float


def parse(arguments: list[str] | None = None) -> Flags:
    """Read the command line and the files that it names; exits with code 2 and a message on what cannot be used."""
    parser = argparse.ArgumentParser(
        prog="tidegate-serving", description="A model server for TF Serving's gRPC API.", allow_abbrev=False
    )
    parser.add_argument("--port", type=_port, default=8500, help="gRPC port (default 8500)")
    parser.add_argument("--rest_api_port", type=_port, default=0, help="HTTP port (default 0: none)")
    parser.add_argument("--rest_api_timeout_in_ms", type=int, default=30_000, help="of a request there (default 30000)")
    parser.add_argument("--model_config_file", type=Path, help="text proto with a model_config_list")
    parser.add_argument("--model_name", default="default", help="name of the one model at --model_base_path")
    parser.add_argument("--model_base_path", help="folder of the one model's versions")
    parser.add_argument("--monitoring_config_file", type=Path, help="text proto with a prometheus_config")
    parser.add_argument("--file_system_poll_wait_seconds", type=float, default=1.0, help="default 1; 0: look once")
    parser.add_argument("--grpc_max_threads", type=int, default=16, help="predictions at once (default 16)")
    parser.add_argument("--load_timeout_seconds", type=float, default=300.0, help="for all models (default 300)")
    # Here labels are given whether or not their version is available, which is what TF Serving does with the flag
    parser.add_argument("--allow_version_labels_for_unavailable_models", choices=["true"], help="so it is always")
    given = parser.parse_args(arguments)
    if (given.model_config_file is None) == (given.model_base_path is None):
        parser.error("give one of --model_config_file and --model_base_path")
    try:
        models = _models(given.model_config_file, given.model_name, given.model_base_path)
        monitoring_path = _monitoring_path(given.monitoring_config_file)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return Flags(
        port=given.port,
        rest_api_port=given.rest_api_port,
        rest_timeout_s=given.rest_api_timeout_in_ms / 1000,
        models=models,
        monitoring_path=monitoring_path,
        poll_wait_s=given.file_system_poll_wait_seconds,
        grpc_max_threads=max(1, given.grpc_max_threads),
        load_timeout_s=given.load_timeout_seconds,
    )


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 2**16:
        raise ValueError
    return port


def _models(file: Path | None, name: str, base_path: str | None) -> tuple[ModelConfig, ...]:
    """Read what to serve.

    Raises:
        ValueError: Not a text proto, or no model, or a model without name or path, or one name twice.
        OSError: The file cannot be read.
    """
    if file is None:
        return (ModelConfig(name=name, base_path=base_path or ""),)
    config = ModelServerConfig()
    _read(file, config)
    models = tuple(config.model_config_list.config)
    if not models:
        raise ValueError(f"{file}: expected model_config_list with one config or more, came none")
    names = [model.name for model in models]
    for model in models:
        if not model.name or not model.base_path:
            raise ValueError(f"{file}: expected a name and a base_path for each config, came {str(model).split()}")
        if names.count(model.name) > 1:
            raise ValueError(f"{file}: expected each name once, came {model.name} {names.count(model.name)} times")
    return models


def _monitoring_path(file: Path | None) -> str | None:
    if file is None:
        return None
    config = MonitoringConfig()
    _read(file, config)
    if not config.prometheus_config.enable:
        return None
    return config.prometheus_config.path or DEFAULT_MONITORING_PATH


def _read(file: Path, message: Message) -> None:
    try:
        text_format.Parse(file.read_text(), message)
    except text_format.ParseError as error:
        raise ValueError(f"{file}: expected a text proto of {message.DESCRIPTOR.name}: {error}") from None
