"""The Predictor over model servers: pick a backend, call it, try another where that is safe."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import grpc.aio
from google.protobuf.message import Message

from tidegate_proto.model_status_pb2 import GetModelStatusRequest
from tidegate_proto.prediction_pb2 import GetModelMetadataRequest
from tidegate_web.errors import DeadlineExceeded, Unavailable
from tidegate_web.metrics import Metrics
from tidegate_web.prediction import (
    Classified,
    ExampleQuery,
    ModelMetadata,
    ModelRef,
    Outcome,
    Prediction,
    Regressed,
    VersionStatus,
)
from tidegate_web.serving import example_wire, wire
from tidegate_web.serving.backend import Backend
from tidegate_web.serving.balancer import Balancer
from tidegate_web.serving.faults import to_error

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
Method = Callable[[Backend], "grpc.aio.UnaryUnaryMultiCallable[Request, Response]"]

MAX_TRIES = 3
"""Backends that one request may be sent to."""

METADATA_MAX_AGE_S = 5.0
"""How long signatures are remembered: a roll-out may change them."""

METADATA_MAX_MODELS = 256
"""How many models' signatures are remembered."""


class ServingPredictor:
    """Answers predictions by TF Serving's gRPC API.

    Args:
        balancer: The model servers.
        models: Names that are offered to people.
        metrics: Where retries are counted.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        balancer: Balancer,
        models: Sequence[str],
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._balancer = balancer
        self._models = models
        self._metrics = metrics
        self._clock = clock
        self._metadata: dict[ModelRef, tuple[float, ModelMetadata]] = {}

    def models(self) -> Sequence[str]:
        """Return the names that are offered to people."""
        return self._models

    def route(self, model: ModelRef, client: str) -> ModelRef:  # noqa: ARG002 canaries are to come
        """Return the model as it is."""
        return model

    async def classify(self, query: ExampleQuery, timeout_s: float) -> Classified:
        """Answer a classify request, as `predict`."""
        request, sent = example_wire.to_classification(query), self._clock()
        response, backend = await self._call(lambda backend: backend.classify, request, timeout_s)
        return Classified(
            example_wire.from_classification(response, len(query.examples)),
            version=response.model_spec.version.value,
            backend=backend.address,
            timings={"grpc": self._clock() - sent},
        )

    async def regress(self, query: ExampleQuery, timeout_s: float) -> Regressed:
        """Answer a regress request, as `predict`."""
        request, sent = example_wire.to_regression(query), self._clock()
        response, backend = await self._call(lambda backend: backend.regress, request, timeout_s)
        return Regressed(
            example_wire.from_regression(response, len(query.examples)),
            version=response.model_spec.version.value,
            backend=backend.address,
            timings={"grpc": self._clock() - sent},
        )

    async def predict(self, prediction: Prediction, timeout_s: float) -> Outcome:
        """Answer a prediction; a backend that cannot be reached is replaced by another within the time-out."""
        started = self._clock()
        request = wire.to_request(prediction)
        sent = self._clock()
        response, backend = await self._call(lambda backend: backend.predict, request, timeout_s)
        answered = self._clock()
        outputs = {name: wire.from_tensor(tensor) for name, tensor in response.outputs.items()}
        codec_s = sent - started + self._clock() - answered
        return Outcome(
            outputs,
            version=response.model_spec.version.value,
            backend=backend.address,
            timings={"grpc": answered - sent, "codec": codec_s},
        )

    async def metadata(self, model: ModelRef, timeout_s: float) -> ModelMetadata:
        """Return a model's signatures, at most METADATA_MAX_AGE_S old."""
        if (known := self._metadata.get(model)) is not None and self._clock() - known[0] <= METADATA_MAX_AGE_S:
            return known[1]
        request = GetModelMetadataRequest(model_spec=wire.to_spec(model), metadata_field=["signature_def"])
        response, _ = await self._call(lambda backend: backend.metadata, request, timeout_s)
        metadata = wire.from_metadata(response)
        if len(self._metadata) >= METADATA_MAX_MODELS:
            del self._metadata[next(iter(self._metadata))]
        self._metadata[model] = (self._clock(), metadata)
        return metadata

    async def status(self, model: ModelRef, timeout_s: float) -> Sequence[VersionStatus]:
        """Return where the model's versions stand on one of the model servers."""
        request = GetModelStatusRequest(model_spec=wire.to_spec(model))
        response, _ = await self._call(lambda backend: backend.status, request, timeout_s)
        return wire.from_status(response)

    async def _call(
        self, method: "Method[Request, Response]", request: Request, timeout_s: float
    ) -> tuple[Response, Backend]:
        """Call one backend after the other until one can be reached.

        A call that found no connection, lost it, or was cancelled by a server on its way out, has no effect on a model:
        predictions are safe to repeat. (Our own cancellation is not a gRPC error and goes straight up.)
        """
        deadline = self._clock() + timeout_s
        tried: list[Backend] = []
        while (backend := self._balancer.pick(tried)) is not None and len(tried) < MAX_TRIES:
            remaining_s = deadline - self._clock()
            if remaining_s <= 0:
                raise DeadlineExceeded("The model did not answer in time")
            if tried:
                self._metrics.retries.inc()
            tried.append(backend)
            try:
                return await backend.call(method(backend), request, remaining_s), backend
            except grpc.aio.AioRpcError as failed:
                error = to_error(failed)
                if not isinstance(error, Unavailable):
                    raise error from failed
                self._balancer.suspect(backend)
        raise Unavailable("No model server can answer now")
