"""The embedded model server: real TensorFlow behind real sockets."""

import itertools
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tidegate_proto.model_status_pb2 import GetModelStatusRequest, ModelVersionStatus
from tidegate_proto.prediction_pb2 import GetModelMetadataRequest, ModelSpec, PredictRequest
from tidegate_proto.services import GET_MODEL_METADATA, GET_MODEL_STATUS, PREDICT, Method
from tidegate_proto.signature_pb2 import SignatureDefMap
from tidegate_proto.tensor_pb2 import DT_FLOAT, DT_INT32, TensorProto, TensorShapeProto

GRID = list(itertools.product(range(13), range(13)))
TUTORIAL = [(1, 1), (0, 0), (2, 0), (2, 1), (3, 0), (0, 4), (5, 6), (0, 10)]


class Client:
    """A plain client of one server."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel

    def call(self, method: Method[Any, Any], request: Any) -> Any:
        stub = self.channel.unary_unary(method.path, request.SerializeToString, method.response.FromString)
        return stub(request, timeout=20)

    def shares(self, rows: list[tuple[float, float]], **spec: Any) -> np.ndarray[Any, Any]:
        request = PredictRequest(model_spec=ModelSpec(**{"name": "and_gate"} | spec))
        request.inputs["inputs"].CopyFrom(floats(rows))
        tensor = self.call(PREDICT, request).outputs["probabilities"]
        return np.array(tensor.float_val).reshape([dim.size for dim in tensor.tensor_shape.dim])


def floats(rows: list[tuple[float, float]]) -> TensorProto:
    array = np.array(rows, "<f4").reshape(-1, 2)
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in array.shape])
    return TensorProto(dtype=DT_FLOAT, tensor_shape=shape, tensor_content=array.tobytes())


@pytest.fixture(scope="module")
def client(model_server: Any) -> Iterator[Client]:
    with grpc.insecure_channel(model_server.address) as channel:
        yield Client(channel)


def test_the_model_is_right_on_its_rows_and_on_a_grid_it_never_saw(client):
    rows = TUTORIAL + GRID + [(0, 5), (1000, 0), (1000, 1), (0.5, 0.5)]
    classes = client.shares(rows).argmax(axis=1).tolist()
    assert classes == [int(a != 0 and b != 0) for a, b in rows]
    assert classes[:8] == [1, 0, 0, 1, 0, 0, 1, 0]


@pytest.mark.parametrize("rows", [1, 2, 7, 64])
def test_any_number_of_rows_is_one_call(client, rows):
    shares = client.shares([(1, 1)] * rows)
    assert shares.shape == (rows, 2)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)


def test_typed_values_are_read_like_raw_bytes(client):
    request = PredictRequest(model_spec=ModelSpec(name="and_gate"))
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1), TensorShapeProto.Dim(size=2)])
    request.inputs["inputs"].CopyFrom(TensorProto(dtype=DT_FLOAT, tensor_shape=shape, float_val=[5, 6]))
    assert client.call(PREDICT, request).outputs["probabilities"].float_val[1] > 0.9


def test_an_answer_names_the_version_that_gave_it(client):
    request = PredictRequest(model_spec=ModelSpec(name="and_gate"))
    request.inputs["inputs"].CopyFrom(floats([(1, 1)]))
    spec = client.call(PREDICT, request).model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("and_gate", 1, "serving_default")


def test_metadata_and_status_tell_of_the_model(client):
    spec = ModelSpec(name="and_gate")
    metadata = client.call(
        GET_MODEL_METADATA, GetModelMetadataRequest(model_spec=spec, metadata_field=["signature_def"])
    )
    assert metadata.metadata["signature_def"].type_url == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    signatures = SignatureDefMap.FromString(metadata.metadata["signature_def"].value).signature_def
    signature = signatures["serving_default"]
    assert [dim.size for dim in signature.inputs["inputs"].tensor_shape.dim] == [-1, 2]
    assert [dim.size for dim in signature.outputs["probabilities"].tensor_shape.dim] == [-1, 2]
    assert signature.inputs["inputs"].dtype == signature.outputs["probabilities"].dtype == DT_FLOAT
    (status,) = client.call(GET_MODEL_STATUS, GetModelStatusRequest(model_spec=spec)).model_version_status
    assert (status.version, status.state) == (1, ModelVersionStatus.State.AVAILABLE)


def request_of(
    spec: ModelSpec | None, inputs: dict[str, TensorProto], output_filter: tuple[str, ...] = ()
) -> PredictRequest:
    request = PredictRequest(model_spec=spec, output_filter=output_filter)
    for name, tensor in inputs.items():
        request.inputs[name].CopyFrom(tensor)
    return request


def versioned(number: int) -> ModelSpec:
    spec = ModelSpec(name="and_gate")
    spec.version.value = number
    return spec


GOOD = {"inputs": floats([(1, 1)])}
AND_GATE = ModelSpec(name="and_gate")
INT_TENSOR = TensorProto(dtype=DT_INT32, tensor_shape=GOOD["inputs"].tensor_shape, int_val=[1, 1])
SHORT_TENSOR = TensorProto(dtype=DT_FLOAT, tensor_shape=GOOD["inputs"].tensor_shape, tensor_content=b"\0\0\0")
WIDE_TENSOR = TensorProto(
    dtype=DT_FLOAT,
    tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1), TensorShapeProto.Dim(size=3)]),
    float_val=[1, 2, 3],
)


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        (request_of(None, GOOD), "INVALID_ARGUMENT", "Missing ModelSpec"),
        (request_of(ModelSpec(signature_name="x"), GOOD), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        (request_of(ModelSpec(name="x"), GOOD), "NOT_FOUND", "Servable not found for request: Latest(x)"),
        (request_of(versioned(9), GOOD), "NOT_FOUND", "Servable not found for request: Specific(and_gate, 9)"),
        (
            request_of(ModelSpec(name="and_gate", version_label="beta"), GOOD),
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: beta",
        ),
        (
            request_of(ModelSpec(name="and_gate", signature_name="x"), GOOD),
            "FAILED_PRECONDITION",
            'Serving signature key "x" not found.',
        ),
        (request_of(AND_GATE, {}), "INVALID_ARGUMENT", "input size does not match signature: 0!=1"),
        (request_of(AND_GATE, {"x": GOOD["inputs"]}), "INVALID_ARGUMENT", "Signature input alias: inputs(feed name:"),
        (request_of(AND_GATE, {"inputs": SHORT_TENSOR}), "INVALID_ARGUMENT", "tensor parsing error: inputs"),
        (
            request_of(AND_GATE, {"inputs": INT_TENSOR}),
            "INVALID_ARGUMENT",
            "Expects arg[0] to be float but int32 is provided",
        ),
        (
            request_of(AND_GATE, {"inputs": WIDE_TENSOR}),
            "INVALID_ARGUMENT",
            "Matrix size-incompatible: In[0]: [1,3]",
        ),
        (request_of(AND_GATE, GOOD, ("x",)), "INVALID_ARGUMENT", "output tensor alias not found in signature"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_tf_servings_words(client, request_, code, text):
    with pytest.raises(grpc.RpcError) as caught:
        client.call(PREDICT, request_)
    assert caught.value.code() is grpc.StatusCode[code]
    assert text in str(caught.value.details())


def test_health_says_serving(client):
    stub = health_pb2_grpc.HealthStub(client.channel)
    answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=5)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("accept", ["*/*", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"])
def test_metrics_carry_tf_servings_names_whatever_a_scraper_prefers(client, model_server, accept):
    client.shares([(1, 1)])
    url = f"http://127.0.0.1:{model_server.rest_port}/monitoring/prometheus/metrics"
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept}), timeout=5) as answer:
        text = answer.read().decode()
        assert answer.headers["Content-Type"].startswith("text/plain")
    assert "# TYPE :tensorflow:serving:request_count counter\n" in text
    assert ':tensorflow:serving:request_count{model_name="and_gate",status="OK"}' in text
    assert ':tensorflow:serving:request_latency_count{model_name="and_gate",API="Predict",entrypoint="GRPC"}' in text
    assert ':tensorflow:serving:runtime_latency_count{model_name="and_gate",API="Predict",runtime="TF1"}' in text
    assert "unknown" not in {line.split("{")[0] for line in text.splitlines()}


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_new_version_replaces_the_old_one_without_a_gap_and_a_broken_one_does_not(
    start_model_server, model_folder, tmp_path
):
    base_path = tmp_path / "and_gate"
    shutil.copytree(model_folder / "and_gate", base_path)
    flags = ("--file_system_poll_wait_seconds=0.1", "--max_num_load_retries=0")
    server = start_model_server("--model_name=and_gate", f"--model_base_path={base_path}", *flags)
    with grpc.insecure_channel(server.address) as channel:
        client = Client(channel)
        seen = []

        def answers_with_two() -> bool:
            version: int = client.call(PREDICT, request_of(AND_GATE, GOOD)).model_spec.version.value
            seen.append(version)
            return version == 2

        def three_has_failed() -> bool:
            statuses = client.call(GET_MODEL_STATUS, GetModelStatusRequest(model_spec=AND_GATE)).model_version_status
            return any(
                (status.version, status.state) == (3, ModelVersionStatus.State.END) and status.status.error_message
                for status in statuses
            )

        shutil.copytree(base_path / "1", tmp_path / "copied")
        (tmp_path / "copied").rename(base_path / "2")
        until(answers_with_two)
        assert set(seen) <= {1, 2}
        (base_path / "3").mkdir()
        (base_path / "3" / "saved_model.pb").write_bytes(b"not a model")
        until(three_has_failed)
        assert answers_with_two()
    assert server.stop() == 0


def run_to_its_end(*flags: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tidegate_serving", *flags]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "give one of --model_config_file and --model_base_path"),
        (("--model_base_path=/x", "--nonsense=1"), "--nonsense: there is no such flag; --help lists them"),
        (("--model_config_file=nowhere.config",), "nowhere.config"),
    ],
)
def test_wrong_flags_end_with_what_is_wrong(flags, said):
    done = run_to_its_end(*flags)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_folder_without_a_model_ends_with_what_was_expected(tmp_path):
    done = run_to_its_end("--port=0", f"--model_base_path={tmp_path}", "--load_timeout_seconds=0.1")
    assert done.returncode == 1
    assert "expected sub-folders named 1, 2, … with a SavedModel each" in done.stderr


def test_a_broken_model_ends_the_start_when_it_is_tried_no_more(tmp_path):
    (tmp_path / "1").mkdir()
    done = run_to_its_end("--port=0", f"--model_base_path={tmp_path}", "--max_num_load_retries=0")
    assert done.returncode == 1
    assert (
        "1 servable(s) did not become available: {default: Could not find SavedModel .pb or .pbtxt at " in done.stderr
    )


def test_a_taken_port_ends_with_the_flag_that_chooses_another(model_server, model_folder):
    done = run_to_its_end(f"--port={model_server.grpc_port}", f"--model_base_path={model_folder / 'and_gate'}")
    assert done.returncode == 1
    assert f"port {model_server.grpc_port} is taken: choose another with --port=NUMBER" in done.stderr
