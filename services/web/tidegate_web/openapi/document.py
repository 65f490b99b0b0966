"""The OpenAPI 3.1 document: the paths of every model that is offered, of any other, and of the gateway."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tidegate_web.cards import ModelCard
from tidegate_web.codec.oip_v2 import DATATYPES
from tidegate_web.errors import Unauthenticated
from tidegate_web.openapi import oip_v2, rest_v1
from tidegate_web.openapi.operations import ERROR, error_responses, errors
from tidegate_web.prediction import DEFAULT_SIGNATURE, ModelMetadata

_PATH_SEGMENT = re.compile(r"[A-Za-z0-9._-]+")
"""Names that stand in a path as they are; others are only reached by the templated paths."""

AWAY = "Its signatures are not known at the moment: see the paths of any model."

DESCRIPTION = """\
A TensorFlow model behind TF Serving's REST API (`/v1`) and the Open Inference Protocol (`/v2`).

Every answer carries `X-Request-ID`: yours, if you sent one. `X-Request-Timeout` (seconds) asks for an answer sooner
than the gateway's own limit; `X-Client-ID` (or what the operator chose) keeps a client with one version while two are
served. NaN and Infinity are written as these words, as TF Serving writes them, both ways. A method that a path does not
have is answered with 405 and `Allow`.

What the schema of a body describes is accepted. JSON Schema cannot say all that is: where the sizes of several lists
hang together it spells out a few numbers of rows, and where a model takes encoded bytes, such as pictures, its
examples.
"""


@dataclass(frozen=True, slots=True)
class OfferedModel:
    """A model that is offered to people.

    Attributes:
        name: Its name.
        metadata: Its signatures; None while it is away.
        card: What else is told of it.
    """

    name: str
    metadata: ModelMetadata | None
    card: ModelCard


def make_document(models: Sequence[OfferedModel], version: str, *, secured: bool = False) -> dict[str, Any]:
    """Write the document.

    Args:
        models: What is offered.
        version: The gateway's own version.
        secured: Whether the gateway asks for bearer tokens.
    """
    document = _open_document(models, version)
    if secured:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
        for item in document["paths"].values():
            for operation in item.values():
                operation["responses"] |= errors((Unauthenticated,))
    return document


def _open_document(models: Sequence[OfferedModel], version: str) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    tags: list[dict[str, str]] = []
    for model in models:
        metadata = _carried(model.metadata) if model.metadata is not None else None
        if metadata is None or not metadata.signatures or not _PATH_SEGMENT.fullmatch(model.name):
            tags.append({"name": model.name, "description": AWAY})
            continue
        paths |= rest_v1.model_paths(model.name, metadata, model.card)
        paths |= oip_v2.model_paths(model.name, metadata, model.card)
        words = (model.card.title, model.card.description, f"Version {metadata.version} is loaded")
        tags.append({"name": model.name, "description": " ".join(f"{word.rstrip('.')}." for word in words if word)})
    paths |= rest_v1.generic_paths() | oip_v2.generic_paths() | oip_v2.server_paths()
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tidegate", "version": version, "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "tags": [
            *tags,
            {"name": "Any model", "description": "The same for every model by name, version and label."},
            {"name": "Gateway", "description": "Health, and what is served."},
        ],
        "paths": paths,
        "components": {
            "schemas": {
                "Error": ERROR,
                "PredictRequest": rest_v1.ANY_REQUEST,
                "PredictAnswer": rest_v1.ANY_ANSWER,
                "Status": rest_v1.STATUS,
                "Metadata": rest_v1.METADATA,
                "InferRequest": oip_v2.INFER_REQUEST,
                "InferAnswer": oip_v2.INFER_ANSWER,
                "ModelMetadata": oip_v2.MODEL_METADATA,
            },
            "responses": error_responses(),
        },
    }


def _carried(metadata: ModelMetadata) -> ModelMetadata:
    """Leave out the signatures whose inputs are of types that no request can carry; the default one comes first."""
    signatures = {
        name: signature
        for name, signature in sorted(metadata.signatures.items(), key=lambda item: item[0] != DEFAULT_SIGNATURE)
        if all(spec.dtype in DATATYPES for spec in signature.inputs.values())
    }
    return replace(metadata, signatures=signatures)
