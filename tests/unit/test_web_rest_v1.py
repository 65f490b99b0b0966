"""The API's promises, over a Predictor that is arithmetic."""

import asyncio
import gzip

import numpy as np
import pytest

from tidegate_web.errors import (
    BackendFault,
    DeadlineExceeded,
    Overloaded,
    TidegateError,
    Unavailable,
)

PREDICT = "/v1/models/and_gate:predict"


async def test_rows_in_give_predictions_out(start_gateway):
    gateway = await start_gateway()
    response = await gateway.client.post(PREDICT, json={"instances": [[1, 1], [0, 1]]})
    assert response.status == 200
    assert await response.json() == {"predictions": [[0.125, 0.875], [0.75, 0.25]]}


async def test_columns_in_give_outputs_out(start_gateway):
    gateway = await start_gateway()
    response = await gateway.client.post(PREDICT, json={"inputs": {"inputs": [[1, 1]]}})
    assert await response.json() == {"outputs": [[0.125, 0.875]]}


async def test_rows_may_name_their_inputs(start_gateway):
    gateway = await start_gateway()
    response = await gateway.client.post(PREDICT, json={"instances": [{"inputs": [3, 0.5]}]})
    assert await response.json() == {"predictions": [[0.125, 0.875]]}


@pytest.mark.parametrize(
    ("path", "version", "label"),
    [
        ("/v1/models/and_gate:predict", None, None),
        ("/v1/models/and_gate/versions/3:predict", 3, None),
        ("/v1/models/and_gate/labels/canary:predict", None, "canary"),
    ],
)
async def test_a_version_or_label_in_the_path_is_asked_for(start_gateway, path, version, label):
    gateway = await start_gateway()
    response = await gateway.client.post(path, json={"instances": [[1, 1]]})
    assert response.status == 200
    (prediction,) = gateway.predictor.seen
    assert (prediction.model.name, prediction.model.version, prediction.model.label) == ("and_gate", version, label)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"instances": [[1, 1', "not JSON"),
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[[1, 1]]", 'an object with "instances" or "inputs"'),
        (b"{}", 'one of "instances" (rows) and "inputs" (columns)'),
        (b'{"instances": [[1,1]], "inputs": [[1,1]]}', "came both"),
        (b'{"instances": []}', "a list of one row or more"),
        (b'{"instances": 5}', "a list of one row or more, came the number 5"),
        (b'{"instances": [[1, 1, 1]]}', "float32 [any, 2], came the shape [1, 3]"),
        (b'{"instances": [1, 1]}', "float32 [any, 2], came the shape [2]"),
        (b'{"instances": [[1, 1], [1]]}', "instances[1]: expected a list of 2, like its neighbours, came a list of 1"),
        (b'{"instances": [[1, "one"]]}', 'instances[0][1]: expected a number, came the text "one"'),
        (b'{"instances": [[1, null]]}', "instances[0][1]: expected a number, came null"),
        (b'{"instances": [[1, true]]}', "instances[0][1]: expected a number, came true"),
        (b'{"instances": [{"x": [1, 1]}]}', "instances[0]: expected an object with inputs, came x"),
        (
            b'{"instances": [[1, 1]], "signature_name": "nix"}',
            'Serving signature name: "nix" not found in signature def',
        ),
        (b'{"instances": [[1, 1]], "signature_name": 5}', "signature_name: expected a text, came the number 5"),
        (b'{"instances": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not JSON"),
        (b'{"instances": NaN' + b"[" * 100_000, "not JSON"),
        (b'{"instances": [[1, 1' + b"0" * 400 + b"]]}", "not JSON: number is infinity"),
        (b'{"instances": [[NaN, 1' + b"0" * 400 + b"]]}", "not JSON: number is infinity"),
    ],
)
async def test_bad_bodies_are_told_what_was_expected_and_what_came(start_gateway, body, said):
    gateway = await start_gateway()
    response = await gateway.client.post(PREDICT, data=body)
    assert response.status == 400
    answer = await response.json()
    assert said in answer["error"]
    assert answer["details"]["code"] == "bad_input"
    assert gateway.predictor.seen == []


async def test_a_gzipped_body_is_read(start_gateway):
    gateway = await start_gateway()
    body = gzip.compress(b'{"instances": [[1, 1]]}')
    response = await gateway.client.post(PREDICT, data=body, headers={"Content-Encoding": "gzip"})
    assert response.status == 200


async def test_a_body_that_is_not_encoded_as_it_says_is_bad_input(start_gateway):
    gateway = await start_gateway()
    response = await gateway.client.post(PREDICT, data=b'{"instances": [[1, 1]]}', headers={"Content-Encoding": "gzip"})
    assert response.status == 400
    assert "not encoded as its headers say" in (await response.json())["error"]


async def test_a_gzip_bomb_is_413(start_gateway):
    gateway = await start_gateway(max_body_mb=1)
    body = gzip.compress(b" " * 2**24)
    response = await gateway.client.post(PREDICT, data=body, headers={"Content-Encoding": "gzip"})
    assert response.status == 413


async def test_an_unknown_model_is_404_in_tf_servings_words(start_gateway):
    gateway = await start_gateway()
    response = await gateway.client.post("/v1/models/nix:predict", json={"instances": [[1, 1]]})
    assert response.status == 404
    assert (await response.json())["error"] == "Servable not found for request: Latest(nix)"


@pytest.mark.parametrize("version", [str(2**63), "9" * 5000])
async def test_a_version_that_no_int64_holds_is_refused_in_tf_servings_words(start_gateway, version):
    gateway = await start_gateway()
    response = await gateway.client.get(f"/v1/models/and_gate/versions/{version}")
    assert response.status == 400
    assert (await response.json())["error"] == f"Failed to convert version: {version[:40]} to numeric."


async def test_zeros_before_a_version_do_not_matter(start_gateway):
    gateway = await start_gateway()
    await gateway.client.post(f"/v1/models/and_gate/versions/{'0' * 30}3:predict", json={"instances": [[1, 1]]})
    assert gateway.predictor.seen[0].model.version == 3


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (Unavailable("away"), 503, "2"),
        (Overloaded("full"), 429, "1"),
        (DeadlineExceeded("late"), 504, None),
        (BackendFault("broken"), 500, None),
    ],
)
async def test_errors_answer_as_the_table_says(
    start_gateway, fake_predictor, error: TidegateError, status: int, retry_after: str | None
):
    gateway = await start_gateway(fake_predictor(error=error))
    response = await gateway.client.post(PREDICT, json={"instances": [[1, 1]]})
    assert response.status == status
    assert response.headers.get("Retry-After") == retry_after
    assert (await response.json())["error"] == str(error)


async def test_nan_and_infinity_are_literals_both_ways(start_gateway, fake_predictor):
    outputs = {"probabilities": np.array([[np.nan, 0.1], [np.inf, -np.inf]], np.float32)}
    gateway = await start_gateway(fake_predictor(outputs=outputs))
    response = await gateway.client.post(PREDICT, data=b'{"instances": [[NaN, Infinity], [-Infinity, 1]]}')
    assert await response.read() == b'{"predictions":[[NaN,0.1],[Infinity,-Infinity]]}'
    (prediction,) = gateway.predictor.seen
    np.testing.assert_array_equal(prediction.inputs["inputs"], np.array([[np.nan, np.inf], [-np.inf, 1]], np.float32))


async def test_status_and_metadata_read_as_tf_servings_do(start_gateway):
    gateway = await start_gateway()
    status = await (await gateway.client.get("/v1/models/and_gate")).json()
    assert status == {
        "model_version_status": [
            {"version": "7", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        ]
    }
    metadata = await (await gateway.client.get("/v1/models/and_gate/metadata")).json()
    signature = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert metadata["model_spec"] == {"name": "and_gate", "signature_name": "", "version": "7"}
    assert signature["inputs"]["inputs"] == {
        "dtype": "DT_FLOAT",
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}, {"size": "2", "name": ""}], "unknown_rank": False},
        "name": "serving_default_inputs:0",
    }
    assert signature["defaults"] == {}


async def test_an_answer_names_its_request_version_and_times(start_gateway):
    gateway = await start_gateway()
    response = await gateway.client.post(PREDICT, json={"instances": [[1, 1]]}, headers={"X-Request-ID": "mine-1"})
    assert response.headers["X-Request-ID"] == "mine-1"
    assert response.headers["Tidegate-Model-Version"] == "7"
    assert response.headers["Server-Timing"].startswith("queue;dur=0.")
    assert "grpc;dur=2.000" in response.headers["Server-Timing"]
    assert "Tidegate-Pod" not in response.headers


async def test_the_route_is_exposed_only_when_asked_for(start_gateway):
    gateway = await start_gateway(expose_route=True)
    sequence = []
    for _ in range(3):
        response = await gateway.client.post(PREDICT, json={"instances": [[1, 1]]})
        assert response.headers["Tidegate-Pod"] == "pod-a"
        assert response.headers["Tidegate-Backend"] == "10.0.0.9:8500"
        sequence.append(response.headers["Tidegate-Seq"])
    assert sequence == ["1", "2", "3"]


@pytest.mark.parametrize("given", ["", "x" * 129, "two\twords"])
async def test_an_unfit_request_id_is_replaced(start_gateway, given):
    gateway = await start_gateway()
    response = await gateway.client.get("/v1/models/and_gate", headers={"X-Request-ID": given})
    assert len(response.headers["X-Request-ID"]) == 32


async def test_the_clients_own_deadline_cuts_the_request_short(start_gateway, fake_predictor):
    gateway = await start_gateway(fake_predictor(held=asyncio.Event()))
    response = await gateway.client.post(PREDICT, json={"instances": [[1, 1]]}, headers={"X-Request-Timeout": "0.05"})
    assert response.status == 504


@pytest.mark.parametrize("given", ["soon", "0", "-1", "nan"])
async def test_a_deadline_that_is_none_is_refused(start_gateway, given):
    gateway = await start_gateway()
    response = await gateway.client.get("/v1/models/and_gate", headers={"X-Request-Timeout": given})
    assert response.status == 400
    assert "X-Request-Timeout: expected a number of seconds above 0" in (await response.json())["error"]


async def test_past_limit_and_queue_it_is_429_before_any_work(start_gateway, fake_predictor):
    held = asyncio.Event()
    gateway = await start_gateway(fake_predictor(held=held), max_inflight=1, max_queue=1)
    body = {"instances": [[1, 1]]}
    first = asyncio.create_task(gateway.client.post(PREDICT, json=body))
    second = asyncio.create_task(gateway.client.post(PREDICT, json=body))
    while gateway.metrics.registry.get_sample_value("tidegate_serving_pending_predictions") != 2:
        await asyncio.sleep(0.001)
    third = await gateway.client.post(PREDICT, data=b"not even JSON")
    assert third.status == 429
    assert third.headers["Retry-After"] == "1"
    held.set()
    assert [(await first).status, (await second).status] == [200, 200]
    assert gateway.metrics.registry.get_sample_value("tidegate_shed_total", {"reason": "queue_full"}) == 1
    assert gateway.metrics.registry.get_sample_value("tidegate_serving_pending_predictions") == 0


async def test_a_body_over_the_limit_is_413(start_gateway):
    gateway = await start_gateway(max_body_mb=0.001)
    response = await gateway.client.post(PREDICT, data=b" " * 2000)
    assert response.status == 413
    assert "larger than the limit of 1048 bytes" in (await response.json())["error"]


async def test_an_unexpected_error_is_500_with_the_request_id_and_nothing_else(start_gateway, fake_predictor):
    gateway = await start_gateway(fake_predictor(error=RuntimeError("secret")))
    response = await gateway.client.post(PREDICT, json={"instances": [[1, 1]]})
    assert response.status == 500
    text = await response.text()
    assert response.headers["X-Request-ID"] in text
    assert "secret" not in text
    assert "RuntimeError" not in text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nix", 404), ("DELETE", "/home", 405)],
)
async def test_paths_and_methods_that_are_not_there_are_told_so(start_gateway, method, path, status):
    gateway = await start_gateway()
    response = await gateway.client.request(method, path)
    assert response.status == status
    assert response.content_type == "application/json"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1", None),
        ("GET", "/v1/", None),
        ("PUT", "/v1/nix", None),
        ("GET", "/v1/models/", None),
        ("GET", PREDICT, "POST"),
        ("GET", "/v1/models/and_gate/versions/one", None),
        ("POST", "/v1/models/and_gate", "GET"),
        ("POST", "/v1/models/and_gate:nix", None),
        ("POST", "/v1/models/and_gate/versions/1/labels/stable:predict", None),
        ("PUT", PREDICT, "POST"),
        ("DELETE", "/v1/models/and_gate", "GET"),
        ("OPTIONS", PREDICT, "POST"),
    ],
)
async def test_what_the_api_does_not_have_is_a_malformed_request_in_tf_servings_words(
    start_gateway, method, path, allow
):
    gateway = await start_gateway()
    response = await gateway.client.request(method, path)
    assert response.status == (405 if allow else 400)
    assert response.headers.get("Allow") == allow
    assert (await response.json())["error"] == f"Malformed request: {method} {path}"


async def test_a_status_without_a_model_says_so(start_gateway):
    gateway = await start_gateway()
    response = await gateway.client.get("/v1/models")
    assert response.status == 400
    assert (await response.json())["error"] == "Missing model name in request."


async def test_metric_labels_stay_few_whatever_clients_send(start_gateway):
    gateway = await start_gateway()
    for number, method in enumerate(("PROPFIND", "MKCOL", "LOCK", "REPORT")):
        await gateway.client.get(f"/v1/models/model-{number}")
        await gateway.client.get(f"/nowhere-{number}")
        await gateway.client.request(method, "/")
    samples = [
        sample.labels
        for metric in gateway.metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "tidegate_requests_total"
    ]
    assert len(samples) == 3


async def test_connections_are_closed_at_their_age(start_gateway):
    gateway = await start_gateway(connection_max_age_s=0.01)
    first = await gateway.client.get("/v1/models/and_gate")
    assert first.headers.get("Connection") != "close"
    await asyncio.sleep(0.02)
    second = await gateway.client.get("/v1/models/and_gate")
    assert second.headers.get("Connection") == "close"
    third = await gateway.client.get("/v1/models/and_gate")
    assert third.headers.get("Connection") != "close"


async def test_a_draining_gateway_answers_and_closes_each_connection(start_gateway):
    gateway = await start_gateway()
    gateway.lifecycle.draining = True
    response = await gateway.client.post(PREDICT, json={"instances": [[1, 1]]})
    assert response.status == 200
    assert response.headers["Connection"] == "close"
