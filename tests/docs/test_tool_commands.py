"""Every `tidegate-hpa` and `tidegate-proof` command of the pages that needs no cluster works, as it stands there."""

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import tidegate_hpa.__main__
import tidegate_proof.__main__
from tests.docs.pages import PAGES, ROOT
from tests.proof import records
from tests.proof.sealing import write_sealed

MAINS = {"tidegate-hpa": tidegate_hpa.__main__.main, "tidegate-proof": tidegate_proof.__main__.main}
COMMAND = re.compile(r"^(?: {4}|\$ )?(tidegate-(?:hpa|proof) .+)$|`(tidegate-(?:hpa|proof) [^`\n]+)`", re.MULTILINE)
OUTPUT = re.compile(r"^\$ (tidegate-(?:hpa|proof) .+)\n((?:(?!\$ |```).*\n)+)", re.MULTILINE)
ON_A_CLUSTER = {"prove", "run", "knee", "--live"}
STAND_INS = {
    "FOLDER": "record",
    "FILE": "hpa/samples/cluster.yaml",
    "seen.json": "hpa/samples/cluster.yaml",
    "KNEE": "hpa/samples/knee.json",
}
"""What the pages' placeholders may be."""


def words_of(command: str) -> list[str]:
    return shlex.split(command, comments=True)


def needs_nothing(command: str) -> bool:
    """Whether it is a whole command, neither a synopsis nor a mere name, and needs no cluster."""
    words = words_of(command)
    whole = any(not word.startswith("-") for word in words[2:]) and not {"[", "…"} & set(command)
    return whole and not ON_A_CLUSTER & set(words)


FOUND = sorted(
    {
        "".join(found)
        for page in PAGES
        for found in COMMAND.findall((ROOT / page).read_text())
        if needs_nothing("".join(found))
    }
)
SHOWN = [
    pytest.param(command, output, id=command)
    for page in PAGES
    for command, output in OUTPUT.findall((ROOT / page).read_text())
    if needs_nothing(command)
]
LONG = [command for command in FOUND if re.search(r"--controls .*docs/evidence/|docs/evidence/.* --controls", command)]
COMMANDS = [command for command in FOUND if command not in LONG]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the pages name, and a record; all may be written to."""
    folder = tmp_path_factory.mktemp("checkout")
    write_sealed(folder / "record", records.record())
    for part in ("docs/evidence", "hpa/samples"):
        shutil.copytree(ROOT / part, folder / part)
    for manifest in ("web.yaml", "serving.yaml"):
        shutil.copy(ROOT / "hpa" / manifest, folder / "hpa")
    return folder


def test_the_pages_have_every_command_that_needs_no_cluster():
    shown = {tuple(words_of(command)[:2]) for command in COMMANDS}
    assert shown == {
        *(("tidegate-hpa", name) for name in ("explain", "simulate", "plan")),
        *(("tidegate-proof", name) for name in ("verify", "report", "judge")),
    }


@pytest.fixture
def printed(folder, monkeypatch, capsys) -> Callable[[str], str]:
    """Runs a command as on a terminal of 80 columns, and returns what it prints."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "80")

    def run(command: str) -> str:
        program, *arguments = (STAND_INS.get(word, word) for word in words_of(command))
        code = MAINS[program](arguments)
        out, err = capsys.readouterr()
        assert code == 0, err
        return str(out)

    return run


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_pages_works(command, printed):
    assert printed(command)


@pytest.mark.parametrize(("command", "output"), SHOWN)
def test_a_command_prints_what_the_page_shows(command, output, printed):
    assert printed(command) == output


@pytest.mark.parametrize("command", LONG)
def test_what_a_command_takes_of_the_evidence_is_there(command):
    """CI computes the evidence again, controls and all, which takes minutes."""
    assert all((ROOT / word).exists() for word in words_of(command) if word.startswith("docs/evidence/"))
