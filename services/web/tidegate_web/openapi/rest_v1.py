"""The operations of TF Serving's REST API: of a model whose signatures are known, and of any model."""

from collections.abc import Mapping
from typing import Any

from tidegate_web.cards import ModelCard
from tidegate_web.openapi.examples import example_of
from tidegate_web.openapi.operations import PREDICTING, computed, errors, json_body, reading
from tidegate_web.openapi.schemas import (
    BYTES,
    Schema,
    columns_of,
    listing,
    record,
    rows_of,
    takes_rows,
    text,
)
from tidegate_web.prediction import DEFAULT_SIGNATURE, ModelMetadata, Signature

MODEL = {
    "name": "model",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[^/:]+$"},
    "description": "The model's name",
}
VERSION = {
    "name": "version",
    "in": "path",
    "required": True,
    "schema": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
    "description": "The version's number",
}
LABEL = {
    "name": "label",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[^/:]+$"},
    "description": "A label that an operator gave to a version",
}
_CHOICES: tuple[tuple[str, str, list[dict[str, Any]]], ...] = (
    ("", "", []),
    ("/versions/{version}", "_version", [VERSION]),
    ("/labels/{label}", "_label", [LABEL]),
)

STATUS = record(
    {
        "model_version_status": listing(
            record(
                {
                    "version": text(),
                    "state": text("START, LOADING, AVAILABLE, UNLOADING or END"),
                    "status": record({"error_code": text(), "error_message": text()}),
                }
            )
        )
    }
)
_TENSOR_INFO = record(
    {
        "dtype": text("TensorFlow's name of the type, such as DT_FLOAT"),
        "tensor_shape": record(
            {"dim": listing(record({"size": text(), "name": text()})), "unknown_rank": {"type": "boolean"}}
        ),
        "name": text(),
    }
)
_TENSOR_INFOS = {"type": "object", "additionalProperties": _TENSOR_INFO}
METADATA = record(
    {
        "model_spec": record({"name": text(), "signature_name": text(), "version": text()}),
        "metadata": record(
            {
                "signature_def": record(
                    {
                        "signature_def": {
                            "type": "object",
                            "additionalProperties": record(
                                {
                                    "inputs": _TENSOR_INFOS,
                                    "outputs": _TENSOR_INFOS,
                                    "method_name": text(),
                                    "defaults": {"type": "object", "additionalProperties": {"type": "object"}},
                                }
                            ),
                        }
                    }
                )
            }
        ),
    }
)

_METADATA: Schema = {"$ref": "#/components/schemas/Metadata"}
_STATUS: Schema = {"$ref": "#/components/schemas/Status"}

ANY_REQUEST: Schema = {
    "oneOf": [
        record({"instances": listing({}, least=1), "inputs": False, "signature_name": text()}, ["instances"]),
        record(
            {
                "inputs": {"description": "A value, or an object by name"},
                "instances": False,
                "signature_name": text(),
            },
            ["inputs"],
        ),
    ]
}
ANY_ANSWER: Schema = {"oneOf": [record({"predictions": listing({})}), record({"outputs": {}})]}


def generic_paths() -> dict[str, Any]:
    """Return the paths of any model, by version and label too."""
    paths: dict[str, Any] = {}
    for choice, suffix, parameters in _CHOICES:
        base = f"/v1/models/{{model}}{choice}"
        shared = {"tags": ["Any model"], "parameters": [MODEL, *parameters]}
        paths[f"{base}:predict"] = {
            "post": {
                "operationId": f"v1_predict{suffix}",
                "summary": "Predict",
                **shared,
                "requestBody": json_body({"$ref": "#/components/schemas/PredictRequest"}),
                "responses": {
                    "200": computed("The predictions", {"$ref": "#/components/schemas/PredictAnswer"}),
                    **errors(PREDICTING),
                },
            }
        }
        paths[f"{base}/metadata"] = reading(f"v1_metadata{suffix}", "Signatures", _METADATA, shared)
        paths[base] = reading(f"v1_status{suffix}", "State of its versions", _STATUS, shared)
    return paths


def model_paths(name: str, metadata: ModelMetadata, card: ModelCard) -> dict[str, Any]:
    """Return the paths of a model that is loaded."""
    shared = {"tags": [name]}
    base = f"/v1/models/{name}"
    paths = {
        f"{base}:predict": {
            "post": {
                "operationId": f"v1_predict.{name}",
                "summary": "Predict, in TF Serving's JSON",
                "description": "By rows (`instances`) or by columns (`inputs`); the answer comes in the same layout.",
                **shared,
                "requestBody": json_body(predict_request(metadata, card), _examples(metadata, card)),
                "responses": {"200": computed("The predictions", predict_answer(metadata)), **errors(PREDICTING)},
            }
        }
    }
    for method in ("classify", "regress"):
        signatures = [key for key, signature in metadata.signatures.items() if signature.method.endswith(f"/{method}")]
        if signatures:
            paths[f"{base}:{method}"] = {"post": _over_examples(name, method, signatures, shared)}
    paths[f"{base}/metadata"] = reading(f"v1_metadata.{name}", "Signatures", _METADATA, shared)
    paths[base] = reading(f"v1_status.{name}", "State of its versions", _STATUS, shared)
    return paths


def signature_choice(name: str, *words: object) -> tuple[Schema, list[str]]:
    """Return the schema of a signature's name, and whether it must be given: the default one need not."""
    if name == DEFAULT_SIGNATURE:
        return {"enum": [name, "", *words]}, []
    return {"const": name}, ["signature_name"]


def predict_request(metadata: ModelMetadata, card: ModelCard) -> Schema:
    """Return the schema of a body of `:predict`: of each signature, in either layout."""
    return {"oneOf": [form for key, signature in metadata.signatures.items() for form in _forms(key, signature, card)]}


def _forms(name: str, signature: Signature, card: ModelCard) -> list[Schema]:
    choice, required = signature_choice(name)
    example = example_of(name, signature, card)
    forms: list[Schema] = []
    if _by_rows(signature):
        rows = {"const": example.rows()} if example.opaque else _any(rows_of(signature.inputs, bounded=True))
        forms.append(record({"instances": rows, "inputs": False, "signature_name": choice}, ["instances", *required]))
    columns = {"enum": [example.columns(), []]} if example.opaque else _any(columns_of(signature.inputs, bounded=True))
    forms.append(record({"inputs": columns, "instances": False, "signature_name": choice}, ["inputs", *required]))
    return forms


def _by_rows(signature: Signature) -> bool:
    return takes_rows(signature.inputs) and takes_rows(signature.outputs)


def _any(schemas: list[Schema]) -> Schema:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def predict_answer(metadata: ModelMetadata) -> Schema:
    """Return the schema of an answer of `:predict`: of each signature, in either layout."""
    forms: list[Schema] = []
    for signature in metadata.signatures.values():
        if takes_rows(signature.outputs):
            forms.append(record({"predictions": _any(rows_of(signature.outputs, bounded=False))}))
        forms.append(record({"outputs": _any(columns_of(signature.outputs, bounded=False))}))
    return _any(forms)


def _examples(metadata: ModelMetadata, card: ModelCard) -> dict[str, Any]:
    examples: dict[str, Any] = {}
    for name, signature in metadata.signatures.items():
        example = example_of(name, signature, card)
        chosen = {} if name == DEFAULT_SIGNATURE else {"signature_name": name}
        if _by_rows(signature):
            examples[f"{name}.rows"] = {
                "summary": f"By rows: {example.label}",
                "value": {**chosen, "instances": example.rows()},
            }
        examples[f"{name}.columns"] = {
            "summary": f"By columns: {example.label}",
            "value": {**chosen, "inputs": example.columns()},
        }
    return examples


def _over_examples(name: str, method: str, signatures: list[str], shared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the operation of classify or regress, whose rows are tf.Examples: features by name."""
    feature = {"anyOf": [{"type": "number"}, BYTES, listing({"anyOf": [{"type": "number"}, BYTES]})]}
    features: Schema = {"type": "object", "additionalProperties": feature}
    required = ["examples"] if DEFAULT_SIGNATURE in signatures else ["examples", "signature_name"]
    request = record(
        {"examples": listing(features, least=1), "context": features, "signature_name": {"enum": signatures}}, required
    )
    result = {"type": "number"} if method == "regress" else listing({"type": "array"})
    answer = computed("A result for each example", record({"results": listing(result)}))
    return {
        "operationId": f"v1_{method}.{name}",
        "summary": f"{method.capitalize()}, in TF Serving's JSON",
        **shared,
        "requestBody": json_body(request),
        "responses": {"200": answer, **errors(PREDICTING)},
    }
