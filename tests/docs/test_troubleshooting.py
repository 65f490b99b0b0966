"""What docs/how-to/troubleshooting.md quotes of Tidegate is what Tidegate says; what alerts name of it is there."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.test_anchors import anchors
from tidegate_web.errors import ANSWERS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/how-to/troubleshooting.md").read_text()
RULES = ROOT / "k8s/components/observability/rules.yaml"
SOURCES = sorted(path for path in (ROOT / "services").rglob("*.py") if "tests" not in path.parts)
OBJECTS: list[dict[str, Any]] = [json.loads(line) for line in re.findall(r"^\{.+\}$", PAGE, re.MULTILINE)]
LINES = [each for each in OBJECTS if "logger" in each]
BODIES = [each for each in OBJECTS if "error" in each]
REFUSALS = re.findall(r"^\| (\d{3}) `(\w+)` \| `([^`]+)` \|", PAGE, re.MULTILINE)
LAST_WORDS = re.findall(r"`tidegate-(?:web|serving): (?:error: )?([^`]+)`", PAGE)
FEWEST_LETTERS = 12
"""Of a text in the sources: what has fewer would match nearly anything."""


def texts_of(source: str) -> Iterator[str]:
    """Every text of a module as a regular expression, with anything where a value goes."""
    for node in ast.walk(ast.parse(source)):
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        written = [part.value if isinstance(part, ast.Constant) else None for part in parts]
        if sum(len(part) for part in written if isinstance(part, str)) >= FEWEST_LETTERS:
            yield "".join(".+" if part is None else re.escape(str(part)) for part in written)


SAID = re.compile("|".join(f"(?:{text})" for path in SOURCES for text in texts_of(path.read_text())))


def is_said(quote: str) -> bool:
    """Whether some text of ours gives the quote, or what stands after a place that it names first."""
    parts = quote.split(": ")
    return any(SAID.fullmatch(": ".join(parts[first:])) for first in range(len(parts)))


def test_a_text_that_nobody_says_is_noticed():
    assert is_said("No model server can answer now")
    assert not is_said("No model server wants to answer now")


def test_the_page_quotes_tidegate_in_all_of_its_ways():
    assert len(LINES) >= 3
    assert len(BODIES) >= 4
    assert len(REFUSALS) >= 5
    assert len(LAST_WORDS) == 2


@pytest.mark.parametrize("line", LINES, ids=lambda line: line["message"])
def test_a_quoted_log_line_is_of_the_module_that_it_names(line):
    module = line["logger"].replace(".", "/")
    (source,) = [path.read_text() for path in SOURCES if str(path).endswith(f"/{module}.py")]
    assert f'log.{line["level"].lower()}("{line["message"]}"' in source
    fields = line.keys() - {"level", "logger", "message"}
    assert all(f'"{field}": ' in source for field in fields)


@pytest.mark.parametrize("missing", [text for line in LINES for text in line.get("missing", ())])
def test_a_quoted_reason_of_a_model_server_is_ours_or_tensorflows(missing):
    assert is_said(missing) or "tensorflow." in missing


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body["error"])
def test_a_quoted_answer_is_one_of_the_gateways(body):
    assert is_said(body["error"])
    (answer,) = [answer for answer in ANSWERS.values() if answer.code == body["details"]["code"]]
    assert body["details"].keys() == {"code", "request_id", "retryable"}
    assert body["details"]["retryable"] is (answer.retry_after_s is not None)


@pytest.mark.parametrize(("status", "code", "message"), REFUSALS)
def test_a_quoted_refusal_has_its_status_code_and_words(status, code, message):
    assert (int(status), code) in {(answer.status.value, answer.code) for answer in ANSWERS.values()}
    assert is_said(message)


@pytest.mark.parametrize("words", LAST_WORDS)
def test_quoted_last_words_are_ours(words):
    assert is_said(words)


def test_every_row_of_the_first_table_leads_to_a_section():
    top = PAGE[: PAGE.index("\n## ")]
    rows = re.findall(r"^\| .+ \| \[(.+)\]\(#[a-z-]+\) \|$", top, re.MULTILINE)
    sections = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert rows == sections
    assert set(re.findall(r'(?:--|"\]) *> \w+\["([^"]+)"\]', top)) == set(sections) - {"Alerts"}


def test_every_alert_has_its_place_on_the_page():
    groups = yaml.safe_load(RULES.read_text())["spec"]["groups"]
    alerts = {rule["alert"]: rule["annotations"] for group in groups for rule in group["rules"] if "alert" in rule}
    assert set(re.findall(r"`(Tidegate[A-Z]\w+)`", PAGE)) == alerts.keys()
    page, there = "docs/how-to/troubleshooting.md#", anchors(PAGE)
    assert {words["runbook_url"].removeprefix(page) for words in alerts.values()} <= there
