"""The operations of the Open Inference Protocol: of a model whose signatures are known, of any model, and health."""

from collections.abc import Mapping
from typing import Any

from tidegate_web.cards import ModelCard
from tidegate_web.codec.oip_request import LARGEST_COUNT
from tidegate_web.codec.oip_v2 import DATATYPES
from tidegate_web.errors import (
    BackendFault,
    BadInput,
    BodyTooLarge,
    DeadlineExceeded,
    TidegateError,
    Unavailable,
    Unimplemented,
    UnknownEncoding,
)
from tidegate_web.openapi import programs
from tidegate_web.openapi.examples import example_of
from tidegate_web.openapi.operations import PREDICTING, computed, errors, json_body, ok, reading
from tidegate_web.openapi.rest_v1 import signature_choice
from tidegate_web.openapi.schemas import BYTES, Schema, infer_tensors, listing, record, text
from tidegate_web.prediction import DEFAULT_SIGNATURE, ModelMetadata, Signature

MODEL = {
    "name": "model",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[^/]+$"},
    "description": "The model's name",
}
VERSION = {
    "name": "version",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[^/]+$"},
    "description": "A version's number, or a label that an operator gave to one",
}
_CHOICES: tuple[tuple[str, str, list[dict[str, Any]]], ...] = (
    ("", "", []),
    ("/versions/{version}", "_version", [VERSION]),
)

_DATATYPE: Schema = {"enum": list(DATATYPES.values())}
_SIZES = listing({"type": "integer"})
_ELEMENT: Schema = {"anyOf": [{"type": "number"}, {"type": "boolean"}, BYTES]}
_FLAG: Schema = {"type": ["boolean", "null"]}

INFER_REQUEST = record(
    {
        "id": {"type": ["string", "null"], "description": "Repeated in the answer"},
        "parameters": {
            "type": ["object", "null"],
            "properties": {"signature_name": {"type": ["string", "null"]}, "binary_data_output": _FLAG},
        },
        "inputs": listing(
            record(
                {
                    "name": text(),
                    "datatype": _DATATYPE,
                    "shape": listing({"type": "integer", "minimum": 0, "maximum": LARGEST_COUNT}),
                    "data": {"type": "array", "description": "Row-major, flat or nested"},
                }
            )
        ),
        "outputs": {"type": ["array", "null"], "items": record({"name": text()})},
    },
    ["inputs"],
)
INFER_ANSWER = record(
    {
        "id": text(),
        "model_name": text(),
        "model_version": text(),
        "outputs": listing(
            record(
                {
                    "name": text(),
                    "datatype": _DATATYPE,
                    "shape": _SIZES,
                    "data": listing(_ELEMENT) | {"description": "Row-major and flat"},
                    "parameters": record({"binary_data_size": {"type": "integer"}}),
                },
                ["name", "datatype", "shape"],
            )
        ),
    },
    ["model_name", "model_version", "outputs"],
)
_TENSORS = listing(record({"name": text(), "datatype": _DATATYPE, "shape": _SIZES}))
MODEL_METADATA = record(
    {
        "name": text(),
        "versions": listing(text()),
        "platform": text(),
        "inputs": _TENSORS,
        "outputs": _TENSORS,
        "parameters": record({"signature_names": listing(text())}),
    }
)
_INDEX = listing(record({"name": text(), "version": text(), "state": text(), "reason": text()}))

_GATEWAY = {"tags": ["Gateway"]}
_ALWAYS: tuple[type[TidegateError], ...] = (BadInput, BackendFault, DeadlineExceeded)
"""What may go wrong on every path: X-Request-Timeout may be wrong, or too short, and the gateway may have a fault."""

INFER_DESCRIPTION = (
    "`data` is flat or nested, row-major, with as many elements as `shape` says; the schema spells out a few numbers "
    "of rows, and any other goes as well. `parameters.signature_name` chooses a signature. Tensors may also travel as "
    "raw bytes behind the JSON (the binary tensor data extension, header `Inference-Header-Content-Length`): a Triton "
    "client's default. `parameters.timeout` is the time that the request may take, in microseconds."
)


def server_paths() -> dict[str, Any]:
    """Return the paths of the gateway itself."""
    extensions = record({"name": text(), "version": text(), "extensions": listing(text())})
    return {
        "/v2/health/live": reading(
            "v2_live", "Whether the gateway lives", record({"live": {"const": True}}), _GATEWAY, _ALWAYS
        ),
        "/v2/health/ready": reading(
            "v2_ready",
            "Whether the gateway takes requests",
            record({"ready": {"const": True}}),
            _GATEWAY,
            (*_ALWAYS, Unavailable),
        ),
        "/v2": reading("v2_server", "The gateway's name, version and extensions", extensions, _GATEWAY, _ALWAYS),
        "/v2/repository/index": {
            "post": {
                "operationId": "v2_index",
                "summary": "Every version of every model that is offered",
                **_GATEWAY,
                "requestBody": {
                    "content": {"application/json": {"schema": record({"ready": _FLAG}, [])}},
                    "description": "`ready` leaves out what is not; the body may be missing.",
                },
                "responses": {
                    "200": ok("The versions", _INDEX),
                    **errors((*_ALWAYS, BodyTooLarge, UnknownEncoding, Unavailable, Unimplemented)),
                },
            }
        },
    }


def generic_paths() -> dict[str, Any]:
    """Return the paths of any model, by version and label too."""
    paths: dict[str, Any] = {}
    for choice, suffix, parameters in _CHOICES:
        shared = {"tags": ["Any model"], "parameters": [MODEL, *parameters]}
        paths |= _paths(f"/v2/models/{{model}}{choice}", suffix, shared, {"$ref": "#/components/schemas/InferRequest"})
    return paths


def model_paths(name: str, metadata: ModelMetadata, card: ModelCard) -> dict[str, Any]:
    """Return the paths of a model that is loaded."""
    shared = {"tags": [name]}
    examples = {key: _example(key, signature, card) for key, signature in metadata.signatures.items()}
    return _paths(f"/v2/models/{name}", f".{name}", shared, infer_request(metadata, card), examples)


def _paths(
    base: str, suffix: str, shared: Mapping[str, Any], request: Schema, examples: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    ready = record({"name": text(), "ready": {"const": True}})
    answer = computed("The outputs", {"$ref": "#/components/schemas/InferAnswer"})
    answer["content"]["application/octet-stream"] = {"schema": {}}
    return {
        f"{base}/infer": {
            "post": {
                "operationId": f"v2_infer{suffix}",
                "summary": "Infer, in the Open Inference Protocol",
                "description": INFER_DESCRIPTION,
                **shared,
                "requestBody": json_body(request, examples),
                "responses": {"200": answer, **errors(PREDICTING)},
            }
        },
        f"{base}/ready": reading(f"v2_model_ready{suffix}", "Whether it answers", ready, shared),
        base: reading(
            f"v2_metadata{suffix}", "Inputs and outputs", {"$ref": "#/components/schemas/ModelMetadata"}, shared
        ),
    }


def infer_request(metadata: ModelMetadata, card: ModelCard) -> Schema:
    """Return the schema of an infer request: of each signature, for the numbers of rows that are spelt out."""
    return {
        "anyOf": [
            _request(name, signature, tensors)
            for name, signature in metadata.signatures.items()
            for tensors in _inputs(name, signature, card)
        ]
    }


def _inputs(name: str, signature: Signature, card: ModelCard) -> list[Schema]:
    example = example_of(name, signature, card)
    return [{"const": example.tensors()}] if example.pinned else infer_tensors(signature)


def _request(name: str, signature: Signature, tensors: Schema) -> Schema:
    choice, required = signature_choice(name, None)
    parameters = record({"signature_name": choice, "binary_data_output": _FLAG}, required)
    if not required:
        parameters["type"] = ["object", "null"]
    return record(
        {
            "id": {"type": ["string", "null"], "description": "Repeated in the answer"},
            "parameters": parameters,
            "inputs": tensors,
            "outputs": _outputs(signature),
        },
        ["inputs", *(["parameters"] if required else [])],
    )


def _outputs(signature: Signature) -> Schema:
    """Return the schema of what is asked for: one output and how, or several, each once."""
    name: Schema = {"enum": list(signature.outputs)}
    how: Schema = {"type": ["object", "null"], "properties": {"binary_data": _FLAG}}
    one = listing(record({"name": name, "parameters": how}, ["name"])) | {"maxItems": 1}
    several = listing(record({"name": name}, additionalProperties=False)) | {"uniqueItems": True}
    return {"anyOf": [{"type": "null"}, one, *([several] if len(signature.outputs) > 1 else [])]}


def _example(name: str, signature: Signature, card: ModelCard) -> dict[str, Any]:
    tried = example_of(name, signature, card)
    chosen = {} if name == DEFAULT_SIGNATURE else {"parameters": {"signature_name": name}}
    summary = tried.label if name == DEFAULT_SIGNATURE else f"Signature {name}: {tried.label}"
    return programs.example(summary, {"inputs": tried.tensors(), **chosen}, long=tried.long)
