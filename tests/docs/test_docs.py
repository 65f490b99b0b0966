"""The documentation says what is."""

import re
import subprocess
import tomllib

import pytest

from tests.docs.pages import PAGES, ROOT
from tidegate_web.errors import ANSWERS
from tidegate_web.server.cors import EXPOSED
from tidegate_web.settings import table

LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)[^)]*\)")
HEADER = re.compile(
    r"[\"'](X-Request-[A-Za-z-]+|X-Client-ID|Tidegate-[A-Z][A-Za-z-]+|Server-Timing|Retry-After|Inference-[A-Za-z-]+)\b"
)
MAKE = re.compile(r"\bmake ([a-z][a-z-]*)")


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_leads_somewhere(page):
    text = (ROOT / page).read_text()
    broken = [target for target in LINK.findall(text) if not (ROOT / page.parent / target).exists()]
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_make_target_that_is_named_is_there(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = re.findall(r"`([^`\n]+)`|^(?: {4}|)(make [^\n]+)$", (ROOT / page).read_text(), re.MULTILINE)
    named = {name for inline, block in code for name in MAKE.findall(inline or block)}
    assert named <= targets


def test_the_settings_page_is_what_the_code_says():
    assert table() in (ROOT / "docs" / "reference" / "settings.md").read_text()


def test_every_metric_is_documented():
    documented = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    named = set(re.findall(r'named\(\s*"([a-z_]+)"', (ROOT / "services/web/tidegate_web/metrics.py").read_text()))
    assert len(named) >= 7
    assert all(f"tidegate_{name}" in documented for name in named)


def test_every_direct_dependency_has_its_reason():
    reasons = (ROOT / "docs" / "decisions" / "0002-dependencies.md").read_text()
    named = {
        name.strip()
        for row in re.findall(r"^\| ([^|]+) \|", reasons, re.MULTILINE)
        for name in re.split("[, ()]+", row)
    }
    asked = [line for file in (ROOT / "requirements").glob("*.in") for line in file.read_text().splitlines()]
    for folder in ("proto", "services/web", "services/serving", "loadtest", "hpa", "proof"):
        project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())
        asked += project["project"].get("dependencies", []) + project.get("build-system", {}).get("requires", [])
    direct = {found[0] for line in asked if (found := re.match(r"[A-Za-z][\w-]*", line))}
    direct = {name for name in direct if not name.startswith("tidegate-")}
    assert len(direct) > 30
    assert {name for name in direct if name not in named and not name.startswith("types-")} == set()


def test_every_error_is_documented():
    documented = (ROOT / "docs" / "reference" / "api.md").read_text()
    assert all(f"| {answer.status.value} | `{answer.code}` |" in documented for answer in ANSWERS.values())


def test_every_error_that_is_no_exception_of_ours_is_documented():
    documented = (ROOT / "docs" / "reference" / "api.md").read_text()
    assert all(f"| {status} | `{code}` |" in documented for status, code in ((417, "http_417"), (500, "internal")))


def test_every_header_is_documented_and_pages_may_read_those_of_answers():
    documented = (ROOT / "docs" / "reference" / "api.md").read_text()
    sources = [path.read_text() for path in (ROOT / "services/web/tidegate_web").rglob("*.py")]
    named = {name for source in sources for name in HEADER.findall(source)}
    assert {"X-Request-ID", "X-Request-Timeout", "Server-Timing", "Tidegate-Seq"} <= named
    assert all(f"`{name}`" in documented for name in named)
    of_answers = set(re.findall(r"^\| `([A-Z][A-Za-z-]+)` \| [^|]+ \| [^|]+ \|$", documented, re.MULTILINE))
    assert of_answers == set(EXPOSED.split(", "))


def test_every_target_has_its_line_in_make_help():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets = re.findall(r"^\.PHONY: ([a-z-]+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert "\033" not in done.stdout
    for target in targets:
        assert f"make {target} " in done.stdout


def test_changes_are_kept_under_unreleased():
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(r"^## \[Unreleased\]\n\n### \w+\n\n- ", changelog, re.MULTILINE)
