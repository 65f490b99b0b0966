"""What operations share: answers, errors from the table that makes them, and the operations that only read."""

from collections.abc import Mapping
from typing import Any

from tidegate_web.errors import (
    ANSWERS,
    BackendFault,
    BadInput,
    BodyTooLarge,
    DeadlineExceeded,
    NotFound,
    Overloaded,
    TidegateError,
    Unavailable,
    Unimplemented,
    UnknownEncoding,
)
from tidegate_web.openapi.schemas import Schema, listing, record, text

READING: tuple[type[TidegateError], ...] = (
    BadInput,
    NotFound,
    BackendFault,
    Unavailable,
    DeadlineExceeded,
    Unimplemented,
)
"""What may go wrong where nothing is computed."""

PREDICTING = (*READING, BodyTooLarge, UnknownEncoding, Overloaded)
"""What may go wrong where something is."""

ERROR: Schema = record(
    {
        "error": text("What went wrong, in a sentence; on /v1 in TF Serving's words"),
        "details": record(
            {
                "code": text("A stable word for programs"),
                "request_id": text("The id under which the gateway logged the request"),
                "retryable": {"type": "boolean", "description": "Whether another try makes sense"},
                "problems": listing(
                    record({"where": text(), "expected": text(), "came": text()}),
                )
                | {"description": "What is wrong with the input, and where"},
            },
            required=["code", "request_id", "retryable"],
        ),
    }
)

REQUEST_ID = {"X-Request-ID": {"required": True, "schema": {"type": "string"}}}

OF_A_MODEL = {
    "Tidegate-Model-Version": {
        "required": True,
        "description": "The version that answered",
        "schema": {"type": "string", "pattern": r"^\d+$"},
    },
    "Server-Timing": {
        "required": True,
        "description": "Milliseconds by stage and in all",
        "schema": {"type": "string"},
    },
}


def ok(description: str, schema: Schema) -> dict[str, Any]:
    """Return the response object of a JSON answer."""
    return {"description": description, "headers": REQUEST_ID, "content": {"application/json": {"schema": schema}}}


def computed(description: str, schema: Schema) -> dict[str, Any]:
    """Return the response object of a model's answer in JSON, with the headers that tell of it."""
    response = ok(description, schema)
    response["headers"] = {**REQUEST_ID, **OF_A_MODEL}
    return response


def error_responses() -> dict[str, Any]:
    """Return the components that operations refer to, one for each kind of error."""
    return {kind.__name__: _response(kind) for kind in ANSWERS}


def _response(kind: type[TidegateError]) -> dict[str, Any]:
    answer = ANSWERS[kind]
    summary = (kind.__doc__ or "").partition("\n")[0]
    response = ok(f"`{answer.code}`: {summary}", {"$ref": "#/components/schemas/Error"})
    if answer.retry_after_s is not None:
        retry = {"required": True, "description": "Seconds to wait", "schema": {"type": "integer"}}
        response["headers"] = {**REQUEST_ID, "Retry-After": retry}
    return response


def errors(kinds: tuple[type[TidegateError], ...]) -> dict[str, Any]:
    """Return an operation's error responses by status."""
    return {
        str(ANSWERS[kind].status.value): {"$ref": f"#/components/responses/{kind.__name__}"}
        for kind in sorted(kinds, key=lambda kind: ANSWERS[kind].status)
    }


def reading(
    operation: str,
    summary: str,
    schema: Schema,
    shared: Mapping[str, Any],
    kinds: tuple[type[TidegateError], ...] = READING,
) -> dict[str, Any]:
    """Return the path item of what is only read.

    Args:
        operation: Its id.
        summary: What is answered.
        schema: The answer's schema.
        shared: Tags and parameters.
        kinds: What may go wrong.
    """
    responses = {"200": ok(summary, schema), **errors(kinds)}
    return {"get": {"operationId": operation, "summary": summary, **shared, "responses": responses}}


def json_body(schema: Schema, examples: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the request body object of JSON that must be there."""
    content = {"schema": schema, **({"examples": examples} if examples else {})}
    return {"required": True, "content": {"application/json": content}}
