"""A model server without a model: TF Serving's gRPC API with answers, pace and failures that flags choose.

    python -m tests.doubles.model_server --listen 127.0.0.1:8500 --model and_gate=1,2 --label and_gate:canary=2

For each row `[a, b]` it answers `[a, version]`, so that whoever asked can tell whether it got its own row back, and
from which version. It writes its Counts as one JSON line on standard output at SIGUSR1 and when SIGTERM has drained it.
"""

import argparse
import asyncio
import json
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
import numpy as np

from tidegate_proto.model_status_pb2 import GetModelStatusRequest, GetModelStatusResponse, ModelVersionStatus
from tidegate_proto.prediction_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    ModelSpec,
    PredictRequest,
    PredictResponse,
)
from tidegate_proto.services import GET_MODEL_METADATA, GET_MODEL_STATUS, PREDICT, Method, register
from tidegate_proto.signature_pb2 import SignatureDef, SignatureDefMap, TensorInfo
from tidegate_proto.tensor_pb2 import DataType, TensorProto, TensorShapeProto

Context = grpc.aio.ServicerContext[Any, Any]

COLUMNS = 2
KEPT = 1000
"""How many single observations are kept of each kind."""


@dataclass
class Counts:
    """What reached the server.

    Attributes:
        calls: Calls by method.
        rows: Rows of Predict calls that were answered.
        by_version: Those rows by `model@version`.
        refused: Calls that named what is not served.
        failed: Calls that were made to fail.
        cancelled: Predict calls that the client gave up or whose time ran out.
        largest_batch: Most rows in one call.
        remaining_s: The deadline of each Predict call as it arrived; null for none.
        first_values: The first value of each row that arrived.
        last_call_at: CLOCK_MONOTONIC when the last Predict call arrived.
    """

    calls: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    by_version: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    failed: int = 0
    cancelled: int = 0
    largest_batch: int = 0
    remaining_s: list[float | None] = field(default_factory=list)
    first_values: list[float] = field(default_factory=list)
    last_call_at: float = 0.0


@dataclass(frozen=True)
class Behaviour:
    """What the flags chose.

    Attributes:
        versions: State of each version by model.
        labels: Version by model and label.
        fixed_s: Seconds that a call takes.
        row_s: Seconds that each of its rows takes on top.
        serial: Whether one call is worked on at a time, as by a model that saturates its machine.
        fail_code: What Predict fails with, while it is to fail.
        fail_calls: How many Predict calls fail.
        fail_s: For how long after the first Predict call they fail.
        hang: Whether Predict never answers.
    """

    versions: dict[str, dict[int, str]]
    labels: dict[tuple[str, str], int]
    fixed_s: float = 0.0
    row_s: float = 0.0
    serial: bool = False
    fail_code: str = ""
    fail_calls: float = 0
    fail_s: float = 0.0
    hang: bool = False


class RefusalError(Exception):
    """What TF Serving says of a model, version or label that it does not serve."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.code = code


class ModelServer:
    """The services, over a Behaviour."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.counts = Counts()
        self._turn = asyncio.Lock()
        self._first_at: float | None = None

    async def predict(self, request: PredictRequest, context: Context) -> PredictResponse:
        now = time.monotonic()
        counts, behaviour = self.counts, self.behaviour
        counts.calls["predict"] += 1
        counts.last_call_at = now
        self._first_at = self._first_at or now
        rows = _rows(request)
        counts.largest_batch = max(counts.largest_batch, len(rows))
        if len(counts.remaining_s) < KEPT:
            remaining = context.time_remaining()
            counts.remaining_s.append(None if remaining is None else round(remaining, 3))
            counts.first_values += rows[:, 0].tolist()
        if behaviour.fail_code and (counts.failed < behaviour.fail_calls or now - self._first_at < behaviour.fail_s):
            counts.failed += 1
            await context.abort(grpc.StatusCode[behaviour.fail_code], "made to fail")
        version = await self._version(request.model_spec, context)
        try:
            await self._work(len(rows))
        except asyncio.CancelledError:
            counts.cancelled += 1
            raise
        counts.rows += len(rows)
        counts.by_version[f"{request.model_spec.name}@{version}"] += len(rows)
        return _answer(request.model_spec.name, version, rows)

    async def metadata(self, request: GetModelMetadataRequest, context: Context) -> GetModelMetadataResponse:
        self.counts.calls["metadata"] += 1
        version = await self._version(request.model_spec, context)
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=-1), TensorShapeProto.Dim(size=COLUMNS)])
        info = TensorInfo(name="x:0", dtype=DataType.DT_FLOAT, tensor_shape=shape)
        signature = SignatureDef(
            inputs={"inputs": info},
            outputs={"probabilities": info},
            method_name="tensorflow/serving/predict",
        )
        response = GetModelMetadataResponse()
        _fill(response.model_spec, request.model_spec.name, version)
        packed = SignatureDefMap(signature_def={"serving_default": signature}).SerializeToString()
        response.metadata["signature_def"].type_url = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
        response.metadata["signature_def"].value = packed
        return response

    async def status(self, request: GetModelStatusRequest, context: Context) -> GetModelStatusResponse:
        self.counts.calls["status"] += 1
        spec = request.model_spec
        versions = self.behaviour.versions.get(spec.name)
        wanted = self.behaviour.labels.get((spec.name, spec.version_label)) if spec.version_label else None
        if spec.HasField("version"):
            wanted = spec.version.value
        if versions is None or (wanted is not None and wanted not in versions):
            self.counts.refused += 1
            await context.abort(grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {spec.name}")
        assert versions is not None
        return GetModelStatusResponse(
            model_version_status=[
                ModelVersionStatus(version=version, state=state)
                for version, state in versions.items()
                if wanted in {None, version}
            ]
        )

    async def _version(self, spec: ModelSpec, context: Context) -> int:
        try:
            return self._resolve(spec)
        except RefusalError as refusal:
            self.counts.refused += 1
            await context.abort(refusal.code, str(refusal))
        raise AssertionError("abort does not return")

    def _resolve(self, spec: ModelSpec) -> int:
        versions = self.behaviour.versions.get(spec.name, {})
        available = [version for version, state in versions.items() if state == "AVAILABLE"]
        if spec.HasField("version"):
            if spec.version.value in available:
                return spec.version.value
            text = f"Servable not found for request: Specific({spec.name}, {spec.version.value})"
            raise RefusalError(grpc.StatusCode.NOT_FOUND, text)
        if spec.version_label:
            labelled = self.behaviour.labels.get((spec.name, spec.version_label))
            if labelled in available:
                return labelled
            text = f"Unrecognized servable version label: {spec.version_label}"
            raise RefusalError(grpc.StatusCode.INVALID_ARGUMENT, text)
        if not available:
            raise RefusalError(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({spec.name})")
        return max(available)

    async def _work(self, rows: int) -> None:
        if self.behaviour.hang:
            await asyncio.Event().wait()
        took_s = self.behaviour.fixed_s + rows * self.behaviour.row_s
        if not self.behaviour.serial:
            await asyncio.sleep(took_s)
            return
        async with self._turn:
            await asyncio.sleep(took_s)


def _rows(request: PredictRequest) -> "np.ndarray[Any, np.dtype[np.float32]]":
    tensor = request.inputs["inputs"]
    if tensor.tensor_content:
        flat = np.frombuffer(tensor.tensor_content, "<f4")
    else:
        flat = np.array(tensor.float_val, np.float32)
    return flat.reshape(-1, COLUMNS)


def _answer(name: str, version: int, rows: "np.ndarray[Any, np.dtype[np.float32]]") -> PredictResponse:
    answers = rows.copy()
    answers[:, 1] = version
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in answers.shape])
    tensor = TensorProto(dtype=DataType.DT_FLOAT, tensor_shape=shape, float_val=answers.ravel().tolist())
    response = PredictResponse(outputs={"probabilities": tensor})
    _fill(response.model_spec, name, version)
    return response


def _fill(spec: ModelSpec, name: str, version: int) -> None:
    spec.name = name
    spec.version.value = version
    spec.signature_name = "serving_default"


def behaviour_of(arguments: list[str]) -> tuple[str, float, Behaviour]:
    """Read the flags: the address, the grace of a drain in seconds, and how to behave."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", required=True, help="host:port")
    parser.add_argument("--model", action="append", default=[], help="NAME=1,2:LOADING (AVAILABLE unless said)")
    parser.add_argument("--label", action="append", default=[], help="NAME:LABEL=VERSION")
    parser.add_argument("--fixed-ms", type=float, default=0.0)
    parser.add_argument("--row-ms", type=float, default=0.0)
    parser.add_argument("--serial", action="store_true")
    parser.add_argument("--fail", default="", help="CODE, with --fail-calls or --fail-s")
    parser.add_argument("--fail-calls", type=float, default=0)
    parser.add_argument("--fail-s", type=float, default=0.0)
    parser.add_argument("--hang", action="store_true")
    parser.add_argument("--drain-s", type=float, default=10.0)
    chosen = parser.parse_args(arguments)
    versions: dict[str, dict[int, str]] = {}
    for text in chosen.model or ["and_gate=1"]:
        name, _, listed = text.partition("=")
        pairs = (item.partition(":") for item in listed.split(","))
        versions[name] = {int(number): state or "AVAILABLE" for number, _, state in pairs}
    labels: dict[tuple[str, str], int] = {}
    for text in chosen.label:
        place, _, number = text.partition("=")
        name, _, label = place.partition(":")
        labels[name, label] = int(number)
    behaviour = Behaviour(
        versions=versions,
        labels=labels,
        fixed_s=chosen.fixed_ms / 1e3,
        row_s=chosen.row_ms / 1e3,
        serial=chosen.serial,
        fail_code=chosen.fail,
        fail_calls=chosen.fail_calls,
        fail_s=chosen.fail_s,
        hang=chosen.hang,
    )
    return chosen.listen, chosen.drain_s, behaviour


async def serve(address: str, drain_s: float, behaviour: Behaviour) -> None:
    """Answer until SIGTERM, then let calls in flight end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    model_server = ModelServer(behaviour)

    def report() -> None:
        sys.stdout.write(json.dumps(vars(model_server.counts)) + "\n")
        sys.stdout.flush()

    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, report)
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)))
    behaviours: dict[Method[Any, Any], Any] = {
        PREDICT: model_server.predict,
        GET_MODEL_METADATA: model_server.metadata,
        GET_MODEL_STATUS: model_server.status,
    }
    register(server, behaviours)
    server.add_insecure_port(address)
    await server.start()
    await stop.wait()
    await server.stop(drain_s)
    report()


if __name__ == "__main__":
    asyncio.run(serve(*behaviour_of(sys.argv[1:])))
