"""The Predictor over model servers."""

import time
from collections.abc import Callable, Iterable, Sequence

from tidegate_proto.model_status_pb2 import GetModelStatusRequest
from tidegate_web.errors import BadInput, Problem
from tidegate_web.metrics import Metrics
from tidegate_web.prediction import (
    Answered,
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
from tidegate_web.serving.batcher import Batcher
from tidegate_web.serving.dispatch import Dispatcher
from tidegate_web.serving.lane import Batching, Calls
from tidegate_web.serving.router import Router
from tidegate_web.serving.signatures import Signatures

MAX_MODELS = 64
"""Names beyond the offered ones whose status is polled: those that were asked for last, and exist."""


class ServingPredictor:
    """Answers predictions by TF Serving's gRPC API.

    Args:
        balancer: The model servers.
        router: The models that are offered, and the canaries.
        batching: How predictions are joined.
        metrics: Where batches and retries are counted.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        balancer: Balancer,
        router: Router,
        batching: Batching,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._router = router
        self._clock = clock
        self._dispatcher = Dispatcher(balancer, metrics, clock)
        self._batcher = Batcher(Calls(balancer, self._send, batching, metrics, clock))
        self._signatures = Signatures(self._dispatcher, clock)
        self._seen: dict[str, None] = {}

    def models(self) -> Sequence[str]:
        """Return the names that are offered to people."""
        return self._router.models

    def known_models(self) -> Iterable[str]:
        """Return every name whose status is worth knowing: offered, split, or answered lately."""
        return list(dict.fromkeys((*self._router.known, *self._seen)))

    def route(self, model: ModelRef, client: str) -> ModelRef:
        """Return the label that a client's requests for a model go to."""
        return self._router.route(model, client)

    def changed(self) -> None:
        """Take note that backends have come, gone, recovered, or have other versions."""
        self._signatures.doubt()
        self._batcher.poke()

    async def close(self) -> None:
        """Cancel every call in flight."""
        await self._batcher.close()
        await self._signatures.close()

    async def predict(self, prediction: Prediction, timeout_s: float) -> Outcome:
        """Answer a prediction, joined with others where that is safe."""
        try:
            return await self._batcher.predict(prediction, timeout_s)
        except BadInput as error:
            if not prediction.uneven or error.problems:
                raise
            # Not refused before: TF Serving sends it on, and there are models that answer it
            came = ", ".join(f"{name} {len(array)}" for name, array in prediction.inputs.items())
            raise BadInput(str(error), (Problem("inputs", "the same number of rows for each input", came),)) from None

    def known_metadata(self, model: ModelRef) -> ModelMetadata | None:
        """Return a model's signatures where they are fresh."""
        return self._signatures.fresh(model)

    def submit(self, prediction: Prediction, timeout_s: float, answered: Answered) -> Callable[[], None] | None:
        """Begin to answer a prediction that is joined with others, and call back."""
        return self._batcher.submit(prediction, timeout_s, answered)

    async def classify(self, query: ExampleQuery, timeout_s: float) -> Classified:
        """Answer a classify request in a call of its own."""
        request, sent = example_wire.to_classification(query), self._clock()
        response, backend = await self._dispatcher.call(
            query.model, lambda backend: backend.classify, request, timeout_s
        )
        return Classified(
            example_wire.from_classification(response, len(query.examples)),
            version=response.model_spec.version.value,
            backend=backend.address,
            timings={"grpc": self._clock() - sent},
        )

    async def regress(self, query: ExampleQuery, timeout_s: float) -> Regressed:
        """Answer a regress request in a call of its own."""
        request, sent = example_wire.to_regression(query), self._clock()
        response, backend = await self._dispatcher.call(
            query.model, lambda backend: backend.regress, request, timeout_s
        )
        return Regressed(
            example_wire.from_regression(response, len(query.examples)),
            version=response.model_spec.version.value,
            backend=backend.address,
            timings={"grpc": self._clock() - sent},
        )

    async def metadata(self, model: ModelRef, timeout_s: float) -> ModelMetadata:
        """Return a model's signatures, from memory where they are fresh."""
        known = self._signatures.fresh(model)
        if known is not None:
            return known
        metadata = await self._signatures.ask(model, timeout_s)
        self._see(model.name)
        return metadata

    async def status(self, model: ModelRef, timeout_s: float) -> Sequence[VersionStatus]:
        """Return where the model's versions stand on one of the model servers."""
        request = GetModelStatusRequest(model_spec=wire.to_spec(model))
        response, _ = await self._dispatcher.call(
            model, lambda backend: backend.status, request, timeout_s, judged=False
        )
        return wire.from_status(response)

    async def _send(self, prediction: Prediction, timeout_s: float, backend: Backend | None) -> Outcome:
        """Make one call of a prediction."""
        started = self._clock()
        request = wire.to_request(prediction)
        sent = self._clock()
        response, backend = await self._dispatcher.call(
            prediction.model, lambda backend: backend.predict, request, timeout_s - (sent - started), backend
        )
        answered = self._clock()
        outputs = {name: wire.from_tensor(tensor) for name, tensor in response.outputs.items()}
        return Outcome(
            outputs,
            version=response.model_spec.version.value,
            backend=backend.address,
            timings={"grpc": answered - sent, "codec": sent - started + self._clock() - answered},
        )

    def _see(self, name: str) -> None:
        """Remember a name that exists, the last ones only."""
        self._seen.pop(name, None)
        self._seen[name] = None
        if len(self._seen) > MAX_MODELS:
            del self._seen[next(iter(self._seen))]
