"""Classify and regress through real sockets and a real TensorFlow 1 model, held against TensorFlow's own answers."""

import base64
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from tidegate_proto.example_pb2 import Example
from tidegate_proto.inference_pb2 import (
    ClassificationRequest,
    ExampleList,
    InferenceTask,
    Input,
    MultiInferenceRequest,
    RegressionRequest,
)
from tidegate_proto.prediction_pb2 import ModelSpec
from tidegate_proto.services import CLASSIFY, MULTI_INFERENCE, REGRESS, Method

HERE = Path(__file__).parent
GATEWAY = Path(sys.executable).with_name("tidegate-web")
CHECKED = "--enable_signature_method_name_check=true"
REGRESS_METHOD = "tensorflow/serving/regress"
LABELS = ["ant", "bee", "käfer"]

# example_model.ROWS and CONTEXT as a client of the REST API writes them
ROWS = '[{"x": 1.0}, {"x": [2.5], "c": 7.0}, {"x": -3.0, "word": {"b64": "/wA="}}, {}]'
PLAIN = f'{{"examples": {ROWS}}}'
IN_CONTEXT = f'{{"context": {{"c": 5.0, "x": [10.0]}}, "examples": {ROWS}}}'


@dataclass
class Served:
    """A model of examples behind a model server and a gateway, and TensorFlow's own answers."""

    address: str
    base: str
    golden: dict[str, Any]

    def ask(self, path: str, body: str | None = None) -> tuple[int, Any]:
        request = urllib.request.Request(f"{self.base}/v1/models/beetles{path}", data=body.encode() if body else None)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())


@pytest.fixture(scope="module")
def served(start_model_server: Any, free_ports: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("beetles")
    subprocess.run([sys.executable, HERE / "example_model.py", folder], check=True, capture_output=True, timeout=120)
    golden = json.loads((folder / "golden.json").read_text())
    server = start_model_server("--model_name=beetles", f"--model_base_path={folder}", CHECKED)
    port, ops_port = free_ports(), free_ports()
    environment = os.environ | {
        "TIDEGATE_HOST": "127.0.0.1",
        "TIDEGATE_HTTP_PORT": str(port),
        "TIDEGATE_OPS_PORT": str(ops_port),
        "TIDEGATE_BACKENDS": f"static:{server.address}",
        "TIDEGATE_MODELS": "beetles",
        "TIDEGATE_DRAIN_S": "0",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([GATEWAY], env=environment, stdout=log, stderr=log)
    found = Served(server.address, f"http://127.0.0.1:{port}", golden)
    while True:
        assert process.poll() is None, (folder / "log").read_text()
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{ops_port}/readyz", timeout=5).close()
            break
        except OSError:
            continue
    yield found
    process.terminate()
    assert process.wait(timeout=20) == 0


@pytest.mark.parametrize(("body", "golden"), [(PLAIN, "plain"), (IN_CONTEXT, "in_context")])
@pytest.mark.parametrize("path", [":regress", "/versions/1:regress"])
def test_regress_answers_as_tensorflow_does(served, path, body, golden):
    status, answer = served.ask(path, body)
    assert status == 200
    assert answer == {"results": pytest.approx([value for (value,) in served.golden[golden]["values"]])}


@pytest.mark.parametrize(("body", "golden"), [(PLAIN, "plain"), (IN_CONTEXT, "in_context")])
def test_classify_answers_as_tensorflow_does(served, body, golden):
    status, answer = served.ask(":classify", body.replace("{", '{"signature_name": "classify", ', 1))
    assert status == 200
    results = answer["results"]
    assert [[label for label, _ in row] for row in results] == [LABELS] * 4
    assert [[score for _, score in row] for row in results] == [
        pytest.approx(row, rel=1e-6) for row in served.golden[golden]["scores"]
    ]


def test_a_model_may_give_scores_or_classes_alone(served):
    body = '{"signature_name": "%s", "examples": [{"x": 1.0}]}'
    _, scores = served.ask(":classify", body % "scores_only")
    assert [label for label, _ in scores["results"][0]] == ["", "", ""]
    assert [score for _, score in scores["results"][0]] == pytest.approx(served.golden["plain"]["scores"][0], rel=1e-6)
    _, classes = served.ask(":classify", body % "classes_only")
    assert classes == {"results": [[[label, 0.0] for label in LABELS]]}


def test_values_may_lie_flat(served):
    assert served.ask(":regress", '{"signature_name": "flat", "examples": [{"x": 1.0}]}') == (200, {"results": [2.5]})


def test_an_example_is_text_of_b64_for_predict(served):
    """The serialised row {"word": [b"\\xff\\x00"]} in, its word back as bytes since the output's name says so."""
    row = Example()
    row.features.feature["word"].bytes_list.value.append(b"\xff\x00")
    row.features.feature["x"].float_list.value.append(3)
    text = json.dumps({"signature_name": "predict", "instances": [{"b64": _b64(row.SerializeToString())}]})
    assert served.ask(":predict", text) == (200, {"predictions": [{"value": [3.5], "word_bytes": {"b64": "/wA="}}]})


def test_a_scalar_output_is_a_column_but_no_row(served):
    row = _b64(Example().SerializeToString())
    rows = json.dumps({"signature_name": "scalar", "instances": [{"b64": row}]})
    columns = json.dumps({"signature_name": "scalar", "inputs": [{"b64": row}]})
    assert served.ask(":predict", columns) == (200, {"outputs": 2.0})
    status, answer = served.ask(":predict", rows)
    assert (status, answer["error"]) == (400, "Tensor name: sum has no shape information ")


def test_bfloat16_is_rounded_in_and_widened_out(served):
    body = json.dumps({"signature_name": "bfloat16", "instances": [1.0, 3.14159, -0.1]})
    status, answer = served.ask(":predict", body)
    assert status == 200
    assert answer["predictions"] == [0.5, 1.5703125, -0.050048828]
    _, metadata = served.ask("/metadata")
    signature = metadata["metadata"]["signature_def"]["signature_def"]["bfloat16"]
    assert signature["inputs"]["floats"]["dtype"] == "DT_BFLOAT16"


@pytest.mark.parametrize(
    ("method", "signature", "said"),
    [
        ("classify", "nix", "No signature was found with the name: nix"),
        (
            "classify",
            "serving_default",
            f"Expected classification signature method_name to be tensorflow/serving/classify. Was: {REGRESS_METHOD}",
        ),
        (
            "regress",
            "predict",
            f"Expected regression signature method_name to be {REGRESS_METHOD}. Was: tensorflow/serving/predict",
        ),
        ("regress", "regress_of_doubles", "Expected output Tensor of DT_FLOAT.  Got: DT_DOUBLE"),
        ("regress", "regress_of_two", "Expected one output Tensor."),
        ("regress", "regress_unnamed", "No regression inputs found in SignatureDef: inputs {"),
        (
            "regress",
            "regress_of_three",
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [1,3]",
        ),
        (
            "classify",
            "classify_unnamed",
            'Expected classification signature outputs to contain at least one of "classes" or "scores". Signature was',
        ),
        ("classify", "classify_values", "Expected classes Tensor of DT_STRING. Got: DT_FLOAT"),
    ],
)
def test_what_a_signature_does_not_fit_is_refused_in_tf_servings_words(served, method, signature, said):
    body = json.dumps({"signature_name": signature, "examples": [{"x": 1.0}]})
    status, answer = served.ask(f":{method}", body)
    assert status == 400
    assert answer["error"].startswith(said)


def test_a_feature_of_another_type_is_refused_in_tensorflows_words(served):
    """Whole numbers are int64, as in TF Serving: a model that wants floats is to be sent 1.0."""
    status, answer = served.ask(":regress", '{"examples": [{"x": 1}]}')
    assert status == 400
    assert "Data types don't match" in answer["error"]


def test_an_unknown_model_is_404(served):
    status, answer = served.ask("/versions/9:regress", PLAIN)
    assert (status, answer["error"]) == (404, "Servable not found for request: Specific(beetles, 9)")
    status, answer = served.ask("/versions/9")
    assert (status, answer["error"]) == (404, "Could not find version 9 of model beetles")


@pytest.mark.parametrize(
    ("method", "request_type"), [(CLASSIFY, ClassificationRequest), (REGRESS, RegressionRequest)], ids=["c", "r"]
)
def test_requests_without_examples_or_model_are_refused(served, method, request_type):
    signature = "classify" if method is CLASSIFY else "flat"
    spec = ModelSpec(name="beetles", signature_name=signature)
    one = Input(example_list=ExampleList(examples=[Example()]))
    for request, said in (
        (request_type(model_spec=spec), "Input is empty."),
        (request_type(model_spec=spec, input=Input(example_list=ExampleList())), "Input is empty."),
        (request_type(input=one), "Missing ModelSpec"),
        (request_type(model_spec=ModelSpec(), input=one), "ModelSpec has no name specified."),
    ):
        assert _refusal(served.address, method, request) == (grpc.StatusCode.INVALID_ARGUMENT, said)


def test_the_official_client_gets_tensorflows_answers(served):
    done = subprocess.run(
        [sys.executable, HERE / "official_client.py", served.address, "beetles"],
        input=json.dumps(served.golden).encode(),
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    answers = json.loads(done.stdout)
    about = answers.pop("about")
    np.testing.assert_allclose(about["values"], served.golden["plain"]["values"], rtol=1e-6)
    assert {"serving_default", "classify", "predict"} < set(about["signatures"])
    assert about["state"] == "AVAILABLE"
    assert about["refusal"].startswith("ServerModelConfig type not supported by HandleReloadConfigRequest.")
    for name, answer in answers.items():
        np.testing.assert_allclose(answer["values"], served.golden[name]["values"], rtol=1e-6)
        np.testing.assert_allclose(answer["scores"], served.golden[name]["scores"], rtol=1e-6)
        assert answer["labels"] == [LABELS] * 4
        assert answer["specs"] == [["beetles", 1, "serving_default"], ["beetles", 1, "classify"]]
        np.testing.assert_allclose(answer["several"]["values"], served.golden[name]["values"], rtol=1e-6)
        np.testing.assert_allclose(answer["several"]["scores"], served.golden[name]["scores"], rtol=1e-6)
        assert answer["several"]["specs"] == [["beetles", 1, "classify"], ["beetles", 1, "serving_default"]]
    assert answers.keys() == {"plain", "in_context"}


def task(signature: str, method: str = REGRESS_METHOD, model: str = "beetles") -> InferenceTask:
    return InferenceTask(model_spec=ModelSpec(name=model, signature_name=signature), method_name=method)


@pytest.mark.parametrize(
    ("tasks", "code", "said"),
    [
        ([], "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        ([task(""), task("flat", model="")], "INVALID_ARGUMENT", "Found ModelSpec with an empty model name."),
        (
            [task(""), task("flat", model="other")],
            "INVALID_ARGUMENT",
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        ([task(""), task("serving_default")], "INVALID_ARGUMENT", "Duplicate evaluation of signature: serving_default"),
        ([task("nix")], "INVALID_ARGUMENT", "Requested signature not found in model graph: nix"),
        ([task("", "x")], "UNIMPLEMENTED", "Unsupported signature method_name: x"),
        ([task("", model="other")], "NOT_FOUND", "Servable not found for request: Latest(other)"),
    ],
)
def test_several_inferences_that_do_not_go_together_are_refused_in_tf_servings_words(served, tasks, code, said):
    rows = Input(example_list=ExampleList(examples=[Example()]))
    request = MultiInferenceRequest(tasks=tasks, input=rows)
    assert _refusal(served.address, MULTI_INFERENCE, request) == (grpc.StatusCode[code], said)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _refusal(address: str, method: Method[Any, Any], request: Any) -> tuple[grpc.StatusCode, str | None]:
    with grpc.insecure_channel(address) as channel:
        stub = channel.unary_unary(method.path, request.SerializeToString, method.response.FromString)
        with pytest.raises(grpc.RpcError) as refused:
            stub(request, timeout=20)
    return refused.value.code(), refused.value.details()
