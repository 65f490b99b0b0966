"""Label selectors: the string form of a Scale and the object form of a workload.

Source: k8s.io/apimachinery v0.35.0, pkg/labels/selector.go and pkg/apis/meta/v1/helpers.go (LabelSelectorAsSelector).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .node import Node

Operator = Literal["in", "notin", "=", "==", "!=", "exists", "!", "gt", "lt"]

_TOKEN: Final = re.compile(r"\s*(==|!=|[=!,()<>]|[^\s=!,()<>]+)")
_INTEGER: Final = re.compile(r"[+-]?\d+", flags=re.ASCII)
_OBJECT_OPERATORS: Final[Mapping[str, Operator]] = {
    "In": "in",
    "NotIn": "notin",
    "Exists": "exists",
    "DoesNotExist": "!",
}


class SelectorError(Exception):
    """A selector that Kubernetes does not understand, in its words where it has short ones."""


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


def parse(text: str) -> Selector:
    """Read the string form: `app=web,tier in (a,b),!old` (labels.Parse).

    Raises:
        SelectorError: `text` is no selector.
    """
    tokens = _Tokens(text)
    requirements: list[Requirement] = []
    while tokens.peek():
        requirements.append(_requirement(tokens))
        if tokens.peek():
            tokens.expect(",")
            if not tokens.peek():
                raise SelectorError("found '', expected: identifier after ','")
    return _sorted(requirements)


class _Tokens:
    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        self._next = 0

    def peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self._next += 1
        return token

    def expect(self, wanted: str) -> None:
        token = self.take()
        if token != wanted:
            raise SelectorError(f"found '{token}', expected: '{wanted}'")

    def identifier(self) -> str:
        token = self.take()
        if not token or token in {"==", "!=", "=", "!", ",", "(", ")", "<", ">"}:
            raise SelectorError(f"unable to parse requirement: found '{token}', expected: identifier")
        return token


def _requirement(tokens: _Tokens) -> Requirement:
    if tokens.peek() == "!":
        tokens.take()
        return Requirement(tokens.identifier(), "!")
    key = tokens.identifier()
    match tokens.peek():
        case "" | ",":
            return Requirement(key, "exists")
        case "=" | "==" | "!=" as operator:
            tokens.take()
            value = "" if tokens.peek() in {"", ","} else tokens.identifier()
            return Requirement(key, operator, (value,))
        case "in" | "notin" as operator:
            tokens.take()
            return Requirement(key, operator, _set(tokens))
        case "<" | ">" as sign:
            tokens.take()
            bound = tokens.identifier()
            if not _INTEGER.fullmatch(bound):
                raise SelectorError(f"for 'Gt', 'Lt' operators, the value must be an integer, got '{bound}'")
            return Requirement(key, "lt" if sign == "<" else "gt", (bound,))
        case unexpected:
            raise SelectorError(
                f"unable to parse requirement: found '{unexpected}', expected: in, notin, =, ==, !=, gt, lt"
            )


def _set(tokens: _Tokens) -> tuple[str, ...]:
    tokens.expect("(")
    values: list[str] = []
    while True:
        values.append("" if tokens.peek() in {",", ")"} else tokens.identifier())
        match tokens.take():
            case ",":
                continue
            case ")":
                return tuple(values)
            case unexpected:
                raise SelectorError(f"found '{unexpected}', expected: ',' or ')'")


def from_object(node: Node | None) -> Selector:
    """Read the object form: matchLabels and matchExpressions (LabelSelectorAsSelector); None selects everything.

    Raises:
        SelectorError: an operator that there is not, or values that do not fit it.
    """
    if node is None:
        return EVERYTHING
    requirements = [Requirement(key, "=", (value,)) for key, value in node.texts("matchLabels").items()]
    for expression in node.members("matchExpressions"):
        key, name = expression.text("key"), expression.text("operator")
        values = tuple(str(value) for value in _strings(expression))
        operator = _OBJECT_OPERATORS.get(name)
        if operator is None:
            raise SelectorError(f'"{name}" is not a valid label selector operator')
        if operator in {"in", "notin"} and not values:
            raise SelectorError("for 'in', 'notin' operators, values set can't be empty")
        if operator in {"exists", "!"} and values:
            raise SelectorError("values set must be empty for exists and does not exist")
        requirements.append(Requirement(key, operator, values))
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
