"""The command line, spelt as tensorflow_model_server spells it: `--name=value`.

Source of names, types and defaults: tensorflow_serving/model_servers/main.cc.
"""

# ruff: noqa: FBT003 a table's column is no argument that a reader has to guess

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Value = bool | int | float | str


class FlagError(Exception):
    """A command line that cannot be used; the text says what was expected and what came."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag.

    Attributes:
        name: Without dashes.
        default: Its value where it is not given; its type is the flag's.
        about: What it does.
        honoured: Whether it does anything here. One that does not is accepted all the same.
    """

    name: str
    default: Value
    about: str
    honoured: bool = True


FLAGS = (
    Flag("port", 8500, "gRPC port, 0 for any free one"),
    Flag(
        "listen_address",
        "0.0.0.0",  # noqa: S104 as TF Serving
        "address of both ports, 127.0.0.1 for this machine alone (not TF Serving's)",
    ),
    Flag("grpc_socket_path", "", "also listen for gRPC, without TLS, on this unix socket"),
    Flag("rest_api_port", 0, "HTTP port, 0 for none"),
    Flag("rest_api_timeout_in_ms", 30000, "longest time for an HTTP request"),
    Flag("rest_api_enable_cors_support", False, "whether pages of other origins may call the HTTP port"),
    Flag("model_name", "default", "name of the one model at --model_base_path"),
    Flag("model_base_path", "", "folder of the one model's versions"),
    Flag("model_config_file", "", "text proto ModelServerConfig; --model_name and --model_base_path do not count then"),
    Flag("model_config_file_poll_wait_seconds", 0.0, "seconds between two looks at that file, 0 to look once"),
    Flag("file_system_poll_wait_seconds", 1.0, "seconds between two looks for versions, 0 to look once"),
    Flag("allow_version_labels_for_unavailable_models", False, "whether a new label may name a version to come"),
    Flag("force_allow_any_version_labels_for_unavailable_models", False, "whether any label may name any version"),
    Flag("servable_versions_always_present", False, "whether a model stays when the folders of all its versions go"),
    Flag("max_num_load_retries", 5, "tries after the first to load a version"),
    Flag("load_retry_interval_micros", 60_000_000, "microseconds between them"),
    Flag("load_timeout_seconds", 300.0, "longest time for all models to be available at start (not TF Serving's)"),
    Flag("saved_model_tags", "serve", "comma-separated tags of the graph to load"),
    Flag(
        "enable_model_warmup", True, "whether assets.extra/tf_serving_warmup_requests is sent before a version serves"
    ),
    Flag("num_request_iterations_for_warmup", 0, "how often each of them, if more than 0"),
    Flag("enable_signature_method_name_check", False, "whether a signature must name the method that it is for"),
    Flag("enable_serialization_as_tensor_content", False, "whether tensors are answered as raw bytes"),
    Flag("enable_batching", False, "whether calls that wait are joined into one run of the graph"),
    Flag("batching_parameters_file", "", "text proto BatchingParameters, for --enable_batching"),
    Flag("monitoring_config_file", "", "text proto MonitoringConfig"),
    Flag("ssl_config_file", "", "text proto SSLConfig: TLS for gRPC"),
    Flag("grpc_channel_arguments", "", "comma-separated name=value for the gRPC server"),
    Flag("grpc_max_threads", 16, "calls computed at once"),
    Flag("tensorflow_session_parallelism", 0, "threads in and between operations; 1 here where 0"),
    Flag("tensorflow_intra_op_parallelism", 0, "threads in an operation; 1 here where 0"),
    Flag("tensorflow_inter_op_parallelism", 0, "operations at once; 1 here where 0"),
    Flag("rest_api_num_threads", 0, "HTTP threads", honoured=False),
    Flag("num_load_threads", 0, "threads that load versions", honoured=False),
    Flag("num_unload_threads", 0, "threads that unload versions", honoured=False),
    Flag("flush_filesystem_caches", True, "forget files after loading", honoured=False),
    Flag("enable_per_model_batching_parameters", False, "batching parameters in each model", honoured=False),
    Flag("tensorflow_session_config_file", "", "text proto ConfigProto", honoured=False),
    Flag("platform_config_file", "", "text proto PlatformConfigMap", honoured=False),
    Flag("use_alts_credentials", False, "Google's ALTS instead of TLS", honoured=False),
    Flag("per_process_gpu_memory_fraction", 0.0, "share of a GPU", honoured=False),
    Flag("remove_unused_fields_from_bundle_metagraph", True, "save memory", honoured=False),
    Flag("enforce_session_run_timeout", True, "end a run at its deadline", honoured=False),
    Flag("prefer_tflite_model", False, "model.tflite instead", honoured=False),
    Flag("num_tflite_pools", 0, "interpreters", honoured=False),
    Flag("num_tflite_interpreters_per_pool", 1, "interpreters", honoured=False),
    Flag("xla_cpu_compilation_enabled", False, "XLA", honoured=False),
    Flag("xla_gpu_compilation_enabled", False, "XLA", honoured=False),
    Flag("enable_profiler", True, "profiler service", honoured=False),
    Flag("enable_grpc_healthcheck_service", False, "grpc.health.v1: always there", honoured=False),
    Flag("thread_pool_factory_config_file", "", "thread pools", honoured=False),
    Flag("mixed_precision", "", "bfloat16 where possible", honoured=False),
    Flag("skip_initialize_tpu", False, "TPU", honoured=False),
)
"""All that there are; docs/reference/model-server.md has the same."""

BOOLS = {"": True, "true": True, "1": True, "false": False, "0": False}


def parse(arguments: Sequence[str]) -> tuple[Mapping[str, Value], Sequence[str]]:
    """Read a command line.

    Returns:
        The value of each flag, and the names of those that were given and are not honoured.

    Raises:
        FlagError: Something that is no flag, an unknown one, or a value of another type.
    """
    known = {flag.name: flag for flag in FLAGS}
    values = {flag.name: flag.default for flag in FLAGS}
    given = []
    for argument in arguments:
        name, separator, text = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or not name:
            raise FlagError(f"{argument}: expected --name=value")
        if name not in known:
            raise FlagError(f"--{name}: there is no such flag{_nearest(name, known)}")
        flag = known[name]
        if not separator and not isinstance(flag.default, bool):
            raise FlagError(f"--{name}: expected --{name}=value")
        values[name] = _value(flag, text)
        given.append(flag)
    return values, [flag.name for flag in given if not flag.honoured]


def usage() -> str:
    """List the flags."""
    kinds = {bool: "true|false", int: "number", float: "number", str: "text"}
    lines = [f"  --{flag.name}={kinds[type(flag.default)]}  {flag.about} ({_default(flag)})" for flag in FLAGS]
    return "\n".join(["usage: tidegate-model-server --name=value …", *lines])


def _value(flag: Flag, text: str) -> Value:
    kind = type(flag.default)
    try:
        return BOOLS[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        expected = {bool: "true or false", int: "a whole number", float: "a number"}[kind]
        raise FlagError(f"--{flag.name}: expected {expected}, came {text!r}") from None


def _default(flag: Flag) -> str:
    default = f"default {str(flag.default).lower() or 'none'}"
    return default if flag.honoured else f"{default}; not honoured"


def _nearest(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; did you mean --{near[0]}?" if near else "; --help lists them"
