"""Links into a page lead to a heading, or to an anchor, that is there."""

import re

import pytest

from tests.docs.pages import PAGES, ROOT

LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)#([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """Fragments of a page: its headings as GitHub names them, and the ids of its own."""
    prose = FENCE.sub("", text)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    shown = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in shown]
    return {*slugs, *re.findall(r'<a id="([^"]+)">', prose)}


def test_anchors_are_named_as_github_names_them():
    text = '# The `make` of it, *all*\n```\n# no\n```\n## [A link](x.md): v1.2\n<a id="own"></a>'
    assert anchors(text) == {"the-make-of-it-all", "a-link-v12", "own"}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_into_a_page_leads_somewhere(page):
    linked = LINK.findall(FENCE.sub("", (ROOT / page).read_text()))
    broken = [
        f"{target}#{anchor}"
        for target, anchor in linked
        if anchor not in anchors((ROOT / page.parent / target if target else ROOT / page).read_text())
    ]
    assert not broken
