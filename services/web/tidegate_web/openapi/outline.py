"""A JSON Schema as a person reads it: the JSON that it describes, with types in place of values."""

import json
from collections.abc import Mapping
from typing import Any

from tidegate_web.openapi.schemas import LIKE_THE_FIRST, Schema

_WORDS = {"string": "text", "number": "number", "integer": "whole number", "boolean": "true | false", "null": "null"}

MOST_REPEATED = 4
"""Lists of a fixed size up to this are written item by item."""

LONGEST_LINE = 48
"""Two outlines stand side by side on the page."""


def outline(schema: Schema, components: Mapping[str, Any]) -> str:
    """Write a schema's outline.

    Args:
        schema: As it stands in the document; what merely repeats another with more rows is left out.
        components: The document's `components.schemas`, to which it refers.
    """
    if "$ref" in schema:
        return outline(components[schema["$ref"].rpartition("/")[2]], components)
    if "const" in schema or "enum" in schema:
        words = schema.get("enum", [schema.get("const")])
        return " | ".join(_cut(json.dumps(word, ensure_ascii=False)) for word in words if word or word is False)
    choices = schema.get("oneOf") or schema.get("anyOf")
    if choices:
        return _choice([outline(choice, components) for choice in choices if _tells_more(choice)])
    return _typed(schema, components)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else f"{text[: LONGEST_LINE - 1]}…"


def _typed(schema: Schema, components: Mapping[str, Any]) -> str:
    kind = schema.get("type", "any")
    kind = next(word for word in kind if word != "null") if isinstance(kind, list) else kind
    if kind == "array":
        return _list(schema, components)
    if kind == "object":
        return _object(schema, components)
    return _WORDS.get(kind, "any value")


def _tells_more(choice: Schema) -> bool:
    repeats = any(
        inner.get("$comment") == LIKE_THE_FIRST for inner in (choice, *choice.get("properties", {}).values()) if inner
    )
    return not repeats and choice.get("type") != "null"


def _choice(outlines: list[str]) -> str:
    several = list(dict.fromkeys(outlines))
    joined = " | ".join(several)
    if any("\n" in one for one in several):
        return "\nor\n".join(several)
    return joined if len(joined) <= LONGEST_LINE else "\n| ".join(several)


def _list(schema: Schema, components: Mapping[str, Any]) -> str:
    if "prefixItems" in schema:
        return _bracketed([outline(item, components) for item in schema["prefixItems"]], "[]")
    item = outline(schema.get("items", {}), components)
    size = schema.get("maxItems")
    if size is None or size != schema.get("minItems"):
        return _bracketed([item, "…"], "[]")
    if size <= MOST_REPEATED:
        return _bracketed([item] * size, "[]")
    return _bracketed([item, f"… {size} in all"], "[]")


def _object(schema: Schema, components: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    members = [
        f'"{name}"{"" if name in required else "?"}: {outline(member, components)}'
        for name, member in schema.get("properties", {}).items()
        if member is not False
    ]
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        members.append(f"name: {outline(others, components)}")
    return _bracketed(members, "{}")


def _bracketed(parts: list[str], brackets: str) -> str:
    opening, closing = brackets[0], brackets[1]
    line = ", ".join(parts)
    if "\n" not in line and len(line) <= LONGEST_LINE:
        return f"{opening}{line}{closing}"
    indented = [part.replace("\n", "\n  ") for part in parts]
    return "\n".join((opening, *(f"  {part}," for part in indented[:-1]), f"  {indented[-1]}", closing))
