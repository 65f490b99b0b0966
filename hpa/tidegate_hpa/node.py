"""Parts of a JSON or YAML document that know where they stand, so that an error can say it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, TypeGuard, TypeVar

from . import quantity, timestamps
from .errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self


T = TypeVar("T")
R = TypeVar("R")


def kind_of(value: object) -> str:
    """Return what a JSON value is, for an error."""
    names = {dict: "an object", list: "a list", bool: "a boolean", type(None): "null"}
    return names.get(type(value), str(value) if isinstance(value, Decimal) else repr(value))


def _is_number(value: object) -> TypeGuard[int | float | Decimal]:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True)
class Node:
    """One value of a document and its path. null and absent are the same."""

    value: object
    path: str

    @property
    def place(self) -> str:
        """Where an error begins: the path and a colon; nothing for a document as a whole."""
        return f"{self.path}: " if self.path else ""

    def get(self, key: str) -> Self | None:
        """Return the member `key`; None if it is absent or null."""
        member = self.mapping().get(key)
        return None if member is None else type(self)(member, f"{self.path}.{key}" if self.path else key)

    def at(self, *keys: str) -> Self | None:
        """Return what lies at the end of `keys`; None if one of them is absent or null."""
        here: Self | None = self
        for key in keys:
            if here is None:
                return None
            here = here.get(key)
        return here

    def required(self, key: str) -> Self:
        """Return the member `key`.

        Raises:
            InputError: it is absent.
        """
        member = self.get(key)
        if member is None:
            raise InputError(f"{self.place}expected a field {key!r}, found none")
        return member

    def mapping(self) -> dict[str, object]:
        """Return the object itself."""
        if not isinstance(self.value, dict):
            raise self.unexpected("an object")
        return self.value

    def members(self, key: str) -> list[Self]:
        """Return the elements of the list `key`; none if it is absent or null."""
        node = self.get(key)
        if node is None:
            return []
        if not isinstance(node.value, list):
            raise node.unexpected("a list")
        return [type(self)(member, f"{node.path}[{index}]") for index, member in enumerate(node.value)]

    def text(self, key: str, default: str = "") -> str:
        """Return the string `key`."""
        node = self.get(key)
        if node is None:
            return default
        if not isinstance(node.value, str):
            raise node.unexpected("a string")
        return node.value

    def texts(self, key: str) -> dict[str, str]:
        """Return the map of strings `key`; empty if it is absent or null."""
        node = self.get(key)
        if node is None:
            return {}
        return {name: node.text(name) for name in node.mapping()}

    def integer(self, key: str) -> int | None:
        """Return the integer `key`."""
        node = self.get(key)
        if node is None:
            return None
        value = node.value
        if not _is_number(value) or value != int(value):
            raise node.unexpected("an integer")
        return int(value)

    def number(self, key: str) -> int | float | None:
        """Return the number `key`."""
        node = self.get(key)
        if node is None:
            return None
        if not _is_number(node.value):
            raise node.unexpected("a number")
        return float(node.value) if isinstance(node.value, Decimal) else node.value

    def boolean(self, key: str) -> bool | None:
        """Return the boolean `key`."""
        node = self.get(key)
        if node is None:
            return None
        if not isinstance(node.value, bool):
            raise node.unexpected("true or false")
        return node.value

    def quantity(self, key: str) -> quantity.Quantity | None:
        """Return the quantity `key`."""
        node = self.get(key)
        return None if node is None else node.parsed(quantity.parse, node.value)

    def timestamp(self, key: str) -> int | None:
        """Return the timestamp `key`, nanoseconds since 1970."""
        text = self.text(key)
        return self.required(key).parsed(timestamps.parse_timestamp, text) if text else None

    def duration(self, key: str) -> int | None:
        """Return the Go duration `key`, nanoseconds."""
        text = self.text(key)
        return self.required(key).parsed(timestamps.parse_duration, text) if text else None

    def parsed(self, parser: Callable[[T], R], value: T) -> R:
        """Return what a parser makes of a value; its error says the path."""
        try:
            return parser(value)
        except InputError as error:
            raise InputError(f"{self.path}: {error}") from None

    def unexpected(self, expected: str) -> InputError:
        """Return the error for a value that is not what was expected."""
        return InputError(f"{self.place}expected {expected}, got {kind_of(self.value)}")
