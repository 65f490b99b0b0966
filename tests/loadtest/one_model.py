"""The gateway itself, page and API, over one model that is arithmetic."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from aiohttp import web

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
from tidegate_web.server.connection_age import ConnectionAge
from tidegate_web.server.exchanges import Exchanges
from tidegate_web.server.lifecycle import Lifecycle
from tidegate_web.server.middlewares import Observer
from tidegate_web.settings import Settings

Model = Callable[[Mapping[str, Array]], Mapping[str, Array]]

FLOAT, TEXT = np.dtype(np.float32), np.dtype(object)


def tensor(*sizes: int | None, dtype: np.dtype[np.generic] = FLOAT) -> TensorSpec:
    """An input or output of a signature; the first size is the rows'."""
    kinds = {"f": "DT_FLOAT", "O": "DT_STRING", "b": "DT_BOOL", "i": "DT_INT64", "u": "DT_UINT8"}
    return TensorSpec(dtype, sizes, kinds[dtype.kind])


def signature(inputs: Mapping[str, TensorSpec], outputs: Mapping[str, TensorSpec]) -> Signature:
    """One that predicts."""
    return Signature(inputs, outputs, "tensorflow/serving/predict")


@dataclass
class OneModel:
    """A Predictor of one model, which a function answers; of an error instead, when told."""

    name: str
    signature: Signature
    model: Model
    signature_name: str = "serving_default"
    error: TidegateError | None = None

    def models(self) -> Sequence[str]:
        return [self.name]

    def route(self, model: ModelRef, client: str) -> ModelRef:
        assert client
        return model

    async def metadata(self, model: ModelRef, timeout_s: float) -> ModelMetadata:
        assert timeout_s > 0
        if model.name != self.name:
            raise NotFound(f"Servable not found for request: Latest({model.name})")
        return ModelMetadata(self.name, 7, {self.signature_name: self.signature})

    async def status(self, model: ModelRef, timeout_s: float) -> Sequence[VersionStatus]:
        await self.metadata(model, timeout_s)
        return [VersionStatus(7, "AVAILABLE")]

    async def predict(self, prediction: Prediction, timeout_s: float) -> Outcome:
        assert timeout_s > 0
        if self.error is not None:
            raise self.error
        return Outcome(dict(self.model(prediction.inputs)), version=7, backend="10.0.0.9:8500", timings={"grpc": 0.002})

    def known_metadata(self, model: ModelRef) -> ModelMetadata | None:
        assert model.name
        return None

    def submit(self, prediction: Prediction, timeout_s: float, answered: Answered) -> Callable[[], object] | None:
        raise NotImplementedError

    async def classify(self, query: ExampleQuery, timeout_s: float) -> Classified:
        raise NotImplementedError

    async def regress(self, query: ExampleQuery, timeout_s: float) -> Regressed:
        raise NotImplementedError


def gateway(predictor: OneModel, cards: Path = Path("nowhere")) -> web.Application:
    """The gateway's HTTP side over a model, with the cards of a folder."""
    settings, metrics = Settings(cards_dir=str(cards)), Metrics()
    admitted = AdmittedPredictor(predictor, settings.max_inflight, settings.max_queue, metrics)
    lifecycle = Lifecycle(listening=True, discovered=True)
    ages = ConnectionAge(settings.connection_max_age_s, asyncio.get_running_loop().time)
    observer = Observer(Exchanges(settings, metrics, lifecycle, pod="pod-a"), ages)
    return make_app(settings, admitted, observer, lifecycle)
