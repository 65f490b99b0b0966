"""Errors as JSON: TF Serving's `error` text, and beside it what a program or a person can act on."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus

from tidegate_web.codec.json_text import dumps
from tidegate_web.errors import ANSWERS, BadInput, TidegateError
from tidegate_web.server.exchanges import Exchange

log = logging.getLogger(__name__)

ErrorAnswer = tuple[HTTPStatus, Mapping[str, str], bytes]
"""Status, headers beyond every answer's, and body."""


def answer_error(error: TidegateError, exchange: Exchange) -> ErrorAnswer:
    """Say an error as the table has it, and note it."""
    answer = ANSWERS[type(error)]
    exchange.failure = answer.code
    details: dict[str, object] = {
        "code": answer.code,
        "request_id": exchange.request_id,
        "retryable": answer.retry_after_s is not None,
    }
    if isinstance(error, BadInput) and error.problems:
        details["problems"] = [asdict(problem) for problem in error.problems]
    headers = {} if answer.retry_after_s is None else {"Retry-After": str(answer.retry_after_s)}
    return answer.status, headers, dumps({"error": str(error), "details": details})


def answer_unexpected(error: Exception, exchange: Exchange) -> ErrorAnswer:
    """Say no more than where to find what went wrong; the log has it."""
    log.error("unexpected error", exc_info=error, extra={"request_id": exchange.request_id})
    exchange.failure = "internal"
    text = f"Something went wrong here; it is in our log as request {exchange.request_id}"
    return HTTPStatus.INTERNAL_SERVER_ERROR, {}, plain_error_body(text, "internal", exchange.request_id)


def plain_error_body(text: str, code: str, request_id: str) -> bytes:
    """Write the body of an error that is not of our tree."""
    return dumps({"error": text, "details": {"code": code, "request_id": request_id, "retryable": False}})
