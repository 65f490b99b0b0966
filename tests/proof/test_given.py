"""A folder that is neither a record nor a proof is told as what it is, once, by every command that takes one."""

from pathlib import Path

import pytest

from tidegate_proof.__main__ import main

CODES = {"verify": 4, "judge": 4, "report": 2}
EXPECTED = "expected a folder with a run's record, or with a proof; "


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("ramp", "overload", "empty"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    for name in ("ramp/plan.json", "overload/manifest.json", "README.md"):
        (tmp_path / "runs" / name).touch()
    return tmp_path / "runs"


@pytest.mark.parametrize("command", CODES)
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nowhere", "there is no such folder"),
        ("README.md", "this is a file"),
        ("empty", "it has neither plan.json nor proof.json"),
        ("", "this one holds several, name one of them: overload, ramp"),
    ],
)
def test_a_folder_without_a_record_is_told_as_what_it_is(folder, capsys, command, name, told):
    assert main([command, str(folder / name)]) == CODES[command]
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"{folder / name}: {EXPECTED}{told}\n")
