"""An error as the form's pages say it."""

import re
from collections.abc import Mapping
from http import HTTPStatus

from tidegate_web.errors import ANSWERS, TidegateError
from tidegate_web.form.choice import NAMES
from tidegate_web.form.pages import Failure

TITLES = {
    HTTPStatus.BAD_REQUEST: "This cannot be asked",
    HTTPStatus.UNAUTHORIZED: "A token is needed",
    HTTPStatus.FORBIDDEN: "Not sent from here",
    HTTPStatus.NOT_FOUND: "No such model, version or label",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Too large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "This cannot be read",
    HTTPStatus.TOO_MANY_REQUESTS: "Very busy",
    HTTPStatus.SERVICE_UNAVAILABLE: "The model server is away",
    HTTPStatus.GATEWAY_TIMEOUT: "The model took too long",
}

NODES = re.compile(r"\s*\[\[(?:\{\{[^}]*\}\}[^\[\]]*)+\]\]|\{\{(?:function_)?node [^}]*\}\}\s*")
"""Where in its graph TensorFlow found an error, as in `[[{{node Assert}}]]`: who fills in a form knows no graph."""


LONGEST_PATH = 200
"""Characters of a path that are shown."""


def lost(path: str, request_id: str) -> Failure:
    """Say that there is no such page."""
    text = f"There is nothing at {path[:LONGEST_PATH]}"
    return Failure("No such page", text, request_id, away=False, parameters={}, typed={})


def words(error: TidegateError) -> str:
    """Return an error's text for people."""
    return NODES.sub("", str(error)).strip()


def failure(error: TidegateError, request_id: str, texts: Mapping[str, str], typed: dict[str, str]) -> Failure:
    """Say an error.

    Args:
        error: What went wrong.
        request_id: For whoever reads the log.
        texts: What the page was about, among other parameters.
        typed: What was typed, to be sent again.
    """
    answer = ANSWERS[type(error)]
    return Failure(
        title=TITLES.get(answer.status, answer.status.phrase),
        text=words(error),
        request_id=request_id,
        away=answer.retry_after_s is not None,
        parameters={name: texts[name] for name in NAMES if texts.get(name)},
        typed=typed,
    )
