"""A gateway without network: its HTTP side over a Predictor that knows one model."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request

from tidegate_web.admission import AdmittedPredictor
from tidegate_web.errors import NotFound, TidegateError
from tidegate_web.metrics import Metrics
from tidegate_web.prediction import (
    Answered,
    Array,
    Classified,
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
from tidegate_web.server.app import make_app
from tidegate_web.server.auth import Tokens
from tidegate_web.server.connection_age import ConnectionAge
from tidegate_web.server.exchanges import Exchanges
from tidegate_web.server.lifecycle import Lifecycle
from tidegate_web.server.middlewares import Observer
from tidegate_web.settings import Settings

Client = TestClient[Request, Application]

FLOAT = np.dtype(np.float32)
AND_GATE = Signature(
    inputs={"inputs": TensorSpec(FLOAT, (None, 2), "DT_FLOAT", "serving_default_inputs:0")},
    outputs={"probabilities": TensorSpec(FLOAT, (None, 2), "DT_FLOAT", "StatefulPartitionedCall:0")},
    method="tensorflow/serving/predict",
)


@dataclass
class FakePredictor:
    """The AND gate as arithmetic; or, when told, an error, or no answer before `held` is set.

    Where it is `quick`, it answers the fast way in by calling back.
    """

    signature: Signature = AND_GATE
    quick: bool = False
    error: TidegateError | None = None
    held: asyncio.Event | None = None
    seen: list[Prediction] = field(default_factory=list)
    outputs: dict[str, Array] | None = None
    queries: list[ExampleQuery] = field(default_factory=list)
    classes: list[list[tuple[str, float]]] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    clients: list[str] = field(default_factory=list)

    def models(self) -> Sequence[str]:
        return ["and_gate"]

    def route(self, model: ModelRef, client: str) -> ModelRef:
        assert client
        self.clients.append(client)
        return model

    def known_metadata(self, model: ModelRef) -> ModelMetadata | None:
        if self.quick and self.error is None and model.name == "and_gate":
            return ModelMetadata("and_gate", 7, {"serving_default": self.signature})
        return None

    def submit(self, prediction: Prediction, timeout_s: float, answered: Answered) -> Callable[[], object] | None:
        if not self.quick:
            return None

        async def answer() -> None:
            try:
                answered(await self.predict(prediction, timeout_s))
            except TidegateError as error:
                answered(error)

        return asyncio.get_running_loop().create_task(answer()).cancel

    async def classify(self, query: ExampleQuery, timeout_s: float) -> Classified:
        self._ask(query, timeout_s)
        return Classified(self.classes, version=7)

    async def regress(self, query: ExampleQuery, timeout_s: float) -> Regressed:
        self._ask(query, timeout_s)
        return Regressed(self.values, version=7)

    def _ask(self, query: ExampleQuery, timeout_s: float) -> None:
        assert timeout_s > 0
        self.queries.append(query)
        if self.error is not None:
            raise self.error

    async def predict(self, prediction: Prediction, timeout_s: float) -> Outcome:
        assert timeout_s > 0
        self.seen.append(prediction)
        if self.error is not None:
            raise self.error
        if self.held is not None:
            await self.held.wait()
        if self.outputs is not None:
            return Outcome(self.outputs, version=7)
        on = (prediction.inputs["inputs"] != 0).all(axis=1)
        shares = np.where(on[:, None], [0.125, 0.875], [0.75, 0.25]).astype(np.float32)
        return Outcome({"probabilities": shares}, version=7, backend="10.0.0.9:8500", timings={"grpc": 0.002})

    async def metadata(self, model: ModelRef, timeout_s: float) -> ModelMetadata:
        assert timeout_s > 0
        if self.error is not None:
            raise self.error
        if model.name != "and_gate":
            raise NotFound(f"Servable not found for request: Latest({model.name})")
        return ModelMetadata("and_gate", 7, {"serving_default": self.signature})

    async def status(self, model: ModelRef, timeout_s: float) -> Sequence[VersionStatus]:
        assert timeout_s > 0
        await self.metadata(model, timeout_s)
        return [VersionStatus(7, "AVAILABLE")]


@dataclass
class Gateway:
    """A gateway under test: its client, and what stands behind it."""

    client: Client
    predictor: FakePredictor
    metrics: Metrics
    lifecycle: Lifecycle


StartGateway = Callable[..., Awaitable[Gateway]]


@pytest.fixture
def fake_predictor() -> type[FakePredictor]:
    return FakePredictor


@pytest.fixture
def start_gateway(aiohttp_client: Callable[[TestServer], Awaitable[Client]]) -> StartGateway:
    """Start the HTTP side over a FakePredictor, with the settings given."""

    async def start(
        predictor: FakePredictor | None = None, tokens: Tokens | None = None, **settings: object
    ) -> Gateway:
        predictor = predictor or FakePredictor()
        chosen = Settings(**settings)  # type: ignore[arg-type]  # a test names each by keyword
        metrics, lifecycle = Metrics(), Lifecycle(listening=True, discovered=True)
        admitted = AdmittedPredictor(predictor, chosen.max_inflight, chosen.max_queue, metrics)
        ages = ConnectionAge(chosen.connection_max_age_s, asyncio.get_running_loop().time)
        observer = Observer(Exchanges(chosen, metrics, lifecycle, pod="pod-a"), ages)
        server = TestServer(make_app(chosen, admitted, observer, lifecycle, tokens))
        await server.start_server(auto_decompress=False)
        client = await aiohttp_client(server)
        return Gateway(client, predictor, metrics, lifecycle)

    return start
