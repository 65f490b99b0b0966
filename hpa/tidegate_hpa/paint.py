"""Colour, on a terminal only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

_RESET = "\x1b[0m"


@dataclass(frozen=True)
class Paint:
    """Wraps text in ANSI colours, or leaves it as it is."""

    on: bool

    @classmethod
    def of(cls, stream: TextIO) -> Paint:
        """Return paint for a stream: colours if it is a terminal and NO_COLOR is not set."""
        return cls(stream.isatty() and "NO_COLOR" not in os.environ)

    def bold(self, text: str) -> str:
        """Return a heading."""
        return f"\x1b[1m{text}{_RESET}" if self.on else text

    def good(self, text: str) -> str:
        """Return what went well."""
        return f"\x1b[32m{text}{_RESET}" if self.on else text

    def bad(self, text: str) -> str:
        """Return what needs a hand."""
        return f"\x1b[33m{text}{_RESET}" if self.on else text
