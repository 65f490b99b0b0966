"""JSON with TF Serving's literal NaN and Infinity: orjson where it can, the standard library where it cannot."""

import json

import orjson

from tidegate_web.errors import BadInput

_LITERALS = (b"NaN", b"Infinity")


def loads(body: bytes) -> object:
    """Parse a JSON text.

    Raises:
        BadInput: It is not JSON, or nested too deeply.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if any(literal in body for literal in _LITERALS):
            return _loads_with_literals(body)
        raise BadInput(f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None


def _loads_with_literals(body: bytes) -> object:
    try:
        value: object = json.loads(body)
        if b"\\ud" in body.lower():
            # Half of a surrogate pair is no text, and orjson refuses it too: it could not even be shown in an error
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError:
        raise BadInput("The body is not JSON: it is not UTF-8") from None
    except UnicodeEncodeError:
        raise BadInput("The body is not JSON: half of a surrogate pair in a string") from None
    except json.JSONDecodeError as error:
        raise BadInput(f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except (RecursionError, ValueError):
        raise BadInput("The body is not JSON that can be read: nested too deeply, or a number too long") from None
    return value


def dumps(value: object, *, finite: bool = True) -> bytes:
    """Write a JSON text; `finite=False` writes NaN and infinities as literals, by a slower path.

    Numpy arrays are allowed where `finite`; lists otherwise.
    """
    if finite:
        return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
