"""ModelService's HandleReloadConfigRequest: another list of models by RPC.

Source: tensorflow_serving/model_servers/model_service_impl.cc.
"""

from collections.abc import Callable

from tidegate_proto.model_management_pb2 import ReloadConfigRequest, ReloadConfigResponse
from tidegate_proto.model_status_pb2 import StatusProto
from tidegate_serving.errors import InvalidArgument
from tidegate_serving.loading import Loader


def reload_config(loader: Loader) -> Callable[[ReloadConfigRequest], ReloadConfigResponse]:
    """Return what answers the method; it raises as `Loader.reload`, and InvalidArgument where there is no list."""

    def answer(request: ReloadConfigRequest) -> ReloadConfigResponse:
        if not request.config.HasField("model_config_list"):
            raise InvalidArgument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently "
                "supported"
            )
        loader.reload(request.config.model_config_list.config)
        return ReloadConfigResponse(status=StatusProto())

    return answer
