"""The Open Inference Protocol's promises, over a Predictor that is arithmetic."""

import asyncio
import gzip
import zlib

import numpy as np
import pytest

from tidegate_web.errors import NotFound, Unavailable
from tidegate_web.prediction import ModelRef, VersionStatus

INFER = "/v2/models/and_gate/infer"
ROWS = {"name": "inputs", "datatype": "FP32", "shape": [2, 2], "data": [1, 5, 0, 5]}
BODY = {"id": "mine", "inputs": [ROWS]}


async def test_infer_answers_with_name_version_id_and_flat_data(start_gateway):
    gateway = await start_gateway()
    response = await gateway.client.post(INFER, json=BODY)
    assert response.status == 200
    assert await response.json() == {
        "id": "mine",
        "model_name": "and_gate",
        "model_version": "7",
        "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [2, 2], "data": [0.125, 0.875, 0.75, 0.25]}],
    }
    assert response.headers["Tidegate-Model-Version"] == "7"


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v2/models/and_gate/infer", ModelRef("and_gate")),
        ("/v2/models/and_gate/versions/7/infer", ModelRef("and_gate", version=7)),
        ("/v2/models/and_gate/versions/stable/infer", ModelRef("and_gate", label="stable")),
    ],
)
async def test_the_path_names_model_version_or_label(start_gateway, path, model):
    gateway = await start_gateway()
    response = await gateway.client.post(path, json={**BODY, "outputs": [{"name": "probabilities"}]})
    assert response.status == 200
    (prediction,) = gateway.predictor.seen
    assert (prediction.model, prediction.batchable, prediction.wanted) == (model, True, ("probabilities",))


async def test_not_a_number_goes_both_ways_as_a_literal(start_gateway, fake_predictor):
    gateway = await start_gateway(fake_predictor(outputs={"probabilities": np.array([np.nan, 0.1], np.float32)}))
    response = await gateway.client.post(
        INFER, data=b'{"inputs": [{"name": "inputs", "datatype": "FP32", "shape": [1, 2], "data": [NaN, -Infinity]}]}'
    )
    assert b'"data":[NaN,0.1]' in await response.read()
    (prediction,) = gateway.predictor.seen
    np.testing.assert_array_equal(prediction.inputs["inputs"], np.array([[np.nan, -np.inf]], np.float32))


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", INFER, b"{", 400, "The body is not JSON"),
        ("POST", INFER, b'{"inputs": []}', 400, "inputs: expected tensors named inputs, came none"),
        ("POST", "/v2/models/nix/infer", b'{"inputs": []}', 404, "Servable not found"),
        ("GET", "/v2/models/nix", None, 404, "Servable not found"),
        ("GET", "/v2/models/and_gate/versions/99999999999999999999", None, 404, "Specific(and_gate, 9999"),
        ("POST", "/v2/repository/index", b"[]", 400, "body: expected an object"),
        ("GET", INFER, None, 405, "Method Not Allowed"),
        ("POST", "/v2/models/and_gate/load", b"", 404, "Malformed request"),
    ],
)
async def test_errors_are_in_the_protocols_words(start_gateway, method, path, body, status, said):
    gateway = await start_gateway()
    response = await gateway.client.request(method, path, data=body)
    assert response.status == status
    assert said in (await response.json())["error"]


async def test_an_unknown_signature_is_told_with_those_that_are_there(start_gateway):
    gateway = await start_gateway()
    response = await gateway.client.post(INFER, json={**BODY, "parameters": {"signature_name": "nix"}})
    assert response.status == 400
    assert "one of ['serving_default']" in (await response.json())["details"]["problems"][0]["expected"]


async def test_the_clients_time_out_in_microseconds_is_kept(start_gateway, fake_predictor):
    gateway = await start_gateway(fake_predictor())
    seen: list[float] = []

    async def predict(prediction, timeout_s):
        seen.append(timeout_s)
        return await fake_predictor().predict(prediction, timeout_s)

    gateway.predictor.predict = predict
    await gateway.client.post(INFER, json={**BODY, "parameters": {"timeout": 250_000, "priority": 1}})
    await gateway.client.post(INFER, json={**BODY, "parameters": {"timeout": 0}})
    assert seen[0] == pytest.approx(0.25, abs=0.1)
    assert seen[1] > 5


async def test_a_full_queue_turns_infer_away_before_its_body_is_read(start_gateway, fake_predictor):
    held = asyncio.Event()
    gateway = await start_gateway(fake_predictor(held=held), max_inflight=1, max_queue=0)
    first = asyncio.create_task(gateway.client.post(INFER, json=BODY))
    while gateway.metrics.registry.get_sample_value("tidegate_serving_pending_predictions") != 2:
        await asyncio.sleep(0.001)
    assert (await gateway.client.post(INFER, data=b"not even JSON")).status == 429
    held.set()
    assert (await first).status == 200


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip", "gzip"), ("deflate", "deflate"), ("gzip;q=0, deflate", "deflate"), ("br", None), ("gzip;q=0.0", None)],
)
async def test_a_long_answer_is_compressed_as_the_client_takes_it(start_gateway, fake_predictor, accepted, coding):
    outputs = {"probabilities": np.zeros((500, 2), np.float32)}
    gateway = await start_gateway(fake_predictor(outputs=outputs))
    response = await gateway.client.post(INFER, json=BODY, headers={"Accept-Encoding": accepted})
    assert response.headers.get("Content-Encoding") == coding
    assert len((await response.json())["outputs"][0]["data"]) == 1000


@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_compressed_body_is_read(start_gateway, coding, compress):
    body = b'{"inputs": [{"name": "inputs", "datatype": "FP32", "shape": [1, 2], "data": [1, 1]}]}'
    gateway = await start_gateway()
    response = await gateway.client.post(INFER, data=compress(body), headers={"Content-Encoding": coding})
    assert response.status == 200


async def test_a_short_answer_is_not_compressed(start_gateway):
    gateway = await start_gateway()
    response = await gateway.client.post(INFER, json=BODY, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in response.headers


async def test_health_tells_of_the_gateway(start_gateway):
    gateway = await start_gateway()
    assert (await gateway.client.get("/v2/health/live")).status == 200
    assert (await gateway.client.get("/v2/health/ready")).status == 200
    gateway.lifecycle.draining = True
    assert (await gateway.client.get("/v2/health/live")).status == 200
    response = await gateway.client.get("/v2/health/ready")
    assert response.status == 503
    assert (await response.json())["error"] == "The gateway is not ready: draining"


async def test_metadata_reads_as_the_protocol_has_it(start_gateway):
    gateway = await start_gateway()
    server = await (await gateway.client.get("/v2")).json()
    assert (server["name"], server["extensions"]) == ("tidegate", ["binary_tensor_data"])
    assert await (await gateway.client.get("/v2/models/and_gate")).json() == {
        "name": "and_gate",
        "versions": ["7"],
        "platform": "tensorflow_savedmodel",
        "inputs": [{"name": "inputs", "datatype": "FP32", "shape": [-1, 2]}],
        "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}],
        "parameters": {"signature_names": ["serving_default"]},
    }


async def test_a_model_is_ready_while_a_version_is_available(start_gateway, fake_predictor):
    gateway = await start_gateway()
    assert (await gateway.client.get("/v2/models/and_gate/ready")).status == 200
    assert (await gateway.client.get("/v2/models/nix/ready")).status == 404

    async def loading(_model, _timeout_s):
        return [VersionStatus(8, "LOADING"), VersionStatus(7, "END")]

    gateway.predictor.status = loading
    assert (await gateway.client.get("/v2/models/and_gate/versions/8/ready")).status == 503
    gateway = await start_gateway(fake_predictor(error=Unavailable("away")))
    assert (await gateway.client.get("/v2/models/and_gate/ready")).status == 503


async def test_the_index_lists_every_version_of_every_model(start_gateway):
    gateway = await start_gateway()

    async def status(model, _timeout_s):
        if model.name == "gone":
            raise NotFound("Servable not found")
        return [VersionStatus(8, "LOADING"), VersionStatus(7, "AVAILABLE")]

    gateway.predictor.status = status
    gateway.predictor.models = lambda: ["and_gate", "gone"]
    ready = {"name": "and_gate", "version": "7", "state": "READY", "reason": ""}
    assert await (await gateway.client.post("/v2/repository/index")).json() == [
        {"name": "and_gate", "version": "8", "state": "LOADING", "reason": ""},
        ready,
        {"name": "gone", "version": "", "state": "UNAVAILABLE", "reason": "Servable not found"},
    ]
    assert await (await gateway.client.post("/v2/repository/index", json={"ready": True})).json() == [ready]
