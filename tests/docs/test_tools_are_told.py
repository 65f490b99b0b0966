"""A page that has its reader type a command of .venv/bin says how the terminal comes to find it."""

import re

import pytest

from tests.docs.pages import PAGES, ROOT

COMMAND = re.compile(r"^(?: {4}|\$ )?(?:[A-Z_]+=\S+ )*(tidegate-hpa|tidegate-proof|locust) ", re.MULTILINE)
"""At the beginning of a line of a block, after variables of its own."""

TYPED = [page for page in PAGES if COMMAND.search((ROOT / page).read_text())]


def test_there_are_pages_with_such_commands():
    assert {str(page) for page in TYPED} >= {"loadtest/README.md", "docs/how-to/find-the-knee.md"}


@pytest.mark.parametrize("page", [*TYPED, "README.md"], ids=str)
def test_such_a_page_says_what_installs_it_and_how_a_terminal_finds_it(page):
    text = (ROOT / page).read_text()
    assert "make tools" in text
    assert ". .venv/bin/activate" in text


def test_make_tools_installs_what_has_these_commands():
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(
        r"^tools: \$\(VENV\)/dev\.stamp ## Install locust, tidegate-hpa and tidegate-proof", makefile, re.MULTILINE
    )
    for folder in ("hpa", "proof"):
        assert f"tidegate-{folder} = " in (ROOT / folder / "pyproject.toml").read_text()
        assert f"--editable {folder}" in (ROOT / "local" / "setup.sh").read_text()
