"""Errors as JSON: TF Serving's `error` text, and beside it what a program or a person can act on."""

from dataclasses import asdict

from tidegate_web.codec.json_text import dumps
from tidegate_web.errors import Answer, BadInput, TidegateError


def error_body(error: TidegateError, answer: Answer, request_id: str) -> bytes:
    """Write the body of an error answer."""
    details: dict[str, object] = {
        "code": answer.code,
        "request_id": request_id,
        "retryable": answer.retry_after_s is not None,
    }
    if isinstance(error, BadInput) and error.problems:
        details["problems"] = [asdict(problem) for problem in error.problems]
    return dumps({"error": str(error), "details": details})


def plain_error_body(text: str, code: str, request_id: str) -> bytes:
    """Write the body of an error that is not of our tree."""
    return dumps({"error": text, "details": {"code": code, "request_id": request_id, "retryable": False}})
