"""The model server's REST port: TF Serving's API over the same models as gRPC's."""

import base64
import gzip
import json
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.tools import tool


@pytest.fixture(scope="module")
def ask(model_server: Any):
    def ask(path: str, body: Any = None, method: str | None = None, **headers: str) -> tuple[int, Any]:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{model_server.rest_port}{path}", data=data, method=method, headers=headers
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    return ask


GATE = "/v1/models/and_gate"


@pytest.mark.parametrize("model", [GATE, f"{GATE}/versions/1"])
@pytest.mark.parametrize(("layout", "key"), [("instances", "predictions"), ("inputs", "outputs")])
def test_rows_and_columns_are_answered_alike(ask, model, layout, key):
    status, answer = ask(f"{model}:predict", {layout: [[1, 1], [0, 5]]})
    assert status == 200
    assert [row[1] > row[0] for row in answer[key]] == [True, False]


def test_bytes_go_in_as_base64_and_the_signature_is_named_in_the_body(ask, model_folder: Path):
    card = json.loads((model_folder / "digits/1/assets.extra/tidegate.json").read_text())
    (example,) = (one for one in card["examples"] if one.get("signature") == "png")
    assert base64.b64decode(example["inputs"]["png"]["b64"])
    status, answer = ask(
        "/v1/models/digits:predict", {"signature_name": "png", "instances": [example["inputs"]["png"]]}
    )
    assert status == 200
    (shares,) = answer["predictions"]
    assert shares.index(max(shares)) == example["expected"]


def test_whole_numbers_stay_whole(ask):
    rows = [{"seed": 0, "iterations": 1}, {"seed": 2, "iterations": 100}]
    assert ask("/v1/models/work:predict", {"instances": rows}) == (200, {"predictions": [244, 48]})


def test_a_compressed_body_is_read(ask):
    body = gzip.compress(json.dumps({"instances": [[1, 1]]}).encode())
    assert ask(f"{GATE}:predict", body, **{"Content-Encoding": "gzip"})[0] == 200


def test_status_and_metadata_are_tf_servings_documents(ask):
    status, answer = ask(GATE)
    assert status == 200
    assert answer == {
        "model_version_status": [
            {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        ]
    }
    status, answer = ask(f"{GATE}/metadata")
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    assert signatures["__saved_model_init_op"]["outputs"]["__saved_model_init_op"]["dtype"] == "DT_INVALID"
    signature = signatures["serving_default"]
    assert answer["model_spec"] == {"name": "and_gate", "signature_name": "", "version": "1"}
    assert signature["inputs"]["inputs"]["dtype"] == "DT_FLOAT"
    assert signature["method_name"] == "tensorflow/serving/predict"


@pytest.mark.parametrize(
    ("path", "body", "method", "status", "text"),
    [
        ("/v1/models/nope:predict", {"instances": [1]}, None, 404, "Servable not found for request: Latest(nope)"),
        (f"{GATE}/versions/9:predict", {"instances": [[1, 1]]}, None, 404, "Servable not found for request: Specific("),
        ("/v1/models/nope", None, None, 404, "Could not find any versions of model nope"),
        (f"{GATE}:predict", {"instances": [[1, 1]], "signature_name": "x"}, None, 400, 'Serving signature name: "x"'),
        (f"{GATE}:classify", {"examples": [{"x": 1.0}]}, None, 400, "Expected classification signature outputs to"),
        (f"{GATE}:predict", b"{", None, 400, "JSON Parse error: Missing a name for object member. at offset: 1"),
        (f"{GATE}:predict", {"instances": ["a"]}, None, 400, "Failed to process element: 0 of 'instances' list"),
        (f"{GATE}:predict", b'{"instances": ["\\ud800"]}', None, 400, "The body is not JSON"),
        (f"{GATE}:predict", {"instances": [*[[1, 1]] * 200_000, 1]}, None, 400, "instances[200000]: expected"),
        (f"{GATE}:predict", {}, None, 400, "Missing 'inputs' or 'instances' key"),
        (f"{GATE}:regress", {}, None, 400, "JSON Value: {} When method is classify, key 'examples' is expected"),
        ("/v1/models/nope:predict", {}, None, 404, "Servable not found for request: Latest(nope)"),
        ("/v1/models/nope:predict", b"{", None, 400, "JSON Parse error: "),
        ("/v1/models/nope:predict", {"signature_name": 1}, None, 400, "JSON Value: {"),
        ("/v1/models/nope:classify", {}, None, 400, "JSON Value: {} When method is classify"),
        (f"{GATE}:predict", b"[" * 100_000, None, 400, "The body is not JSON"),
        (GATE, None, "DELETE", 400, "Malformed request: DELETE /v1/models/and_gate"),
        ("/v1/nothing", None, None, 400, "Malformed request: GET /v1/nothing"),
        ("/elsewhere", None, None, 404, "Malformed request: GET /elsewhere"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_has_a_text_and_the_right_status(ask, path, body, method, status, text):
    came, answer = ask(path, body, method)
    assert came == status
    assert answer.keys() == {"error"}
    assert answer["error"].startswith(text)


def test_requests_are_counted_by_model_and_code_and_timed_by_method(ask, model_server):
    """As TF Serving does: bodies that cannot be read count too, and status and metadata are of no API."""

    def page() -> list[str]:
        url = f"http://127.0.0.1:{model_server.rest_port}/monitoring/prometheus/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            text: str = answer.read().decode()
        return text.splitlines()

    def value(name: str, labels: str) -> float:
        found = [
            line for line in page() if line.startswith(f':tensorflow:serving:{name}{{model_name="and_gate",{labels}}} ')
        ]
        return float(found[0].rpartition(" ")[2]) if found else 0

    def values() -> list[float]:
        apis = [value("request_latency_count", f'API="{api}",entrypoint="REST"') for api in ("predict", "")]
        return [
            *apis,
            value("request_count", 'status="INVALID_ARGUMENT"'),
            value("request_count", 'status="NOT_FOUND"'),
        ]

    before = values()
    for path, body in ((f"{GATE}:predict", b"{"), (f"{GATE}:predict", {"instances": [[1, 1]]}), (GATE, None)):
        ask(path, body)
    ask(f"{GATE}/versions/9:predict", {"instances": [[1, 1]]})
    assert [now - then for now, then in zip(values(), before, strict=True)] == [1, 1, 1, 1]


def test_curl_gets_an_answer_as_the_tutorials_show_it(model_server):
    url = f"http://127.0.0.1:{model_server.rest_port}{GATE}:predict"
    command = [tool("curl"), "-sS", "-w", " %{http_code} %{content_type}", "-d", '{"instances": [[1.0, 1.0]]}', url]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    body, status, content_type = done.stdout.rsplit(" ", 2)
    assert json.loads(body)["predictions"][0][1] > 0.9
    assert (status, content_type) == ("200", "application/json")
