"""JSON files as frozen dataclasses: strict in what they read, whole or absent in what they write."""

import os
from collections.abc import Hashable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

from pydantic import AllowInfNan, Field, JsonValue, TypeAdapter, ValidationError

from tidegate_proof.record.errors import RecordError

Real = Annotated[float, AllowInfNan(allow_inf_nan=False)]
"""A float that JSON can carry."""

Int64 = Annotated[int, Field(ge=-(2**62), le=2**62)]
"""A whole number that can be counted with in columns."""

Object = dict[str, JsonValue]
"""A JSON object whose keys are somebody else's."""

T = TypeVar("T")


@cache
def _adapter_of(kind: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast("type[Any]", kind))


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    return _adapter_of(cast("Hashable", kind))  # mypy finds no __hash__ in a bare type


def parse(text: bytes, kind: type[T], path: Path, line: int | None = None) -> T:
    """Turn JSON into a dataclass.

    Args:
        text: UTF-8.
        kind: The dataclass; its fields are all that there may be, and of exactly these types.
        path: Where the text stands, for the message.
        line: The same.

    Raises:
        RecordError: The text is no JSON, or has other fields or types.
    """
    try:
        return _adapter(kind).validate_json(text, strict=True, extra="forbid")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise RecordError(path, f"{where}: {first['msg']}, came {first['input']!r:.80}", line) from None


def text_of(value: T, *, indent: int | None = None) -> bytes:
    """Return a dataclass as JSON."""
    return _adapter(type(value)).dump_json(value, indent=indent)


def plain(value: T) -> Any:  # noqa: ANN401 JSON has no narrower type
    """Return a dataclass as the dictionaries, lists and numbers that its JSON has."""
    return _adapter(type(value)).dump_python(value, mode="json")


def read_document(path: Path, kind: type[T]) -> T:
    """Read a JSON file.

    Raises:
        RecordError: There is none, or it is not what `kind` says.
    """
    return parse(read_bytes(path), kind, path)


def read_bytes(path: Path) -> bytes:
    """Read a file.

    Raises:
        RecordError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise RecordError(path, f"expected in {path.parent}, is not there") from None
    except OSError as error:
        raise RecordError(path, f"cannot be read: {error.strerror}") from None


def write_document(path: Path, value: T) -> None:
    """Write a JSON file so that there is all of it or none, even when the machine stops.

    Raises:
        RecordError: A reader would refuse it.
        OSError: The disk is full.
    """
    text = text_of(value, indent=1) + b"\n"
    parse(text, type(value), path)
    new = path.with_name(f".{path.name}.new")
    with new.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
