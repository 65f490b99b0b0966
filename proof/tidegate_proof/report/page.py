"""A page as data, and its rendering: a head with the verdict, and sections of pictures, tables and words."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import jinja2

from tidegate_proof.report.svg import Picture
from tidegate_proof.report.tables import Table
from tidegate_proof.report.wording import visible


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict in words.

    Attributes:
        state: passed, failed, control, partial, invalid or void: a class in the style sheet.
        word: The verdict in a word or three.
        sentence: Why.
    """

    state: str
    word: str
    sentence: str

    @property
    def sign(self) -> str:
        """A sign for the state, so that colour does not say it alone."""
        return {"passed": "✓", "control": "✓", "partial": "…"}.get(self.state, "✗" if self.state == "failed" else "!")


@dataclass(frozen=True, slots=True)
class Highlight:
    """A figure that people look for first."""

    name: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures side by side, where there is room."""

    kind: ClassVar[str] = "pair"
    pictures: Sequence[Picture]


@dataclass(frozen=True, slots=True)
class Words:
    """Sentences."""

    kind: ClassVar[str] = "words"
    sentences: Sequence[str]


@dataclass(frozen=True, slots=True)
class Listing:
    """Text as it was recorded, which opens on demand unless it is short."""

    kind: ClassVar[str] = "listing"
    title: str
    text: str
    open: bool = False


Part = Picture | Pair | Table | Words | Listing


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a page.

    Attributes:
        anchor: Its name in addresses.
        short: Its name in the list of sections.
        title: Its heading.
        lead: What it is about; "" for none.
        parts: What it holds.
    """

    anchor: str
    short: str
    title: str
    lead: str
    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Page:
    """A page.

    Attributes:
        kind: What it reports.
        title: Of it.
        verdict: On it.
        claim: Names and values that say what was claimed, and when it was fixed.
        highlights: Figures that people look for first.
        sections: Of it, in order.
        footer: Its last words.
    """

    kind: str
    title: str
    verdict: Outcome
    claim: Sequence[tuple[str, str]]
    highlights: Sequence[Highlight]
    sections: Sequence[Section]
    footer: str


def html(page: Page) -> str:
    """Render a page: one file that loads nothing, runs nothing, and is the same for the same page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
    )
    return environment.get_template("page.html").render(page=page)


def _finalize(value: object) -> object:
    """Let nothing of a record hide in the page."""
    return visible(value) if type(value) is str else value
