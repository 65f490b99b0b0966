"""A model server's life with all that is around the calls: TLS, a socket, labels, batching, reloading, draining."""

import json
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import tensorflow as tf
from google.protobuf import text_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.tools import tool
from tidegate_proto.model_management_pb2 import ReloadConfigRequest
from tidegate_proto.model_status_pb2 import GetModelStatusRequest, ModelVersionStatus
from tidegate_proto.prediction_log_pb2 import PredictionLog
from tidegate_proto.prediction_pb2 import ModelSpec, PredictRequest
from tidegate_proto.server_config_pb2 import ModelServerConfig
from tidegate_proto.services import GET_MODEL_STATUS, HANDLE_RELOAD_CONFIG_REQUEST, PREDICT, Method
from tidegate_proto.tensor_pb2 import DT_FLOAT, DT_INT64, TensorProto, TensorShapeProto

State = ModelVersionStatus.State
SERVICES = ("", "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService")


def text_proto(models: dict[str, Path], **labels: int) -> str:
    configs = []
    for name, base_path in models.items():
        given = "".join(f'version_labels {{ key: "{label}" value: {number} }}' for label, number in labels.items())
        configs.append(
            f'config {{ name: "{name}" base_path: "{base_path}" model_platform: "tensorflow" '
            f"model_version_policy {{ all {{}} }} {given if name == 'gate' else ''} }}"
        )
    return f"model_config_list {{ {' '.join(configs)} }}"


def add(base_path: Path, number: int, model: Path) -> None:
    shutil.copytree(model, base_path / "unfinished")
    (base_path / "unfinished").rename(base_path / str(number))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@dataclass
class Served:
    """The server, where its files are, and a channel to its socket."""

    server: Any
    folder: Path
    model: Path
    channel: grpc.Channel

    @property
    def gate(self) -> Path:
        return self.folder / "gate"

    def call(self, method: Method[Any, Any], request: Any) -> Any:
        stub = self.channel.unary_unary(method.path, method.request.SerializeToString, method.response.FromString)
        return stub(request, timeout=30)

    def predict(self, rows: list[tuple[float, float]], **spec: Any) -> Any:
        request = PredictRequest(model_spec=ModelSpec(**{"name": "gate"} | spec))
        dims = [TensorShapeProto.Dim(size=len(rows)), TensorShapeProto.Dim(size=2)]
        flat = [value for row in rows for value in row]
        request.inputs["inputs"].CopyFrom(
            TensorProto(dtype=DT_FLOAT, tensor_shape=TensorShapeProto(dim=dims), float_val=flat)
        )
        return self.call(PREDICT, request)

    def version(self, **spec: Any) -> int:
        version: int = self.predict([(1, 1)], **spec).model_spec.version.value
        return version

    def states(self, name: str = "gate") -> dict[int, str]:
        answer = self.call(GET_MODEL_STATUS, GetModelStatusRequest(model_spec=ModelSpec(name=name)))
        return {status.version: State.Name(status.state) for status in answer.model_version_status}

    def health(self, service: str) -> Any:
        request = health_pb2.HealthCheckRequest(service=service)
        return health_pb2_grpc.HealthStub(self.channel).Check(request, timeout=10).status

    def reload(self, text: str) -> None:
        config = ModelServerConfig()
        text_format.Parse(text, config)
        self.call(HANDLE_RELOAD_CONFIG_REQUEST, ReloadConfigRequest(config=config))

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.server.log.read_text().splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def served(start_model_server: Any, model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("life")
    model = model_folder / "and_gate" / "1"
    (folder / "gate").mkdir()
    for number in (1, 2):
        add(folder / "gate", number, model)
    command = (
        "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost "
        "-addext subjectAltName=DNS:localhost"
    )
    subprocess.run([tool("openssl"), *command.split()], check=True, capture_output=True, cwd=folder)
    key, cert = ((folder / name).read_text() for name in ("key.pem", "cert.pem"))
    (folder / "ssl.config").write_text(f"server_key: {json.dumps(key)} server_cert: {json.dumps(cert)}")
    (folder / "batching.config").write_text("max_batch_size { value: 4 } batch_timeout_micros { value: 1000 }")
    (folder / "models.config").write_text(
        text_proto({"gate": folder / "gate", "work": model_folder / "work"}, stable=1)
    )
    socket = folder / "grpc.socket"
    server = start_model_server(
        f"--model_config_file={folder / 'models.config'}",
        "--model_config_file_poll_wait_seconds=0.1",
        "--file_system_poll_wait_seconds=0.1",
        "--allow_version_labels_for_unavailable_models",
        "--enable_batching=true",
        f"--batching_parameters_file={folder / 'batching.config'}",
        f"--ssl_config_file={folder / 'ssl.config'}",
        f"--grpc_socket_path={socket}",
        "--grpc_channel_arguments=grpc.max_connection_age_ms=600000",
        "--num_load_threads=2",
        "--max_num_load_retries=0",
    )
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        yield Served(server, folder, model, channel)


def test_the_port_speaks_tls_and_the_socket_does_not(served):
    credentials = grpc.ssl_channel_credentials((served.folder / "cert.pem").read_bytes())
    with grpc.secure_channel(f"localhost:{served.server.grpc_port}", credentials) as secure:
        assert Served(served.server, served.folder, served.model, secure).version() == 2
    with grpc.insecure_channel(served.server.address) as plain, pytest.raises(grpc.RpcError) as refused:
        Served(served.server, served.folder, served.model, plain).version()
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert served.version() == 2


def test_health_is_told_for_the_whole_and_for_each_service(served):
    assert {served.health(service) for service in SERVICES} == {health_pb2.HealthCheckResponse.SERVING}
    with pytest.raises(grpc.RpcError) as unknown:
        served.health("no.such.Service")
    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_reflection_client_calls_without_any_stubs_of_its_own(served):
    database = ProtoReflectionDescriptorDatabase(served.channel)
    assert set(SERVICES[1:]) < set(database.get_services())
    pool = DescriptorPool(database)
    method = pool.FindServiceByName("tensorflow.serving.PredictionService").FindMethodByName("Predict")
    request: Any = GetMessageClass(method.input_type)()
    request.model_spec.name = "gate"
    request.inputs["inputs"].dtype = 1
    request.inputs["inputs"].float_val.extend([5, 6])
    for size in (1, 2):
        request.inputs["inputs"].tensor_shape.dim.add(size=size)
    response = GetMessageClass(method.output_type)
    call = served.channel.unary_unary(PREDICT.path, type(request).SerializeToString, response.FromString)
    assert call(request, timeout=20).outputs["probabilities"].float_val[1] > 0.9
    assert pool.FindMessageTypeByName("tensorflow.serving.ReloadConfigRequest").fields_by_name["config"].number == 1


def test_a_flag_that_does_nothing_is_named_in_the_log(served):
    assert "accepted and not honoured: --num_load_threads" in [line["message"] for line in served.log()]


def test_calls_that_are_joined_get_their_own_rows(served):
    asked = [(float(number % 7), float(number % 5)) for number in range(60)]
    with ThreadPoolExecutor(12) as callers:
        answers = list(callers.map(lambda row: served.predict([row]), asked))
    assert [answer.outputs["probabilities"].float_val[1] > 0.5 for answer in answers] == [
        bool(first and second) for first, second in asked
    ]
    with pytest.raises(grpc.RpcError) as refused:
        served.predict([(1, 1)] * 5)
    assert refused.value.details() == "Task size 5 is larger than maximum input batch size 4"


def test_labels_name_versions_and_move_only_to_available_ones(served):
    assert (served.version(), served.version(version_label="stable")) == (2, 1)
    both = {"gate": served.gate, "work": served.model.parents[1] / "work"}
    served.reload(text_proto(both, stable=2))
    assert served.version(version_label="stable") == 2
    with pytest.raises(grpc.RpcError) as refused:
        served.reload(text_proto(both, stable=9))
    assert (refused.value.code().name, refused.value.details()) == (
        "FAILED_PRECONDITION",
        "Request to assign label to version 9 of model gate, which is not currently available for inference",
    )
    assert served.version(version_label="stable") == 2


def test_no_request_fails_while_versions_models_and_configurations_come_and_go(served):
    """A version is copied in two pieces, one is broken, a model comes by RPC and goes by the file."""
    stop = threading.Event()
    seen: list[int] = []

    def ask() -> None:
        while not stop.is_set():
            seen.append(served.version())

    with ThreadPoolExecutor(2) as callers:
        asking = [callers.submit(ask) for _ in range(2)]
        half = served.gate / "3"
        half.mkdir()
        shutil.copy(served.model / "saved_model.pb", half)
        until(lambda: served.states().get(3) == "END")
        for part in ("variables", "assets", "fingerprint.pb"):
            if (served.model / part).is_dir():
                shutil.copytree(served.model / part, half / part)
        until(lambda: served.states()[3] == "AVAILABLE")
        (served.gate / "4").mkdir()
        (served.gate / "4" / "saved_model.pb").write_bytes(b"not a model")
        until(lambda: served.states().get(4) == "END")
        served.reload(text_proto({"gate": served.gate, "more": served.gate}))
        assert served.version(name="more") == 3
        (served.folder / "models.config").write_text(text_proto({"gate": served.gate}))
        until(lambda: set(served.states("more").values()) == {"END"})
        stop.set()
        for future in asking:
            future.result(timeout=30)
    assert set(seen) == {2, 3}
    with pytest.raises(grpc.RpcError) as gone:
        served.version(name="more")
    assert gone.value.details() == "Servable not found for request: Latest(more)"


def test_a_model_that_cannot_answer_its_own_warm_up_requests_is_not_served(served):
    good, bad = PredictionLog(), PredictionLog()
    for log, name in ((good, "inputs"), (bad, "nothing")):
        dims = [TensorShapeProto.Dim(size=size) for size in (1, 2)]
        log.predict_log.request.inputs[name].CopyFrom(
            TensorProto(dtype=DT_FLOAT, tensor_shape=TensorShapeProto(dim=dims), float_val=[1, 1])
        )
    for number, log in ((10, good), (11, bad)):
        version = served.folder / "warm" / str(number)
        shutil.copytree(served.model, version)
        with tf.io.TFRecordWriter(str(version / "assets.extra" / "tf_serving_warmup_requests")) as requests:
            requests.write(log.SerializeToString())
    served.reload(text_proto({"gate": served.gate, "warm": served.folder / "warm"}))
    until(lambda: served.states("warm") == {10: "AVAILABLE", 11: "END"})


def test_sigterm_lets_calls_in_flight_finish_and_exits_0(served):
    served.reload(text_proto({"gate": served.gate, "work": served.model.parents[1] / "work"}))
    request = PredictRequest(model_spec=ModelSpec(name="work"))
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
    for name, value in (("seed", 0), ("iterations", 5000)):
        request.inputs[name].CopyFrom(TensorProto(dtype=DT_INT64, tensor_shape=shape, int64_val=[value]))
    with ThreadPoolExecutor(1) as caller:
        long = caller.submit(served.call, PREDICT, request)
        time.sleep(0.2)
        assert not long.done()
        served.server.process.send_signal(signal.SIGTERM)
        until(lambda: served.health("") == health_pb2.HealthCheckResponse.NOT_SERVING)
        assert len(long.result(timeout=30).outputs["checksum"].int64_val) == 1
    assert served.server.process.wait(timeout=30) == 0
    assert [line["message"] for line in served.log()][-2:] == ["stopping", "stopped"]
