"""What docs/tutorial.md has its reader type works where it needs no cluster, and leads through every step."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.test_readme_commands import ADDRESS, gateway, run
from tests.tools import tool

__all__ = ["gateway"]

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = (ROOT / "docs/tutorial.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TUTORIAL, re.MULTILINE | re.DOTALL)
SHELL = [line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines()]
TYPED = "\n".join(block for kind, block in BLOCKS if kind in {"sh", "console"})


def test_it_goes_from_training_to_a_new_version():
    steps = re.findall(r"^## \d\. (.+)$", TUTORIAL, re.MULTILINE)
    assert steps == [
        *("Train and export", "Try it", "Docker", "Compose", "Push"),
        *("Kubernetes", "Deployments and Services", "Autoscaling", "A new version"),
    ]
    sections = re.split(r"^## \d\. ", TUTORIAL, flags=re.MULTILINE)[1:]
    assert all("*The usual way:*" in section and "```" in section for section in sections)


def test_its_make_commands_come_in_the_order_in_which_they_work():
    order = list(dict.fromkeys(re.findall(r"^make ([a-z-]+)", TYPED, re.MULTILINE)))
    assert order == [
        *("run", "images", "push", "cluster", "deploy", "loadtest"),
        *("release", "compare-versions", "canary", "promote", "rollback"),
    ]


def test_every_variable_that_it_gives_to_make_is_read():
    sources = [ROOT / "Makefile", *sorted((ROOT / "k8s").glob("**/*.py")), *sorted((ROOT / "k8s").glob("*.sh"))]
    text = "\n".join(source.read_text() for source in sources)
    given = set(re.findall(r"\b([A-Z]{3,}(?:_[A-Z]+)?)=", TYPED))
    assert given >= {"OVERLAY", "SERVING", "NAME", "MODEL", "PERCENT", "VERSIONS", "HOST", "REGISTRY"}
    assert not [name for name in given if not re.search(rf"\b{name}\b", text)]


def test_training_writes_what_it_shows(tmp_path):
    train, look = (line for line in SHELL if not line.startswith("curl"))
    words = train.split()
    assert words[:3] == [".venv/bin/python", "-m", "tidegate_serving.train"]
    done = subprocess.run([sys.executable, *words[1:]], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (shown,) = [block for kind, block in BLOCKS if kind == "text" and "Wrote build/tutorial" in block]
    *said, files = shown.splitlines()
    assert all(line in done.stdout + done.stderr for line in said)
    assert set(files.split()) == {path.name for path in (tmp_path / look.split()[1]).iterdir()}


@pytest.mark.parametrize("line", [line for line in SHELL if line.startswith("curl")])
def test_a_request_of_it_gets_the_answer_that_it_promises(line, gateway):
    assert ADDRESS in line
    answer = run(line, gateway).stdout
    if '"one"' in line:
        assert "instances[0][1]: expected a number, came the text" in answer
    else:
        assert answer.startswith('{"predictions":')


def test_it_shows_no_commands_that_bash_cannot_read(tmp_path):
    script = tmp_path / "typed.sh"
    script.write_text(TYPED)
    done = subprocess.run([tool("bash"), "-n", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
