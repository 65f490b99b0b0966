"""The data path over real gRPC sockets, with model servers that answer at once: discovery, balance, retries."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest

from tidegate_proto.model_status_pb2 import GetModelStatusRequest, GetModelStatusResponse, ModelVersionStatus
from tidegate_proto.prediction_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    PredictRequest,
    PredictResponse,
)
from tidegate_proto.services import GET_MODEL_METADATA, GET_MODEL_STATUS, PREDICT, register
from tidegate_proto.signature_pb2 import SignatureDef, SignatureDefMap, TensorInfo
from tidegate_proto.tensor_pb2 import DataType, TensorProto, TensorShapeProto
from tidegate_web.errors import (
    BackendFault,
    BadInput,
    DeadlineExceeded,
    NotFound,
    Overloaded,
    Unavailable,
)
from tidegate_web.metrics import Metrics
from tidegate_web.prediction import ModelRef, Prediction
from tidegate_web.serving.backend import Backend
from tidegate_web.serving.balancer import Balancer
from tidegate_web.serving.health import State
from tidegate_web.serving.lane import Batching
from tidegate_web.serving.monitor import SOON_S, StatusMonitor
from tidegate_web.serving.predictor import ServingPredictor
from tidegate_web.serving.router import Router

Context = grpc.aio.ServicerContext[Any, Any]

AND_GATE = ModelRef("and_gate")
ROW = Prediction(AND_GATE, "serving_default", {"inputs": np.array([[1, 1]], np.float32)})


@dataclass
class StubServer:
    """A model server that answers 0.25 and 0.75 for each row, after `delay_s`, or with a gRPC error."""

    delay_s: float = 0.0
    error: tuple[grpc.StatusCode, str] | None = None
    versions: tuple[int, ...] = (3,)
    answered: int = 0
    address: str = ""
    requests: list[PredictRequest] = field(default_factory=list)
    server: grpc.aio.Server | None = None

    async def predict(self, request: PredictRequest, context: Context) -> PredictResponse:
        self.requests.append(request)
        if self.error is not None:
            await context.abort(*self.error)
        await asyncio.sleep(self.delay_s)
        self.answered += 1
        rows = request.inputs["inputs"].tensor_shape.dim[0].size
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=rows), TensorShapeProto.Dim(size=2)])
        tensor = TensorProto(dtype=DataType.DT_FLOAT, tensor_shape=shape, float_val=[0.25, 0.75] * rows)
        response = PredictResponse(outputs={"probabilities": tensor})
        response.model_spec.name = "and_gate"
        response.model_spec.version.value = 3
        return response

    async def metadata(self, _: GetModelMetadataRequest, __: Context) -> GetModelMetadataResponse:
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=-1), TensorShapeProto.Dim(size=2)])
        info = TensorInfo(name="x:0", dtype=DataType.DT_FLOAT, tensor_shape=shape)
        signatures = {
            "serving_default": SignatureDef(inputs={"inputs": info}, outputs={"probabilities": info}),
            "__saved_model_init_op": SignatureDef(),
        }
        response = GetModelMetadataResponse()
        response.model_spec.name = "and_gate"
        response.model_spec.version.value = 3
        response.metadata["signature_def"].value = SignatureDefMap(signature_def=signatures).SerializeToString()
        return response

    async def status(self, _: GetModelStatusRequest, __: Context) -> GetModelStatusResponse:
        states = {2: ModelVersionStatus.State.END} | dict.fromkeys(self.versions, ModelVersionStatus.State.AVAILABLE)
        return GetModelStatusResponse(
            model_version_status=[ModelVersionStatus(version=version, state=state) for version, state in states.items()]
        )

    async def start(self, address: str = "127.0.0.1:0") -> None:
        self.server = grpc.aio.server()
        register(
            self.server,
            {PREDICT: self.predict, GET_MODEL_METADATA: self.metadata, GET_MODEL_STATUS: self.status},
        )
        port = self.server.add_insecure_port(address)
        await self.server.start()
        self.address = f"127.0.0.1:{port}"

    async def kill(self) -> None:
        assert self.server is not None
        await self.server.stop(grace=None)


@dataclass
class Setting:
    """Some model servers, and the gateway's data path to them."""

    servers: list[StubServer]
    balancer: Balancer
    predictor: ServingPredictor
    metrics: Metrics

    def sample(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"tidegate_{name}", labels)


@contextlib.asynccontextmanager
async def setting(*servers: StubServer) -> AsyncIterator[Setting]:
    metrics = Metrics()
    clock = asyncio.get_running_loop().time
    balancer = Balancer(lambda address: Backend(address, metrics, clock), grace_s=5)
    predictor = ServingPredictor(balancer, Router(["and_gate"]), Batching(), metrics, clock)
    for server in servers:
        await server.start()
    balancer.update(server.address for server in servers)
    try:
        yield Setting(list(servers), balancer, predictor, metrics)
    finally:
        await predictor.close()
        await balancer.close()
        await asyncio.gather(*(server.kill() for server in servers))


async def test_a_prediction_goes_over_the_wire_and_back():
    async with setting(StubServer()) as here:
        outcome = await here.predictor.predict(ROW, 5)
        assert outcome.version == 3
        assert outcome.backend == here.servers[0].address
        np.testing.assert_array_equal(outcome.outputs["probabilities"], np.array([[0.25, 0.75]], np.float32))
        (request,) = here.servers[0].requests
        assert request.model_spec.name == "and_gate"
        assert request.model_spec.signature_name == "serving_default"


async def test_rows_that_do_not_agree_on_their_number_are_sent_on_and_a_refusal_says_that_they_do_not():
    inputs = {"inputs": np.zeros((2, 1), np.float32), "stars": np.zeros((1, 1), np.float32)}
    uneven = Prediction(AND_GATE, "serving_default", inputs, batchable=True)
    async with setting(StubServer()) as here:
        assert (await here.predictor.predict(uneven, 5)).version == 3
        here.servers[0].error = (
            grpc.StatusCode.INVALID_ARGUMENT,
            "ConcatOp : Dimension 0 must be equal",
        )
        with pytest.raises(BadInput) as refused:
            await here.predictor.predict(uneven, 5)
    assert str(refused.value) == "ConcatOp : Dimension 0 must be equal"
    (problem,) = refused.value.problems
    assert str(problem) == "inputs: expected the same number of rows for each input, came inputs 2, stars 1"


async def test_only_the_wanted_outputs_are_asked_for():
    async with setting(StubServer()) as here:
        await here.predictor.predict(replace(ROW, wanted=("probabilities",)), 5)
        (request,) = here.servers[0].requests
        assert list(request.output_filter) == ["probabilities"]


async def test_the_signatures_are_read_without_tensorflows_own():
    async with setting(StubServer()) as here:
        metadata = await here.predictor.metadata(AND_GATE, 5)
        assert list(metadata.signatures) == ["serving_default"]
        assert metadata.signatures["serving_default"].inputs["inputs"].shape == (None, 2)


async def test_status_lists_the_newest_version_first():
    async with setting(StubServer()) as here:
        statuses = await here.predictor.status(AND_GATE, 5)
        assert [(status.version, status.state) for status in statuses] == [(3, "AVAILABLE"), (2, "END")]


async def test_calls_spread_evenly_over_equal_backends_and_less_go_to_a_slow_one():
    async with setting(StubServer(0.005), StubServer(0.005), StubServer(0.05)) as here:

        async def client() -> None:
            for _ in range(60):
                await here.predictor.predict(ROW, 5)

        await asyncio.gather(*(client() for _ in range(8)))
        first, second, slow = (server.answered for server in here.servers)
        assert first + second + slow == 480
        assert abs(first - second) <= 0.2 * (first + second) / 2
        assert slow < min(first, second) / 2


async def test_a_killed_model_server_loses_nothing():
    async with setting(StubServer(0.002), StubServer(0.002)) as here:

        async def client() -> Counter[str]:
            answers: Counter[str] = Counter()
            for _ in range(100):
                answers[(await here.predictor.predict(ROW, 5)).backend] += 1
            return answers

        clients = [asyncio.create_task(client()) for _ in range(8)]
        await asyncio.sleep(0.05)
        await here.servers[0].kill()
        answers: Counter[str] = sum(await asyncio.gather(*clients), Counter())
        assert answers.total() == 800
        assert answers[here.servers[1].address] > 400
        assert here.sample("retries_total")


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
async def test_what_a_server_on_its_way_out_answers_is_tried_elsewhere(code):
    async with setting(StubServer(error=(code, "shutting down")), StubServer()) as here:
        leaving, staying = here.servers
        for _ in range(20):
            assert (await here.predictor.predict(ROW, 5)).backend == staying.address
        assert leaving.requests
        assert here.sample("retries_total") == len(leaving.requests)


async def test_a_server_restarted_in_place_is_used_again_soon():
    server, other = StubServer(), StubServer()
    async with setting(server, other) as here:
        await server.kill()
        for _ in range(20):
            await here.predictor.predict(ROW, 5)
        assert server.answered == 0
        await server.start(server.address)
        async with asyncio.timeout(5):
            while not server.answered:
                await here.predictor.predict(ROW, 5)
                await asyncio.sleep(0.01)


async def test_without_any_model_server_it_is_unavailable():
    async with setting() as here:
        with pytest.raises(Unavailable):
            await here.predictor.predict(ROW, 5)


async def test_with_only_dead_model_servers_it_is_unavailable_and_names_no_address():
    async with setting(StubServer()) as here:
        await here.servers[0].kill()
        with pytest.raises(Unavailable) as caught:
            await here.predictor.predict(ROW, 5)
        assert "127.0.0.1" not in str(caught.value)


async def test_a_late_answer_is_cut_off_at_the_deadline():
    async with setting(StubServer(delay_s=5)) as here:
        with pytest.raises(DeadlineExceeded):
            await here.predictor.predict(ROW, 0.05)
        assert here.sample("backend_requests_total", backend=here.servers[0].address, code="DEADLINE_EXCEEDED") == 1


async def test_a_caller_that_leaves_cancels_its_call():
    async with setting(StubServer(delay_s=5)) as here:
        task = asyncio.create_task(here.predictor.predict(ROW, 10))
        while not here.servers[0].requests:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert here.sample("backend_outstanding", backend=here.servers[0].address) == 0


@pytest.mark.parametrize(
    ("code", "text", "error", "tries"),
    [
        # In a roll-out another backend may have what this one has not: one more try
        (grpc.StatusCode.NOT_FOUND, "Servable not found for request: Latest(x)", NotFound, 2),
        (grpc.StatusCode.INVALID_ARGUMENT, "Unrecognized servable version label: x", NotFound, 2),
        (grpc.StatusCode.INVALID_ARGUMENT, "input size does not match signature: 1!=2", BadInput, 1),
        (grpc.StatusCode.FAILED_PRECONDITION, 'Serving signature key "x" not found.', BadInput, 1),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "busy", Overloaded, 1),
        (grpc.StatusCode.INTERNAL, "broken", BackendFault, 1),
    ],
)
async def test_the_model_servers_own_refusals_keep_their_words_and_are_repeated_only_where_it_may_help(
    code, text, error, tries
):
    async with setting(StubServer(error=(code, text)), StubServer(error=(code, text))) as here:
        with pytest.raises(error, match=text.split(":", maxsplit=1)[0]):
            await here.predictor.predict(ROW, 5)
        assert sum(len(server.requests) for server in here.servers) == tries


async def test_a_backend_that_left_ends_its_calls_in_peace_and_takes_its_metrics_along():
    async with setting(StubServer(delay_s=0.2), StubServer()) as here:
        slow, other = here.servers
        here.balancer.update([slow.address])
        call = asyncio.create_task(here.predictor.predict(ROW, 5))
        while not slow.requests:
            await asyncio.sleep(0.001)
        here.balancer.update([other.address])
        assert (await here.predictor.predict(ROW, 5)).backend == other.address
        assert (await call).backend == slow.address
        async with asyncio.timeout(5):
            while here.sample("backend_outstanding", backend=slow.address) is not None:
                await asyncio.sleep(0.01)
        assert here.sample("backend_requests_total", backend=slow.address, code="OK") is None


@contextlib.asynccontextmanager
async def watched(*servers: StubServer) -> AsyncIterator[Setting]:
    """The same, with every server's versions polled."""
    async with setting(*servers) as here:
        monitor = StatusMonitor(here.balancer, here.predictor.known_models, here.predictor.changed)
        running = asyncio.create_task(monitor.run())
        try:
            yield here
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.01)


async def test_only_who_has_a_version_is_asked_for_it():
    old, new = StubServer(versions=(3,)), StubServer(versions=(3, 4))
    async with watched(old, new) as here:
        await until(lambda: all(backend.models for backend in here.balancer.backends))
        for _ in range(10):
            await here.predictor.predict(replace(ROW, model=ModelRef("and_gate", version=4)), 5)
        assert (old.answered, new.answered) == (0, 10)
        old.versions = (4,)
        await until(lambda: all(backend.serves(ModelRef("and_gate", version=4)) for backend in here.balancer.backends))
        for _ in range(10):
            await here.predictor.predict(replace(ROW, model=ModelRef("and_gate", version=4)), 5)
        assert old.answered == 5


async def test_a_backend_without_the_model_gets_no_calls_for_it():
    empty, full = StubServer(versions=()), StubServer()
    async with watched(empty, full) as here:
        await until(lambda: all(backend.models for backend in here.balancer.backends))
        for _ in range(6):
            await here.predictor.predict(ROW, 5)
        assert (empty.answered, full.answered) == (0, 6)


async def test_a_backend_that_leaves_between_two_questions_about_its_status_is_no_failure(monkeypatch, caplog):
    monkeypatch.setattr("tidegate_web.serving.monitor.INTERVAL_S", 0.01)
    async with watched(StubServer()) as here:
        await until(lambda: all(backend.models for backend in here.balancer.backends))
        here.balancer.update([])
        await asyncio.sleep(2 * SOON_S)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_backend_that_fails_call_after_call_is_left_out_though_its_status_answers():
    failing, sound = StubServer(error=(grpc.StatusCode.INTERNAL, "broken")), StubServer()
    async with watched(failing, sound) as here:
        results = await asyncio.gather(*(here.predictor.predict(ROW, 5) for _ in range(1)), return_exceptions=True)
        for _ in range(30):
            results += await asyncio.gather(here.predictor.predict(ROW, 5), return_exceptions=True)
        assert sum(isinstance(result, BackendFault) for result in results) == 5
        (bad,) = [backend for backend in here.balancer.backends if backend.address == failing.address]
        assert bad.state is State.EJECTED


async def test_questions_about_a_model_do_not_excuse_failed_predictions():
    failing = StubServer(error=(grpc.StatusCode.INTERNAL, "broken"))
    async with setting(failing) as here:
        for _ in range(5):
            await asyncio.gather(here.predictor.predict(ROW, 5), return_exceptions=True)
            await here.predictor.status(AND_GATE, 5)
        (backend,) = here.balancer.backends
        assert backend.state is State.EJECTED


async def test_a_backend_that_hangs_is_left_out_though_its_callers_give_up_first():
    hanging, sound = StubServer(delay_s=60), StubServer()
    async with setting(hanging, sound) as here:
        (bad,) = [backend for backend in here.balancer.backends if backend.address == hanging.address]
        row = replace(ROW, batchable=True)
        for _ in range(5):
            await asyncio.gather(*(here.predictor.predict(row, 1.05) for _ in range(2)), return_exceptions=True)
            await asyncio.gather(*(here.predictor.predict(row, 1.05) for _ in range(2)), return_exceptions=True)
            if bad.state is State.EJECTED:
                break
        assert bad.state is State.EJECTED


async def test_waiting_predictions_go_to_a_backend_that_joins():
    slow, quick = StubServer(delay_s=30), StubServer()
    async with setting(slow) as here:
        await quick.start()
        first = asyncio.create_task(here.predictor.predict(replace(ROW, batchable=True), 60))
        await until(lambda: bool(slow.requests))
        second = asyncio.create_task(here.predictor.predict(replace(ROW, batchable=True), 60))
        await asyncio.sleep(0.05)
        here.balancer.update([slow.address, quick.address])
        here.predictor.changed()
        assert (await asyncio.wait_for(second, 5)).backend == quick.address
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await quick.kill()
