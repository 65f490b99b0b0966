"""The head of a report as Markdown: for a CI job's summary, a pull request, a terminal."""

import re

from tidegate_proof.report.page import Page
from tidegate_proof.report.tables import Cell, Mark, Noted, Table
from tidegate_proof.report.wording import visible

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&!])")


def summary(page: Page, anchors: tuple[str, ...]) -> str:
    """Write the verdict, the claim, the figures that people look for first, and some of the tables.

    Args:
        page: The report.
        anchors: Sections whose tables are taken.
    """
    lines = [
        f"## {page.verdict.sign} {_text(page.title)}",
        "",
        f"**{_text(page.verdict.word)}.** {_text(page.verdict.sentence)}",
    ]
    lines += ["", *(f"- {_text(name)}: {_text(value)}" for name, value in page.claim)]
    if page.highlights:
        figures = [(shown.name, shown.value, shown.note) for shown in page.highlights]
        lines += ["", *_rows(("", "", ""), figures)]
    for section in page.sections:
        if section.anchor in anchors:
            for table in (part for part in section.parts if isinstance(part, Table)):
                lines += ["", f"### {_text(table.heading or section.title)}", "", *_table(table)]
    return "\n".join([*lines, ""])


def _table(table: Table) -> list[str]:
    """Write a table without its small pictures."""
    kept = [index for index, column in enumerate(table.columns) if column.title]
    if not table.rows:
        return [_text(table.empty)]
    titles = tuple(table.columns[index].title for index in kept)
    return _rows(titles, [tuple(_plain(row[index]) for index in kept) for row in table.rows])


def _rows(titles: tuple[str, ...], rows: list[tuple[str, str, str]] | list[tuple[str, ...]]) -> list[str]:
    head = [titles, ("---",) * len(titles)]
    return [f"| {' | '.join(cells)} |" for cells in [*head, *(tuple(map(_text, row)) for row in rows)]]


def _plain(cell: Cell) -> str:
    if isinstance(cell, Mark):
        return f"{cell.sign} {cell.word}"
    return cell.text if isinstance(cell, Noted) else str(cell)


def _text(text: str) -> str:
    """Escape what Markdown or the HTML in it would read as more than text."""
    return _SPECIAL.sub(r"\\\1", " ".join(visible(text).split()))
