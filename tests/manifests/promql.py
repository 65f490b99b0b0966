"""Reads out of a PromQL expression which metrics it names, and by which labels it picks and groups them.

Not a parser: promtool is one. This knows how our rules are written.
"""

import re
from dataclasses import dataclass

_WORDS = {
    "sum", "max", "min", "avg", "count", "rate", "histogram_quantile", "scalar", "by", "on", "and", "or", "unless",
}  # fmt: skip
_TEXT = re.compile(r'"[^"]*"')
_RANGE = re.compile(r"\[[^\]]*\]")
_GROUPING = re.compile(r"\b(?:by|on) \(([^)]*)\)")
_SELECTOR = re.compile(r"(?<![\w:.])([a-zA-Z_:][\w:]*)(?:\{([^}]*)\})?")


@dataclass(frozen=True)
class Selector:
    """A metric's name, and the labels it must have."""

    metric: str
    labels: frozenset[str]


def selectors(expression: str) -> list[Selector]:
    """Find the selectors of an expression. Labels that it groups by must be all of its metrics'."""
    bare = _RANGE.sub("", _TEXT.sub('""', expression))
    grouped = {label.strip() for found in _GROUPING.findall(bare) for label in found.split(",")}
    return [
        Selector(name, frozenset(re.findall(r"(\w+)\s*[=!]~?\s*\"", matchers)) | grouped)
        for name, matchers in _SELECTOR.findall(_GROUPING.sub("", bare))
        if name not in _WORDS
    ]
