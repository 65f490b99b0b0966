"""Label selectors: the string form of a Scale and the object form of a workload.

Source: k8s.io/apimachinery v0.35.0, pkg/labels/selector.go and pkg/apis/meta/v1/helpers.go (LabelSelectorAsSelector).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from .label_validation import is_label_key, is_label_value
from .machine import MAX_INT64, MIN_INT64

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .node import Node

Operator = Literal["in", "notin", "=", "==", "!=", "exists", "!", "gt", "lt"]

_TOKEN: Final = re.compile(r"\s*(==|!=|[=!,()<>]|[^\s=!,()<>]+)")
_SYMBOLS: Final = frozenset({"==", "!=", "=", "!", ",", "(", ")", "<", ">"})
_INTEGER: Final = re.compile(r"[+-]?\d+", flags=re.ASCII)
_OBJECT_OPERATORS: Final[Mapping[str, Operator]] = {
    "In": "in",
    "NotIn": "notin",
    "Exists": "exists",
    "DoesNotExist": "!",
}


_TEXT_OPERATORS: Final[Mapping[str, Operator]] = {
    "in": "in",
    "notin": "notin",
    "=": "=",
    "==": "==",
    "!=": "!=",
    "<": "lt",
    ">": "gt",
}


class SelectorError(Exception):
    """A selector that Kubernetes does not understand, in its words."""


@dataclass(frozen=True)
class Requirement:
    """One condition on one label."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels fulfil the condition (Requirement.Matches)."""
        value = labels.get(self.key)
        match self.operator:
            case "in" | "=" | "==":
                return value is not None and value in self.values
            case "notin" | "!=":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
        if value is None or not _INTEGER.fullmatch(value):
            return False
        bound = int(self.values[0])
        return int(value) > bound if self.operator == "gt" else int(value) < bound

    def __str__(self) -> str:
        match self.operator:
            case "in" | "notin":
                return f"{self.key} {self.operator} ({','.join(sorted(self.values))})"
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
        return f"{self.key}{ {'gt': '>', 'lt': '<'}.get(self.operator, self.operator) }{self.values[0]}"


@dataclass(frozen=True)
class Selector:
    """Conditions that all have to hold. None at all select everything."""

    requirements: tuple[Requirement, ...]

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels fulfil every condition."""
        return all(requirement.matches(labels) for requirement in self.requirements)

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


EVERYTHING: Final = Selector(())


def _sorted(requirements: list[Requirement]) -> Selector:
    return Selector(tuple(sorted(requirements, key=lambda requirement: requirement.key)))


def new_requirement(key: str, operator: Operator, values: Iterable[str] = ()) -> Requirement:
    """Return a condition that Kubernetes accepts (NewRequirement).

    Raises:
        SelectorError: all that is wrong with it.
    """
    asked = list(values)
    wrong = [_invalid("key", key, "; ".join(errors))] if (errors := is_label_key(key)) else []
    if operator in {"in", "notin"} and not asked:
        wrong.append(_invalid("values", None, "for 'in', 'notin' operators, values set can't be empty"))
    if operator in {"exists", "!"} and asked:
        wrong.append(_invalid("values", asked, "values set must be empty for exists and does not exist"))
    for index, value in enumerate(asked):
        if operator in {"gt", "lt"} and not (_INTEGER.fullmatch(value) and MIN_INT64 <= int(value) <= MAX_INT64):
            must = "for 'Gt', 'Lt' operators, the value must be an integer"
            wrong.append(_invalid(f"values[{index}]", value, must))
    for index, value in enumerate(asked):
        if errors := is_label_value(value):
            wrong.append(_invalid(f"values[{index}][{key}]", value, "; ".join(errors)))
    if wrong:
        raise SelectorError(wrong[0] if len(wrong) == 1 else f"[{', '.join(wrong)}]")
    return Requirement(key, operator, tuple(asked))


def _invalid(field: str, value: object, detail: str) -> str:
    shown_value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f"{field}: Invalid value: {shown_value}: {detail}"


def parse(text: str) -> Selector:
    """Read the string form: `app=web,tier in (a,b),!old` (labels.Parse).

    Raises:
        SelectorError: `text` is no selector.
    """
    tokens = _Tokens(text)
    requirements: list[Requirement] = []
    if not tokens.begins_requirement() and tokens.peek():
        raise tokens.unexpected("!, identifier, or 'end of string'")
    while tokens.peek():
        try:
            requirements.append(_requirement(tokens))
        except SelectorError as error:
            raise SelectorError(f"unable to parse requirement: {error}") from None
        if tokens.peek() not in {"", ","}:
            raise tokens.unexpected("',' or 'end of string'")
        if tokens.take() and not tokens.begins_requirement():
            raise tokens.unexpected("identifier after ','")
    return _sorted(requirements)


class _Tokens:
    """Symbols and identifiers one after the other; "" is the end."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = [*_TOKEN.findall(text), ""]
        self._next = 0

    def peek(self) -> str:
        return self._tokens[self._next]

    def take(self) -> str:
        token = self.peek()
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def is_identifier(self) -> bool:
        return bool(self.peek()) and self.peek() not in _SYMBOLS

    def begins_requirement(self) -> bool:
        return self.peek() == "!" or self.is_identifier()

    def identifier(self) -> str:
        if not self.is_identifier():
            raise self.unexpected("identifier")
        return self.take()

    def unexpected(self, expected: str) -> SelectorError:
        return SelectorError(f"found '{self.peek()}', expected: {expected}")


def _requirement(tokens: _Tokens) -> Requirement:
    absent = tokens.peek() == "!"
    if absent:
        tokens.take()
    key = tokens.identifier()
    if errors := is_label_key(key):
        # The controller parses without a path, and so names none
        raise SelectorError(_invalid("<nil>", key, "; ".join(errors)))
    if absent or tokens.peek() in {"", ","}:
        return new_requirement(key, "!" if absent else "exists")
    operator = _TEXT_OPERATORS.get(tokens.peek())
    if operator is None:
        raise tokens.unexpected("in, notin, =, ==, !=, gt, lt")
    tokens.take()
    if operator in {"in", "notin"}:
        return new_requirement(key, operator, sorted(_set(tokens)))
    return new_requirement(key, operator, ["" if tokens.peek() in {"", ","} else tokens.identifier()])


def _set(tokens: _Tokens) -> set[str]:
    """Read values in parentheses; an empty one is the empty string (parseValues)."""
    if tokens.peek() != "(":
        raise SelectorError(f"found '{tokens.peek()}' expected: '('")
    tokens.take()
    if not tokens.is_identifier() and tokens.peek() not in {",", ")"}:
        raise tokens.unexpected("',', ')' or identifier")
    values: set[str] = set()
    while True:
        if tokens.peek() in {",", ")"}:
            values.add("")
        elif tokens.is_identifier():
            values.add(tokens.take())
        else:
            raise tokens.unexpected("',', or identifier")
        if tokens.peek() not in {",", ")"}:
            raise tokens.unexpected("',' or ')'")
        if tokens.take() == ")":
            return values


def from_object(node: Node | None) -> Selector:
    """Read the object form: matchLabels and matchExpressions (LabelSelectorAsSelector); None selects everything.

    Raises:
        SelectorError: an operator that there is not, or a key or values that are none.
    """
    if node is None:
        return EVERYTHING
    requirements = [new_requirement(key, "=", (value,)) for key, value in node.texts("matchLabels").items()]
    for expression in node.members("matchExpressions"):
        name = expression.text("operator")
        operator = _OBJECT_OPERATORS.get(name)
        if operator is None:
            raise SelectorError(f'"{name}" is not a valid label selector operator')
        requirements.append(new_requirement(expression.text("key"), operator, map(str, _strings(expression))))
    return _sorted(requirements)


def _strings(expression: Node) -> list[object]:
    return [member.value for member in expression.members("values")]


def shown(node: Node | None) -> str:
    """Return a metric's selector as it stands in the controller's messages (Go's %+v of a *LabelSelector)."""
    if node is None:
        return "nil"
    labels = "".join(f"{key}: {value}," for key, value in sorted(node.texts("matchLabels").items()))
    expressions = "".join(
        f"LabelSelectorRequirement{{Key:{expression.text('key')},Operator:{expression.text('operator')},"
        f"Values:[{' '.join(map(str, _strings(expression)))}],}},"
        for expression in node.members("matchExpressions")
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
