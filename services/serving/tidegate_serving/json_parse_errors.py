"""What TF Serving, by rapidjson, says of bytes that are no JSON object.

Source: tensorflow_serving/util/json_tensor.cc; rapidjson's error/en.h for the words.
"""

import json
import re

from tidegate_serving.errors import InvalidArgument
from tidegate_serving.json_elements import written

_BOM = b"\xef\xbb\xbf"

_WORDS = {
    "Expecting value": "Invalid value.",
    "Expecting property name enclosed in double quotes": "Missing a name for object member.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Extra data": "The document root must not be followed by other values.",
    "Unterminated string starting at": "Missing a closing quotation mark in string.",
    "Invalid control character at": "Invalid encoding in string.",
    r"Invalid \escape": "Invalid escape character in string.",
    r"Invalid \uXXXX escape": r"Incorrect hex digit after \u escape in string.",
}
"""By what the standard library says of the same."""

_COMMA = "Expecting ',' delimiter"
_IN_ARRAY = "Missing a comma or ] after an array element."
_IN_OBJECT = "Missing a comma or } after an object member."

_MAY_BE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def parsed(body: bytes) -> dict[str, object]:
    """Parse a body that must be a JSON object.

    Raises:
        InvalidArgument: It is none; the offset counts bytes.
        UnicodeError: It is not UTF-8, which TF Serving does not mind, or holds half a surrogate pair.
        RecursionError: It is nested too deeply.
    """
    if not body:
        raise InvalidArgument("JSON Parse error: The document is empty")
    text = body.removeprefix(_BOM).decode()
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        offset = len(body) - len(text[error.pos :].encode())
        raise InvalidArgument(f"JSON Parse error: {_said(error, text)} at offset: {offset}") from None
    if _MAY_BE_SURROGATE.search(text):
        json.dumps(document, ensure_ascii=False).encode()
    if not isinstance(document, dict):
        raise InvalidArgument(f"JSON Value: {written(document)} Is not object")
    return document


def _said(error: json.JSONDecodeError, text: str) -> str:
    if not text.strip():
        return "The document is empty."
    if error.msg == _COMMA:
        return _IN_ARRAY if _is_in_array(text[: error.pos]) else _IN_OBJECT
    return _WORDS.get(error.msg.partition(":")[0] if error.msg.endswith(": ") else error.msg, "Invalid value.")


def _is_in_array(before: str) -> bool:
    """Whether the innermost bracket that is open at the end is a square one."""
    closed = 0
    for character in reversed(_STRING.sub("", before)):
        if character in "]}":
            closed += 1
        elif character in "[{":
            if not closed:
                return character == "["
            closed -= 1
    return False
