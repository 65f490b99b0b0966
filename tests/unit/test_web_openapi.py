"""The gateway's description of itself is valid, true and readable."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
from typing import Any

import jsonschema_rs
import numpy as np
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tidegate_web.cards import CardExample, ModelCard
from tidegate_web.errors import ANSWERS, Unavailable
from tidegate_web.openapi.document import OfferedModel, make_document
from tidegate_web.openapi.examples import example_of
from tidegate_web.openapi.outline import outline
from tidegate_web.openapi.page import groups
from tidegate_web.prediction import ModelMetadata, Outcome, Signature, TensorSpec

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


def spec(dtype: Any, *shape: int | None) -> TensorSpec:
    return TensorSpec(np.dtype(dtype), shape, "DT_ANY")


SIGNATURES = {
    "one": Signature({"x": spec(np.float32, None, 2)}, {"y": spec(np.float32, None, 2)}),
    "two": Signature(
        {"a": spec(np.int64, None), "b": spec(np.float16, None, 3)}, {"y": spec(np.int8, None), "z": spec(bool, None)}
    ),
    "text": Signature({"png": spec(object, None)}, {"classes": spec(object, None, None)}),
    "scalar": Signature({"rows": spec(np.float64, None, 4), "times": spec(np.int32)}, {"y": spec(np.uint8)}),
    "fixed": Signature({"x": spec(np.uint16, 2, 2)}, {"y": spec(np.uint32, 2)}),
    "any": Signature({"x": TensorSpec(np.dtype(np.float32), None, "DT_ANY")}, {"y": spec(np.float32, None)}),
}


def document_of(signatures: dict[str, Signature], card: ModelCard | None = None) -> dict[str, Any]:
    metadata = ModelMetadata("m", 3, signatures)
    return make_document([OfferedModel("m", metadata, card or ModelCard())], "9.9")


def bodies(document: dict[str, Any], path: str) -> tuple[dict[str, Any], list[Any]]:
    content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    return content["schema"], [example["value"] for example in content["examples"].values()]


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_document_is_openapi_whatever_the_signature(name):
    OpenAPIV31SpecValidator(json.loads(json.dumps(document_of({name: SIGNATURES[name]})))).validate()


@pytest.mark.parametrize("default", [True, False])
@pytest.mark.parametrize("name", SIGNATURES)
async def test_every_example_fits_its_schema_and_is_answered(name, default, start_gateway, fake_predictor):
    signature = SIGNATURES[name]
    key = "serving_default" if default else name
    signatures = {key: signature}
    document = document_of(signatures)
    predictor = fake_predictor(signature=signature)

    async def metadata(_model, _timeout_s):
        return ModelMetadata("m", 3, signatures)

    async def predict(_prediction, _timeout_s):
        outputs = {
            name: np.full([2 if size is None else size for size in spec.shape or ()], b"\xff", object)
            if spec.dtype.kind == "O"
            else np.ones([2 if size is None else size for size in spec.shape or ()], spec.dtype)
            for name, spec in signature.outputs.items()
        }
        return Outcome(outputs, version=3)

    predictor.metadata, predictor.predict = metadata, predict
    gateway = await start_gateway(predictor)
    for path in ("/v1/models/m:predict", "/v2/models/m/infer"):
        schema, examples = bodies(document, path)
        assert examples
        for body in examples:
            jsonschema_rs.Draft202012Validator(schema).validate(body)
            response = await gateway.client.post(path, json=body)
            assert response.status == 200, await response.text()
            promised = document["paths"][path]["post"]["responses"]["200"]
            assert promised["headers"].keys() == {"X-Request-ID", "Tidegate-Model-Version", "Server-Timing"}
            assert promised["headers"].keys() <= response.headers.keys()
            answer = promised["content"]["application/json"]["schema"]
            whole = {**answer, "components": document["components"]}
            jsonschema_rs.Draft202012Validator(whole).validate(await response.json())


@pytest.mark.parametrize(
    ("path", "body", "fits"),
    [
        ("/v1/models/m:predict", {"instances": [[1, 2], [3, 4]]}, True),
        ("/v1/models/m:predict", {"instances": [{"x": [1, 2]}]}, True),
        ("/v1/models/m:predict", {"inputs": {"x": [[1, 2]]}, "signature_name": ""}, True),
        ("/v1/models/m:predict", {"instances": [[1, 2]], "inputs": [[1, 2]]}, False),
        ("/v1/models/m:predict", {"instances": []}, False),
        ("/v1/models/m:predict", {"instances": [[1, 2], {"x": [1, 2]}]}, False),
        ("/v1/models/m:predict", {"instances": [[1, 2, 3]]}, False),
        ("/v1/models/m:predict", {"instances": [[1, 3.5e38]]}, False),
        ("/v1/models/m:predict", {"instances": [[1, 2]], "signature_name": "nix"}, False),
        ("/v2/models/m/infer", {"inputs": []}, False),
        (
            "/v2/models/m/infer",
            {"inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 2], "data": [[1, 2], [3, 4]]}]},
            True,
        ),
        ("/v2/models/m/infer", {"inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 2], "data": [1]}]}, False),
        ("/v2/models/m/infer", {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1, 2], "data": [1, 2]}]}, False),
    ],
)
def test_a_schema_tells_what_fits(path, body, fits):
    schema, _ = bodies(document_of({"serving_default": SIGNATURES["one"]}), path)
    assert jsonschema_rs.Draft202012Validator(schema).is_valid(body) == fits


def test_a_signature_that_is_not_the_default_must_be_named():
    schema, _ = bodies(document_of({"other": SIGNATURES["one"]}), "/v1/models/m:predict")
    validator = jsonschema_rs.Draft202012Validator(schema)
    assert validator.is_valid({"instances": [[1, 2]], "signature_name": "other"})
    assert not validator.is_valid({"instances": [[1, 2]]})


def test_classify_and_regress_are_told_only_where_a_signature_has_them():
    old = Signature(
        {"inputs": spec(object, None)}, {"scores": spec(np.float32, None, 2)}, "tensorflow/serving/classify"
    )
    paths = document_of({"serving_default": old})["paths"]
    assert "/v1/models/m:classify" in paths
    assert "/v1/models/m:regress" not in paths


def test_a_signature_of_a_type_that_no_request_carries_is_left_out():
    odd = Signature({"x": TensorSpec(np.dtype(np.void), (None,), "DT_COMPLEX64")}, {"y": spec(np.float32, None)})
    assert "/v1/models/m:predict" not in document_of({"odd": odd})["paths"]
    _, examples = bodies(document_of({"odd": odd, "serving_default": SIGNATURES["one"]}), "/v1/models/m:predict")
    assert all("signature_name" not in body for body in examples)


def test_the_cards_example_is_given_where_it_fits_the_signature():
    fitting = CardExample({"x": [5, 0]}, label="on and off")
    card = ModelCard(title="Gate", examples=(CardExample({"x": ["no"]}), CardExample({"w": [1]}), fitting))
    example = example_of("serving_default", SIGNATURES["one"], card)
    assert (example.label, example.rows()) == ("on and off", [[5, 0]])
    assert example_of("serving_default", SIGNATURES["one"], ModelCard()).rows() == [[0, 0]]
    assert document_of({"serving_default": SIGNATURES["one"]}, card)["tags"][0]["description"].startswith("Gate. ")


def test_encoded_bytes_are_spelt_out_as_the_cards_example_has_them():
    picture = CardExample({"png": {"b64": "iVBORw0KGgo="}})
    signatures = {"serving_default": SIGNATURES["text"]}
    schema, examples = bodies(document_of(signatures, ModelCard(examples=(picture,))), "/v1/models/m:predict")
    validator = jsonschema_rs.Draft202012Validator(schema)
    assert examples[0] == {"instances": [{"b64": "iVBORw0KGgo="}]}
    assert validator.is_valid(examples[0])
    assert not validator.is_valid({"instances": ["no picture"]})
    schema, _ = bodies(document_of(signatures), "/v1/models/m:predict")
    assert jsonschema_rs.Draft202012Validator(schema).is_valid({"instances": ["any text"]})


PICTURE = Signature({"image": spec(np.float32, None, 96, 96, 3)}, {"y": spec(np.float32, None, 1000)})
LONG = {
    "a picture": (PICTURE, ModelCard()),
    "a picture of the card's": (
        PICTURE,
        ModelCard(examples=(CardExample({"image": np.ones((96, 96, 3)).tolist()}),)),
    ),
    "several inputs": (
        Signature(
            {"flag": spec(bool, None, 300), "note": spec(object, None), "x": spec(np.int8, None, 1, 2)},
            {"y": spec(np.float32, None)},
        ),
        ModelCard(),
    ),
    "many rows": (Signature({"a": spec(np.int8, 999), "b": spec(object, 999)}, {"y": spec(np.int8, 999)}), ModelCard()),
    "a file": (SIGNATURES["text"], ModelCard(examples=(CardExample({"png": {"b64": "iVBORw0K" * 9999}}),))),
}


@pytest.mark.parametrize("name", LONG)
async def test_a_long_example_is_a_short_command_that_runs_when_copied(name, start_gateway, fake_predictor, tmp_path):
    signature, card = LONG[name]
    document = document_of({"serving_default": signature}, card)
    OpenAPIV31SpecValidator(json.loads(json.dumps(document))).validate()
    assert len(json.dumps(document)) < 60_000
    (tmp_path / "FILE").write_bytes(b"\x89PNG")
    predictor = fake_predictor(signature=signature, outputs={"y": np.zeros(1, np.float32)})
    gateway = await start_gateway(predictor)
    url = str(gateway.client.make_url("/")).rstrip("/")
    shown = next(group for group in groups(document, url) if group.name == "m").operations
    commands = [attempt.curl for operation in shown for attempt in operation.tries if attempt.body is None]
    assert len(commands) == 3
    for command in commands:
        assert len(command) < 600
        printing, _, sending = command.partition(" | ")
        run = await asyncio.create_subprocess_shell(printing, cwd=tmp_path, stdout=PIPE)
        body, _ = await run.communicate()
        path = "/v1/models/and_gate:predict" if "/v1/" in sending else "/v2/models/and_gate/infer"
        response = await gateway.client.post(path, data=body, headers={"Content-Type": "application/json"})
        assert response.status == 200, await response.text()
        assert predictor.seen
        sent = predictor.seen.pop().inputs
        assert all(signature.inputs[key].accepts(array.shape) for key, array in sent.items())
    assert all("-d @-" in command for command in commands)


def test_the_default_signature_comes_first_and_the_others_are_named():
    document = document_of({"serve": SIGNATURES["one"], "serving_default": SIGNATURES["one"]})
    examples = document["paths"]["/v1/models/m:predict"]["post"]["requestBody"]["content"]["application/json"][
        "examples"
    ]
    first, *_, last = examples.values()
    assert (first["summary"], first["value"]) == ("By rows: zeros", {"instances": [[0, 0]]})
    assert last["summary"] == "Signature serve, by columns: zeros"
    assert last["value"]["signature_name"] == "serve"


def test_tokens_are_told_of_where_the_gateway_asks_for_them():
    document = make_document([], "9.9", secured=True)
    OpenAPIV31SpecValidator(document).validate()
    assert document["security"] == [{"token": []}]
    assert all("401" in operation["responses"] for item in document["paths"].values() for operation in item.values())
    assert "security" not in make_document([], "9.9")


def test_every_error_of_the_table_has_its_response():
    responses = document_of(SIGNATURES)["components"]["responses"]
    assert responses.keys() == {kind.__name__ for kind in ANSWERS}
    assert all(
        ("Retry-After" in responses[k.__name__]["headers"]) == (a.retry_after_s is not None) for k, a in ANSWERS.items()
    )


def test_an_outline_reads_as_the_json_that_it_stands_for():
    document = document_of({"serving_default": SIGNATURES["one"]})
    schema, _ = bodies(document, "/v2/models/m/infer")
    text = outline(schema, document["components"]["schemas"])
    assert '"shape": [1, 2]' in text
    assert '"shape": [2, 2]' not in text
    assert outline(document["components"]["schemas"]["Status"], {}).startswith('{\n  "model_version_status": [')


async def test_the_document_follows_the_models(start_gateway, fake_predictor):
    gateway = await start_gateway()
    document = await (await gateway.client.get("/openapi.json")).json()
    assert "/v1/models/and_gate:predict" in document["paths"]
    gateway.predictor.signature = SIGNATURES["text"]
    document = await (await gateway.client.get("/openapi.json")).json()
    assert "b64" in json.dumps(document["paths"]["/v1/models/and_gate:predict"])
    gateway = await start_gateway(fake_predictor(error=Unavailable("away")))
    response = await gateway.client.get("/openapi.json")
    document = await response.json()
    assert response.status == 200
    assert "/v1/models/{model}:predict" in document["paths"]
    assert "/v1/models/and_gate:predict" not in document["paths"]


async def test_the_page_shows_every_path_and_trusts_nobody(start_gateway):
    gateway = await start_gateway()
    document = await (await gateway.client.get("/openapi.json")).json()
    response = await gateway.client.get("/docs", headers={"Host": "<script>'$(x)"})
    page = await response.text()
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
    assert all(f'<code class="path">{path}</code>' in page for path in document["paths"])
    assert "<script>'" not in page
    assert page.index('class="command"') < page.index("JSON Schema")
    assert "&#39;http://&lt;script&gt;&#39;&#34;&#39;&#34;&#39;$(x)" in page
    for asset, kind in (("docs.css", "text/css"), ("docs.js", "text/javascript")):
        response = await gateway.client.get(f"/assets/{asset}")
        assert (response.status, response.content_type) == (200, kind)
        assert f'"/assets/{asset}"' in page


async def test_schemathesis_finds_nothing(start_gateway, tmp_path):
    gateway = await start_gateway()
    url = str(gateway.client.make_url("/openapi.json"))
    command = [str(SCHEMATHESIS), "run", url, "--max-examples=5", "--seed=1", "--no-color"]
    run = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, stdout=PIPE, stderr=STDOUT)
    said, _ = await asyncio.wait_for(run.communicate(), 120)
    assert run.returncode == 0, said.decode()[-5000:]
