"""What a list of models must be before any of it is served. Texts and codes are TF Serving's.

Source: tensorflow_serving/model_servers/server_core.cc.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from tidegate_proto.server_config_pb2 import ModelConfig, ModelType
from tidegate_serving.errors import InvalidArgument

log = logging.getLogger(__name__)

PLATFORM = "tensorflow"


def check(configs: Sequence[ModelConfig], served: Iterable[ModelConfig] = ()) -> None:
    """Refuse a list that cannot be served, and name in the log what of it is not honoured.

    Args:
        configs: The new list.
        served: The list that it replaces.

    Raises:
        InvalidArgument: A name twice or none, a relative path, or a platform other than TensorFlow.
    """
    names: set[str] = set()
    platforms = {config.name: _platform(config) for config in served}
    for config in configs:
        if not config.name:
            raise InvalidArgument(f"Expected a name for each model in config list; got base_path={config.base_path}")
        if config.name in names:
            raise InvalidArgument(f"Illegal to list model {config.name} multiple times in config list")
        names.add(config.name)
        if not PurePosixPath(config.base_path).is_absolute():
            raise InvalidArgument(
                f"Expected model {config.name} to have an absolute path or URI; got base_path()={config.base_path}"
            )
        _check_platform(config, platforms)
    if logged := sorted(config.name for config in configs if config.HasField("logging_config")):
        log.warning("accepted and not honoured: logging_config of %s", ", ".join(logged))


def _check_platform(config: ModelConfig, served: Mapping[str, str]) -> None:
    platform = _platform(config)
    if config.name in served and served[config.name] != platform:
        raise InvalidArgument(
            f"Illegal to change a model's platform. For model {config.name} platform was {served[config.name]} and new "
            f"platform requested is {platform}"
        )
    if platform != PLATFORM:
        raise InvalidArgument(f"Model {config.name} requests unsupported platform {platform}")


def _platform(config: ModelConfig) -> str:
    if config.model_type != ModelType.MODEL_TYPE_UNSPECIFIED:
        if config.model_platform:
            raise InvalidArgument(
                "Illegal setting both ModelServerConfig::model_type (deprecated) and ModelServerConfig::model_platform."
            )
        if config.model_type != ModelType.TENSORFLOW:
            raise InvalidArgument(f"ModelServerConfig::model_type choice {config.model_type} not supported.")
        return PLATFORM
    if not config.model_platform:
        raise InvalidArgument(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform."
        )
    return config.model_platform
