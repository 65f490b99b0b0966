"""Bodies that are too long to be spelt out, as Python programs of a line that print them."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

EXTENSION = "x-python"
"""Member of an OpenAPI example that has no value: a Python expression, whose value as JSON is the body."""

FILE = "FILE"
"""Stands for the name of a reader's own file."""


@dataclass(frozen=True, slots=True)
class Programmed:
    """A JSON value that a Python expression tells."""

    expression: str


def repeated(shape: Sequence[int], element: object) -> str:
    """Return the expression of a nested list of one element."""
    expression = python(element)
    for size in reversed(shape):
        expression = f"[{expression}]" if size == 1 else f"[{expression}] * {size}"
    return expression


def a_file() -> Programmed:
    """Return the bytes of the reader's own file, as TF Serving takes them."""
    return Programmed(f'{{"b64": base64.b64encode(open("{FILE}", "rb").read()).decode()}}')


def python(value: object) -> str:
    """Write a JSON value, with what is programmed in it, as a Python expression."""
    match value:
        case Programmed():
            return value.expression
        case dict():
            return f"{{{', '.join(f'{python(key)}: {python(item)}' for key, item in value.items())}}}"
        case list():
            return f"[{', '.join(map(python, value))}]"
        case str():
            return json.dumps(value, ensure_ascii=False)  # a shell's single quotes go around it
    return repr(value)


def example(summary: str, body: dict[str, object], *, long: bool) -> dict[str, Any]:
    """Return an OpenAPI example of a body, which may hold programmed values where it is long."""
    if not long:
        return {"summary": summary, "value": body}
    return {
        "summary": summary,
        "description": f"Too long to be spelt out: `{EXTENSION}` is the body as a Python expression.",
        EXTENSION: python(body),
    }


def printing(expression: str) -> str:
    """Return the shell command that prints the JSON of an expression."""
    modules = "base64, json" if "base64." in expression else "json"
    return f"python3 -c {shlex.quote(f'import {modules}; print(json.dumps({expression}))')}"
