"""Tables as data: the page, the Markdown summary and the tests read the same rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from markupsafe import Markup

from tidegate_proof.report import svg


@dataclass(frozen=True, slots=True)
class Column:
    """A column; numbers stand to the right."""

    title: str
    number: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A cell that says whether something held: a word and a sign, never colour alone.

    Attributes:
        held: Whether it did; None where it was not judged.
        word: That says so.
    """

    held: bool | None
    word: str

    @property
    def sign(self) -> str:
        """A sign that goes with the word."""
        return {True: "✓", False: "✗", None: "·"}[self.held]

    @property
    def style(self) -> str:
        """Class in the style sheet."""
        return {True: "held", False: "broken", None: "open"}[self.held]


@dataclass(frozen=True, slots=True)
class Noted:
    """A cell with a note below its text; the text leads to a file beside the page where there is one."""

    text: str
    why: str
    link: str | None = None


Cell = str | Markup | Mark | Noted


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        name: Says what it lists, for those who cannot see where it stands.
        columns: Of it.
        rows: Of as many cells as there are columns.
        empty: What stands in place of a table without rows.
        heading: Above it; "" for none.
    """

    kind: ClassVar[str] = "table"
    name: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]] = field(default_factory=list)
    empty: str = "There is none."
    heading: str = ""


def bar(share: float, style: str, mark: float | None = None) -> Markup:
    """Draw a small bar for a table's cell.

    Args:
        share: Of the cell's width, 0 to 1.
        style: Class in the style sheet.
        mark: Where an upright line goes, in the same measure.
    """
    drawn = svg.rect(0, 3, 120 * min(max(share, 0.0), 1.0), 8, style)
    if mark is not None:
        drawn += svg.line(120 * mark, 0, 120 * mark, 14, "limit")
    return svg.element("svg", drawn, class_="bar", viewBox="0 0 120 14", aria_hidden="true")
