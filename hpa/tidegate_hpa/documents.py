"""JSON and YAML as they are read: numbers keep their digits, and a List becomes its members."""

from __future__ import annotations

import contextlib
import json
import math
from decimal import Decimal
from typing import TYPE_CHECKING

import yaml

from .errors import InputError
from .node import Node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


if TYPE_CHECKING:
    _Base = yaml.SafeLoader
else:
    # libyaml, where it was compiled in, reads a large cluster's pods ten times faster
    _Base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):
    """YAML as Kubernetes reads it: timestamps stay strings. Numbers keep their digits."""


def _float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Decimal | float:
    number = float(loader.construct_yaml_float(node))
    return Decimal(node.value.replace("_", "")) if math.isfinite(number) and ":" not in node.value else number


_Loader.add_constructor("tag:yaml.org,2002:float", _float)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def parse(text: str, source: str) -> list[Node]:
    """Read the documents of a text, JSON or YAML.

    Args:
        text: what stands in `source`.
        source: its name, for errors.

    Raises:
        InputError: it is neither.
    """
    try:
        if text.lstrip()[:1] in {"{", "["}:
            try:
                return [Node(json.loads(text, parse_float=Decimal, parse_constant=_refuse), "")]
            except ValueError as error:
                # A flow collection of YAML looks like JSON too
                return _yaml(text, error)
        return [Node(document, "") for document in yaml.load_all(text, _Loader) if document is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{source}: expected JSON or YAML, got {_line(error)}") from None


def _yaml(text: str, first: ValueError) -> list[Node]:
    try:
        return [Node(document, "") for document in yaml.load_all(text, _Loader) if document is not None]
    except yaml.YAMLError:
        raise first from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@contextlib.contextmanager
def within(source: str) -> Iterator[None]:
    """Let an InputError say in which file it is.

    Args:
        source: the file's name.
    """
    try:
        yield
    except InputError as error:
        raise InputError(f"{source}: {error}") from None


def read(path: Path) -> str:
    """Return a file's text.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(f"{path}: expected a file that can be read: {reason}") from None


def flattened(node: Node, parent_kind: str = "") -> Iterator[tuple[str, Node]]:
    """Yield kind and node of every object in a document, those of nested lists too.

    The members of a list that `kubectl get --raw` printed have no kind of their own: the list's name tells it.

    Raises:
        InputError: a member is no object, or its kind cannot be told.
    """
    if isinstance(node.value, list):
        for index, member in enumerate(node.value):
            yield from flattened(Node(member, f"{node.path}[{index}]"), parent_kind)
        return
    if not isinstance(node.value, dict):
        raise node.unexpected("a Kubernetes object")
    kind = node.text("kind") or parent_kind
    if not kind:
        raise InputError(f"{node.place}expected a Kubernetes object with a field 'kind', found none")
    items = node.get("items")
    if kind.endswith("List") and (items is not None or kind != parent_kind):
        for member in node.members("items"):
            yield from flattened(member, kind.removesuffix("List"))
        return
    yield kind, node


def plain(value: object) -> object:
    """Return a value as the json module writes it: numbers that kept their digits become floats or integers."""
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [plain(member) for member in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
