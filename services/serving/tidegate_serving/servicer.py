"""What answers: PredictionService's and ModelService's methods over a Catalog."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError, Message

from tidegate_proto.inference_pb2 import (
    ClassificationRequest,
    ClassificationResponse,
    MultiInferenceRequest,
    MultiInferenceResponse,
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
from tidegate_proto.services import (
    CLASSIFY,
    GET_MODEL_METADATA,
    GET_MODEL_STATUS,
    MULTI_INFERENCE,
    PREDICT,
    REGRESS,
    Method,
)
from tidegate_proto.signature_pb2 import SignatureDef, SignatureDefMap
from tidegate_serving import examples, tensors
from tidegate_serving.catalog import Catalog
from tidegate_serving.errors import CODES, InvalidArgument, ServingError
from tidegate_serving.metrics import RequestMetrics
from tidegate_serving.predict import DEFAULT_SIGNATURE, predict
from tidegate_serving.savedmodel import SavedModel
from tidegate_serving.tensors import Array

log = logging.getLogger(__name__)

SIGNATURE_FIELD = "signature_def"
SIGNATURE_TYPE = "type.googleapis.com/tensorflow.serving.SignatureDefMap"

_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class Servicer:
    """The services over a Catalog.

    Args:
        catalog: The models.
        metrics: Where predictions are counted.
        as_content: Whether tensors are answered as raw bytes.
    """

    def __init__(self, catalog: Catalog, metrics: RequestMetrics, *, as_content: bool = False) -> None:
        self._catalog = catalog
        self._metrics = metrics
        self._as_content = as_content

    def behaviours(self) -> dict[Method[Any, Any], Callable[[Any, grpc.ServicerContext], Any]]:
        """Return what answers each method by gRPC; predictions are counted."""
        return {
            PREDICT: answering(self._counted(PREDICT, self.predict)),
            CLASSIFY: answering(self._counted(CLASSIFY, self.classify)),
            REGRESS: answering(self._counted(REGRESS, self.regress)),
            MULTI_INFERENCE: answering(self._counted(MULTI_INFERENCE, self.multi_inference)),
            GET_MODEL_METADATA: answering(self.metadata),
            GET_MODEL_STATUS: answering(self.status),
        }

    def predict(self, request: PredictRequest) -> PredictResponse:
        """Run a signature of a model.

        Raises:
            ServingError: The request does not fit.
            tf.errors.OpError: The graph failed.
        """
        response = PredictResponse()
        with self._used(PREDICT, _spec(request), response.model_spec) as (model, signature):
            outputs = predict(model, signature, tensors.Inputs(request.inputs), request.output_filter)
        for name, array in outputs.items():
            response.outputs[name].CopyFrom(tensors.write(array, as_content=self._as_content))
        return response

    def predict_arrays(
        self, spec: ModelSpec, inputs: Mapping[str, Array], wanted: tuple[str, ...]
    ) -> tuple[int, dict[str, Array]]:
        """Run a signature on arrays; gives the version that answered and its outputs. Raises as `predict`."""
        used = ModelSpec()
        with self._used(PREDICT, spec, used) as (model, signature):
            outputs = predict(model, signature, inputs, wanted)
        return used.version.value, outputs

    def classify(self, request: ClassificationRequest) -> ClassificationResponse:
        """Run a classify signature; raises as `predict`."""
        response = ClassificationResponse()
        with self._used(CLASSIFY, _spec(request), response.model_spec) as (model, signature):
            response.result.CopyFrom(examples.classify(model, signature, request.input))
        return response

    def regress(self, request: RegressionRequest) -> RegressionResponse:
        """Run a regress signature; raises as `predict`."""
        response = RegressionResponse()
        with self._used(REGRESS, _spec(request), response.model_spec) as (model, signature):
            response.result.CopyFrom(examples.regress(model, signature, request.input))
        return response

    def multi_inference(self, request: MultiInferenceRequest) -> MultiInferenceResponse:
        """Run several classify and regress signatures of a model on the same examples; raises as `predict`."""
        spec = request.tasks[0].model_spec if request.tasks else ModelSpec()
        used = ModelSpec()
        with self._used(MULTI_INFERENCE, spec, used) as (model, _):
            results = examples.multi_inference(model, request.tasks, request.input)
        for task, result in zip(request.tasks, results, strict=True):
            result.model_spec.CopyFrom(used)
            result.model_spec.signature_name = task.model_spec.signature_name or DEFAULT_SIGNATURE
        return MultiInferenceResponse(results=results)

    @contextmanager
    def _used(self, method: Method[Any, Any], spec: ModelSpec, used: ModelSpec) -> Iterator[tuple[SavedModel, str]]:
        """Hold the model and signature that a request names, note what it takes, and say in `used` what it was."""
        signature = spec.signature_name or DEFAULT_SIGNATURE
        with self._catalog.use(spec) as (version, model):
            started = time.perf_counter()
            yield model, signature
            self._metrics.ran(spec.name, method.name, time.perf_counter() - started)
        _fill(used, spec.name, version, signature)

    def _counted(self, method: Method[Any, Any], answer: Callable[[Any], Response]) -> Callable[[Any], Response]:
        """Count the requests that something answers, and note what they took."""

        def counted(request: Any) -> Response:  # noqa: ANN401 a request of that method
            started = time.perf_counter()
            status = "OK"
            try:
                return answer(request)
            except BaseException as error:
                status = answer_to(error)[0].name
                raise
            finally:
                took_s = time.perf_counter() - started
                self._metrics.observe(_model(request), (method.name, "GRPC"), status, took_s)

        return counted

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


def _spec(
    request: PredictRequest
    | ClassificationRequest
    | RegressionRequest
    | GetModelMetadataRequest
    | GetModelStatusRequest,
) -> ModelSpec:
    if not request.HasField("model_spec"):
        raise InvalidArgument("Missing ModelSpec")
    return request.model_spec


def _model(request: PredictRequest | ClassificationRequest | RegressionRequest | MultiInferenceRequest) -> str:
    """Return the name of the model that a request is for."""
    if isinstance(request, MultiInferenceRequest):
        return request.tasks[0].model_spec.name if request.tasks else ""
    return request.model_spec.name


def _fill(spec: ModelSpec, name: str, version: int, signature: str) -> None:
    spec.name = name
    spec.version.value = version
    spec.signature_name = signature


def reading(message: type[Message]) -> Callable[[bytes], Message | DecodeError]:
    """Return what reads a request; bytes that are none become the error, for `answering` to say it clearly."""
    name = message.DESCRIPTOR.name

    def read(sent: bytes) -> Message | DecodeError:
        try:
            return message.FromString(sent)
        except DecodeError:
            return DecodeError(
                f"expected a {name}, came {len(sent)} bytes that are none: malformed, or texts not UTF-8"
            )

    return read


def answering(answer: Callable[[Request], Response]) -> Callable[[Request, grpc.ServicerContext], Response]:
    """Turn errors into gRPC's; what is unexpected is logged here and only named there."""

    def behaviour(request: Request | DecodeError, context: grpc.ServicerContext) -> Response:
        if isinstance(request, DecodeError):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(request))
        left_s = context.time_remaining()
        if left_s is not None and left_s <= 0:  # it waited for a thread for too long: nobody hears the answer
            context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
        try:
            return answer(request)
        except Exception as error:
            code, text = answer_to(error)
            if code is grpc.StatusCode.INTERNAL and not isinstance(error, ServingError):
                log.exception("unexpected error")
            context.abort(code, text)
        raise AssertionError("abort does not return")

    return behaviour


def answer_to(error: BaseException) -> tuple[grpc.StatusCode, str]:
    """Return code and text of an error: TF Serving's, TensorFlow's, or a word about an unexpected one."""
    match error:
        case ServingError():
            return CODES[type(error)], error.text
        case tf.errors.OpError():
            text = ServingError(error.message or "the graph failed").text
            return _BY_NUMBER.get(error.error_code, grpc.StatusCode.UNKNOWN), text
        case _:
            return grpc.StatusCode.INTERNAL, "internal error; the model server's log has it"
