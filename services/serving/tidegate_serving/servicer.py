"""Predict, Classify, Regress, GetModelMetadata and GetModelStatus over a Catalog."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc
import tensorflow as tf
from google.protobuf.message import Message

from tidegate_proto.inference_pb2 import (
    ClassificationRequest,
    ClassificationResponse,
    RegressionRequest,
    RegressionResponse,
)
from tidegate_proto.model_status_pb2 import GetModelStatusRequest, GetModelStatusResponse
from tidegate_proto.prediction_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    ModelSpec,
    PredictRequest,
    PredictResponse,
)
from tidegate_proto.services import CLASSIFY, GET_MODEL_METADATA, GET_MODEL_STATUS, PREDICT, REGRESS, Method
from tidegate_proto.signature_pb2 import SignatureDef, SignatureDefMap
from tidegate_serving import examples, tensors
from tidegate_serving.catalog import Catalog
from tidegate_serving.errors import FailedPrecondition, InvalidArgument, NotFound, ServingError
from tidegate_serving.metrics import RequestMetrics
from tidegate_serving.savedmodel import SavedModel
from tidegate_serving.tensors import Array

log = logging.getLogger(__name__)

DEFAULT_SIGNATURE = "serving_default"
SIGNATURE_FIELD = "signature_def"
SIGNATURE_TYPE = "type.googleapis.com/tensorflow.serving.SignatureDefMap"

CODES: dict[type[ServingError], grpc.StatusCode] = {
    NotFound: grpc.StatusCode.NOT_FOUND,
    InvalidArgument: grpc.StatusCode.INVALID_ARGUMENT,
    FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
}
_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}

Inference = PredictRequest | ClassificationRequest | RegressionRequest
Inferred = PredictResponse | ClassificationResponse | RegressionResponse
Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class Servicer:
    """The services over a Catalog.

    Args:
        catalog: The models.
        metrics: Where predictions are counted.
    """

    def __init__(self, catalog: Catalog, metrics: RequestMetrics) -> None:
        self._catalog = catalog
        self._metrics = metrics

    def behaviours(self) -> dict[Method[Any, Any], Callable[[Any, grpc.ServicerContext], Any]]:
        """Return what answers each method."""
        return {
            PREDICT: _answering(self.predict),
            CLASSIFY: _answering(self.classify),
            REGRESS: _answering(self.regress),
            GET_MODEL_METADATA: _answering(self.metadata),
            GET_MODEL_STATUS: _answering(self.status),
        }

    def predict(self, request: PredictRequest) -> PredictResponse:
        """Run a signature of a model.

        Raises:
            ServingError: The request does not fit.
            tf.errors.OpError: The graph failed.
        """
        response = PredictResponse()
        with self._used(PREDICT, request, response) as (model, signature):
            model.signature(signature)
            inputs = {name: tensors.read(tensor, name) for name, tensor in request.inputs.items()}
            outputs = model.predict(signature, inputs, tuple(request.output_filter))
            for name, array in outputs.items():
                response.outputs[name].CopyFrom(tensors.write(array))
        return response

    def predict_arrays(
        self, spec: ModelSpec, inputs: Mapping[str, Array], wanted: tuple[str, ...]
    ) -> tuple[int, dict[str, Array]]:
        """Run a signature on arrays; gives the version that answered and its outputs. Raises as `predict`."""
        response = PredictResponse()
        with self._used(PREDICT, PredictRequest(model_spec=spec), response) as (model, signature):
            outputs = model.predict(signature, inputs, wanted)
        return response.model_spec.version.value, outputs

    def classify(self, request: ClassificationRequest) -> ClassificationResponse:
        """Run a classify signature; raises as `predict`."""
        response = ClassificationResponse()
        with self._used(CLASSIFY, request, response) as (model, signature):
            response.result.CopyFrom(examples.classify(model, signature, request.input))
        return response

    def regress(self, request: RegressionRequest) -> RegressionResponse:
        """Run a regress signature; raises as `predict`."""
        response = RegressionResponse()
        with self._used(REGRESS, request, response) as (model, signature):
            response.result.CopyFrom(examples.regress(model, signature, request.input))
        return response

    @contextmanager
    def _used(
        self, method: Method[Any, Any], request: Inference, response: Inferred
    ) -> Iterator[tuple[SavedModel, str]]:
        """Hold the model and signature that a request names, count the request, and say in the response what it was."""
        started = time.perf_counter()
        status = "error"
        try:
            spec = _spec(request)
            signature = spec.signature_name or DEFAULT_SIGNATURE
            with self._catalog.use(spec) as (version, model):
                yield model, signature
            _fill(response.model_spec, spec.name, version, signature)
            status = "success"
        finally:
            self._metrics.observe(request.model_spec.name, method.name, status, time.perf_counter() - started)

    def metadata(self, request: GetModelMetadataRequest) -> GetModelMetadataResponse:
        """Return a model's signatures.

        Raises:
            ServingError: No such model, or another metadata field than `signature_def`.
        """
        spec = _spec(request)
        if not request.metadata_field:
            raise InvalidArgument("GetModelMetadataRequest must specify at least one metadata_field")
        for name in request.metadata_field:
            if name != SIGNATURE_FIELD:
                raise InvalidArgument(f"Metadata field {name} is not supported")
        response = GetModelMetadataResponse()
        version, found = self.signatures(spec)
        signatures = SignatureDefMap(signature_def=found)
        _fill(response.model_spec, spec.name, version, "")
        response.metadata[SIGNATURE_FIELD].type_url = SIGNATURE_TYPE
        response.metadata[SIGNATURE_FIELD].value = signatures.SerializeToString()
        return response

    def signatures(self, spec: ModelSpec) -> tuple[int, Mapping[str, SignatureDef]]:
        """Return the version that a request names, and its signatures.

        Raises:
            ServingError: No such model.
        """
        with self._catalog.use(spec) as (version, model):
            return version, model.signatures

    def status(self, request: GetModelStatusRequest) -> GetModelStatusResponse:
        """Return where a model's versions stand.

        Raises:
            ServingError: No such model or version.
        """
        return GetModelStatusResponse(model_version_status=self._catalog.statuses(_spec(request)))


def _spec(request: Inference | GetModelMetadataRequest | GetModelStatusRequest) -> ModelSpec:
    if not request.HasField("model_spec"):
        raise InvalidArgument("Missing ModelSpec")
    return request.model_spec


def _fill(spec: ModelSpec, name: str, version: int, signature: str) -> None:
    spec.name = name
    spec.version.value = version
    spec.signature_name = signature


def _answering(answer: Callable[[Request], Response]) -> Callable[[Request, grpc.ServicerContext], Response]:
    """Turn errors into gRPC's; what is unexpected is logged here and only named there."""

    def behaviour(request: Request, context: grpc.ServicerContext) -> Response:
        try:
            return answer(request)
        except ServingError as error:
            context.abort(CODES[type(error)], error.text)
        except tf.errors.OpError as error:
            text = ServingError(error.message or "the graph failed").text
            context.abort(_BY_NUMBER.get(error.error_code, grpc.StatusCode.UNKNOWN), text)
        except Exception:
            log.exception("unexpected error")
            context.abort(grpc.StatusCode.INTERNAL, "internal error; the model server's log has it")
        raise AssertionError("abort does not return")

    return behaviour
