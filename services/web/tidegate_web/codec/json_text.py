"""JSON with TF Serving's literal NaN and Infinity: orjson where it can, the standard library where it cannot."""

import gc
import json
import math
import re
from collections.abc import Callable, Container, Mapping

import orjson

from tidegate_web.errors import BadInput, Problem

Pairs = list[tuple[str, object]]

_BOM = b"\xef\xbb\xbf"
_LITERALS = (b"NaN", b"Infinity")
_MAY_BE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
LARGE = 2**18
"""Bytes of a body for which the garbage collector is in the way."""

_QUOTES_OF_ONE_NAME = 2
_LONGEST_64_BIT = len(str(-(2**63)))


def loads(body: bytes) -> object:
    """Parse a JSON text; a byte order mark before it is skipped, as TF Serving does.

    Raises:
        BadInput: It is not JSON, nested too deeply, or holds a number that no double holds.
    """
    body = body.removeprefix(_BOM)
    try:
        return orjson.loads(body) if len(body) < LARGE else _loads_large(body)
    except orjson.JSONDecodeError as error:
        if any(literal in body for literal in _LITERALS):
            return _loads_with_literals(body)
        raise BadInput(f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None


def _loads_large(body: bytes) -> object:
    """Parse without the cyclic garbage collector: JSON has no cycles, and walking millions of lists takes seconds."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        return orjson.loads(body)
    finally:
        if enabled:
            gc.enable()


def _loads_with_literals(body: bytes, object_pairs_hook: Callable[[Pairs], object] | None = None) -> object:
    """Parse by the standard library, as orjson does but for the literals that it does not know."""
    try:
        value = json.loads(body.decode(), parse_int=_whole, parse_float=_decimal, object_pairs_hook=object_pairs_hook)
        if _MAY_BE_SURROGATE.search(body):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeError:
        raise BadInput("The body is not JSON: it is not UTF-8, or holds half a surrogate pair") from None
    except json.JSONDecodeError as error:
        raise BadInput(f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except OverflowError:
        raise BadInput("The body is not JSON: number is infinity when parsed as double") from None
    except RecursionError:
        raise BadInput("The body is not JSON that can be read: nested too deeply") from None
    return value


def _whole(text: str) -> float:
    """Read a whole number; what 64 bits do not hold is a float, as in orjson and TF Serving."""
    if len(text) <= _LONGEST_64_BIT and -(2**63) <= (number := int(text)) < 2**64:
        return number
    return _decimal(text)


def _decimal(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise OverflowError
    return number


def refuse_repeated(body: bytes, document: Container[str], expected: Mapping[str, int]) -> None:
    """Refuse a body that gives a member of some object twice, where one of the names shows that it may.

    The names are looked for as text, which is quick; only a body that holds one more often than expected is parsed
    again, slowly, to tell members of one object from those of several.

    Args:
        body: A JSON text.
        document: The object that `loads` has read from it.
        expected: How often each name stands there for a good reason.

    Raises:
        BadInput: A member is given twice; which one.
    """
    if body.count(b'"') <= _QUOTES_OF_ONE_NAME:
        return
    for name, times in expected.items():
        if name in document and body.count(b'"%b"' % name.encode()) > times:
            _loads_with_literals(body.removeprefix(_BOM), _members)


def _members(pairs: Pairs) -> object:
    members: dict[str, object] = {}
    for name, value in pairs:
        if name in members:
            raise BadInput(problems=(Problem(name[:60], "each member of an object once", "the same name again"),))
        members[name] = value
    return members


def dumps(value: object, *, finite: bool = True) -> bytes:
    """Write a JSON text; `finite=False` writes NaN and infinities as literals, by a slower path.

    Numpy arrays are allowed where `finite`; lists otherwise.
    """
    if finite:
        return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
