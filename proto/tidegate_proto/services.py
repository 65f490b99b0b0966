"""TF Serving's gRPC methods: their paths, a typed client stub of each, and their registration with a server.

The generated gRPC stubs would name this project's own proto package in the paths; what must hold on the wire are
TF Serving's. Source of the paths: tensorflow_serving/apis/{prediction_service,model_service}.proto.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from tidegate_proto.inference_pb2 import (
    ClassificationRequest,
    ClassificationResponse,
    MultiInferenceRequest,
    MultiInferenceResponse,
    RegressionRequest,
    RegressionResponse,
)
from tidegate_proto.model_management_pb2 import ReloadConfigRequest, ReloadConfigResponse
from tidegate_proto.model_status_pb2 import GetModelStatusRequest, GetModelStatusResponse
from tidegate_proto.prediction_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    PredictRequest,
    PredictResponse,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


@dataclass(frozen=True, slots=True)
class Method(Generic[Request, Response]):
    """One unary method: where it lives and what goes in and out."""

    service: str
    name: str
    request: type[Request]
    response: type[Response]

    @property
    def path(self) -> str:
        """The HTTP/2 path of the method, e.g. `/tensorflow.serving.PredictionService/Predict`."""
        return f"/{self.service}/{self.name}"

    def stub(self, channel: grpc.aio.Channel) -> "grpc.aio.UnaryUnaryMultiCallable[Request, Response]":
        """Return the callable that sends this method over the channel."""
        return channel.unary_unary(
            self.path,
            request_serializer=self.request.SerializeToString,
            response_deserializer=self.response.FromString,
        )


PREDICT = Method("tensorflow.serving.PredictionService", "Predict", PredictRequest, PredictResponse)
CLASSIFY = Method("tensorflow.serving.PredictionService", "Classify", ClassificationRequest, ClassificationResponse)
REGRESS = Method("tensorflow.serving.PredictionService", "Regress", RegressionRequest, RegressionResponse)
MULTI_INFERENCE = Method(
    "tensorflow.serving.PredictionService", "MultiInference", MultiInferenceRequest, MultiInferenceResponse
)
GET_MODEL_METADATA = Method(
    "tensorflow.serving.PredictionService", "GetModelMetadata", GetModelMetadataRequest, GetModelMetadataResponse
)
GET_MODEL_STATUS = Method(
    "tensorflow.serving.ModelService", "GetModelStatus", GetModelStatusRequest, GetModelStatusResponse
)
HANDLE_RELOAD_CONFIG_REQUEST = Method(
    "tensorflow.serving.ModelService", "HandleReloadConfigRequest", ReloadConfigRequest, ReloadConfigResponse
)


def register(
    server: grpc.Server | grpc.aio.Server,
    behaviours: "Mapping[Method[Any, Any], Callable[[Any, Any], Any]]",
    reading: "Callable[[type[Message]], Callable[[bytes], Any]] | None" = None,
) -> None:
    """Add to a server (threads or asyncio) what answers each method.

    Args:
        server: Not started yet.
        behaviours: Called with the request and gRPC's context.
        reading: Gives what makes a request of bytes; a message's own parser where there is none.
    """
    handlers: defaultdict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]] = defaultdict(dict)
    for method, behaviour in behaviours.items():
        handlers[method.service][method.name] = grpc.unary_unary_rpc_method_handler(
            behaviour,
            request_deserializer=reading(method.request) if reading else method.request.FromString,
            response_serializer=method.response.SerializeToString,
        )
    server.add_generic_rpc_handlers(
        tuple(grpc.method_handlers_generic_handler(service, methods) for service, methods in handlers.items())
    )
