"""The gateway's Predictor over this server's own models, without a wire in between."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TypeVar

import grpc
import numpy as np
import tensorflow as tf

from tidegate_proto.example_pb2 import Example as ExampleProto
from tidegate_proto.inference_pb2 import ClassificationRequest, Input, RegressionRequest
from tidegate_proto.model_status_pb2 import GetModelStatusRequest, ModelVersionStatus
from tidegate_proto.prediction_pb2 import ModelSpec
from tidegate_proto.signature_pb2 import SignatureDef, TensorInfo
from tidegate_proto.tensor_json import tensor_json
from tidegate_proto.tensor_pb2 import DataType
from tidegate_serving.errors import ServingError
from tidegate_serving.servicer import Servicer, answer_to
from tidegate_web import errors as http
from tidegate_web.prediction import (
    UNCARRIED,
    Array,
    Classified,
    Example,
    ExampleQuery,
    ModelMetadata,
    ModelRef,
    Outcome,
    Prediction,
    Regressed,
    Signature,
    TensorSpec,
    VersionStatus,
)

BFLOAT16 = np.dtype(tf.bfloat16.as_numpy_dtype)
FLOAT32 = np.dtype(np.float32)

SAID: dict[grpc.StatusCode, type[http.TidegateError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: http.BadInput,
    grpc.StatusCode.FAILED_PRECONDITION: http.BadInput,
    grpc.StatusCode.OUT_OF_RANGE: http.BadInput,
    grpc.StatusCode.NOT_FOUND: http.NotFound,
    grpc.StatusCode.RESOURCE_EXHAUSTED: http.Overloaded,
    grpc.StatusCode.UNIMPLEMENTED: http.Unimplemented,
    grpc.StatusCode.UNAVAILABLE: http.Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: http.DeadlineExceeded,
}
"""How REST says a code; all others are faults of the server.

Source: ToHTTPStatusCode in tensorflow_serving/model_servers/http_server.cc.
"""

Answer = TypeVar("Answer")


class GraphsMatter(TensorSpec):
    """A TensorSpec that leaves the shape to the graph, as TF Serving does; the type still counts."""

    __slots__ = ()

    def accepts(self, shape: tuple[int, ...]) -> bool:  # noqa: ARG002 any will do
        """Say yes."""
        return True


class InProcessPredictor:
    """Answers by a Servicer, in the threads that gRPC's calls run in.

    Args:
        servicer: Over the models.
        threads: Where predictions are computed.
    """

    def __init__(self, servicer: Servicer, threads: Executor) -> None:
        self._servicer = servicer
        self._threads = threads

    def models(self) -> Sequence[str]:
        """Return nothing: a model server offers no model before the others."""
        return ()

    def route(self, model: ModelRef, client: str) -> ModelRef:  # noqa: ARG002 there are no canaries here
        """Return what was asked for."""
        return model

    async def predict(self, prediction: Prediction, timeout_s: float) -> Outcome:
        """Run a signature."""
        spec = to_spec(prediction.model, prediction.signature)
        inputs = {
            name: array.astype(BFLOAT16) if prediction.wire_dtypes.get(name) == "DT_BFLOAT16" else array
            for name, array in prediction.inputs.items()
        }
        version, outputs = await self._run(
            lambda: self._servicer.predict_arrays(spec, inputs, prediction.wanted), timeout_s
        )
        return Outcome({name: _readable(array) for name, array in outputs.items()}, version=version)

    async def classify(self, query: ExampleQuery, timeout_s: float) -> Classified:
        """Run a classify signature."""
        request = ClassificationRequest(model_spec=to_spec(query.model, query.signature), input=_input(query))
        response = await self._run(lambda: self._servicer.classify(request), timeout_s)
        found = [[(one.label, one.score) for one in row.classes] for row in response.result.classifications]
        return Classified(found, version=response.model_spec.version.value)

    async def regress(self, query: ExampleQuery, timeout_s: float) -> Regressed:
        """Run a regress signature."""
        request = RegressionRequest(model_spec=to_spec(query.model, query.signature), input=_input(query))
        response = await self._run(lambda: self._servicer.regress(request), timeout_s)
        return Regressed([one.value for one in response.result.regressions], version=response.model_spec.version.value)

    async def metadata(self, model: ModelRef, timeout_s: float) -> ModelMetadata:
        """Return a version's signatures."""
        version, signatures = await self._run(lambda: self._servicer.signatures(to_spec(model)), timeout_s)
        read = {name: _signature(one) for name, one in sorted(signatures.items())}
        return ModelMetadata(model.name, version, read)

    async def status(self, model: ModelRef, timeout_s: float) -> Sequence[VersionStatus]:
        """Return where a model's versions stand, the newest first."""
        request = GetModelStatusRequest(model_spec=to_spec(model))
        response = await self._run(lambda: self._servicer.status(request), timeout_s)
        return [_status(one) for one in sorted(response.model_version_status, key=lambda one: -one.version)]

    async def _run(self, answer: Callable[[], Answer], timeout_s: float) -> Answer:
        """Compute in a thread; what is late there is computed to its end, but nobody waits."""
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.get_running_loop().run_in_executor(self._threads, answer)
        except TimeoutError:
            raise http.DeadlineExceeded("The model did not answer in time") from None
        except (ServingError, tf.errors.OpError) as error:
            raise refusal_of(error) from error


def refusal_of(error: ServingError | tf.errors.OpError) -> http.TidegateError:
    """Return how REST says what a Servicer raises; it is to be raised from that."""
    code, text = answer_to(error)
    return SAID.get(code, http.BackendFault)(text)


def to_spec(model: ModelRef, signature: str = "") -> ModelSpec:
    """Name a model, a version or label of it, and a signature."""
    spec = ModelSpec(name=model.name, signature_name=signature)
    if model.version is not None:
        spec.version.value = model.version
    if model.label is not None:
        spec.version_label = model.label
    return spec


def _readable(array: Array) -> Array:
    """Widen what JSON's writer does not know."""
    return array.astype(FLOAT32) if array.dtype == BFLOAT16 else array


def _input(query: ExampleQuery) -> Input:
    rows = [_example(example) for example in query.examples]
    found = Input()
    if query.context is None:
        found.example_list.examples.extend(rows)
    else:
        found.example_list_with_context.context.CopyFrom(_example(query.context))
        found.example_list_with_context.examples.extend(rows)
    return found


def _example(example: Example) -> ExampleProto:
    features = {}
    for name, array in example.items():
        values = array.tolist()
        if not values:
            features[name] = tf.train.Feature()  # TensorFlow takes one without elements as missing
        elif array.dtype == object:
            features[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
        elif array.dtype == np.int64:
            features[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        else:
            features[name] = tf.train.Feature(float_list=tf.train.FloatList(value=values))
    whole = tf.train.Example(features=tf.train.Features(feature=features))
    return ExampleProto.FromString(whole.SerializeToString())


def _signature(signature: SignatureDef) -> Signature:
    return Signature(
        {name: _tensor(info) for name, info in sorted(signature.inputs.items())},
        {name: _tensor(info) for name, info in sorted(signature.outputs.items())},
        signature.method_name,
        {name: tensor_json(tensor) for name, tensor in sorted(signature.defaults.items())},
    )


def _tensor(info: TensorInfo) -> TensorSpec:
    wire_dtype = DataType.Name(info.dtype) if info.dtype in DataType.values() else str(info.dtype)
    sizes = [None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim]
    return GraphsMatter(
        _dtype(info.dtype), None if info.tensor_shape.unknown_rank else tuple(sizes), wire_dtype, info.name
    )


def _dtype(number: int) -> np.dtype[np.generic]:
    """Return what JSON's reader makes of a type: numbers and bytes; UNCARRIED for all else."""
    try:
        dtype: np.dtype[np.generic] = np.dtype(tf.as_dtype(number).as_numpy_dtype)
    except TypeError:
        return UNCARRIED
    if dtype == BFLOAT16:
        return FLOAT32
    return dtype if dtype.kind in "biufO" else UNCARRIED


def _status(status: ModelVersionStatus) -> VersionStatus:
    codes = {code.value[0]: code.name for code in grpc.StatusCode}
    return VersionStatus(
        status.version,
        ModelVersionStatus.State.Name(status.state),
        codes.get(status.status.error_code, str(status.status.error_code)),
        status.status.error_message,
    )
