"""The workflows of docs/how-to/ci.md name only what is here, and handle secrets and inputs as the page says."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.tools import tool

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs/how-to/ci"
FILES = sorted(FOLDER.glob("*.yml"))
NEEDED = (ROOT / "docs/how-to/ci.md").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
HELP = dict(re.findall(r"^([a-z-]+):.*## (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
SCRIPTS = "\n".join(path.read_text() for path in sorted((ROOT / "k8s").rglob("*")) if path.suffix in {".sh", ".py"})

Step = dict[str, Any]


def workflow(file: Path) -> dict[str, Any]:
    """A workflow; YAML 1.1 takes the key `on` for true."""
    document = yaml.safe_load(file.read_text())
    document["on"] = document.pop(True)
    return dict(document)


def jobs() -> list[tuple[str, dict[str, Any]]]:
    return [(f"{file.stem}.{name}", job) for file in FILES for name, job in workflow(file)["jobs"].items()]


STEPS: list[tuple[str, Step]] = [(name, step) for name, job in jobs() for step in job["steps"]]
COMMANDS = [line.strip() for _, step in STEPS for line in step.get("run", "").splitlines()]
MAKES = sorted({found for line in COMMANDS for found in re.findall(r"\bmake (.+)$", line)})


def test_there_are_two_workflows_that_do_the_whole_way():
    assert [file.name for file in FILES] == ["pipeline.yml", "release.yml"]
    targets = {words.split()[0] for words in MAKES}
    assert targets >= {"check", "test", "cluster", "deploy", "loadtest", "release", "canary", "promote", "rollback"}
    assert "compare-versions" in targets


@pytest.mark.parametrize("words", MAKES)
def test_every_make_command_is_one_of_this_checkout(words):
    target, *variables = shlex.split(words)
    assert target in TARGETS
    for variable in variables:
        name, equals, _ = variable.partition("=")
        assert equals
        assert f"{name}=" in HELP[target] or re.search(rf"\b{name}\b", SCRIPTS), f"nobody reads {name}"


def test_the_other_commands_and_files_are_here():
    modules = {found for line in COMMANDS for found in re.findall(r"python -m ([\w.]+)", line)}
    assert modules == {"tidegate_serving.train"}
    overlays = {found for words in MAKES for found in re.findall(r"OVERLAY=(\S+)", words)}
    assert overlays == {"k8s/overlays/laptop", "k8s/overlays/production"}
    assert all((ROOT / overlay / "kustomization.yaml").is_file() for overlay in overlays)
    port = yaml.safe_load((ROOT / "k8s/kind.yaml").read_text())["nodes"][0]["extraPortMappings"][0]["hostPort"]
    hosts = {found for words in MAKES for found in re.findall(r"HOST=http://127.0.0.1:(\d+)", words)}
    assert hosts == {str(port), "8080"}


def test_actions_are_pinned_by_major_version():
    used = [step["uses"] for _, step in STEPS if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", action) for action in used)


def test_no_secret_and_no_input_is_in_the_text_of_a_command():
    commands = [step["run"] for _, step in STEPS if "run" in step]
    assert not [command for command in commands if "${{" in command]


def test_secrets_are_the_ones_that_the_page_names_and_pull_requests_use_none():
    used = {file: set(re.findall(r"\$\{\{ (?:secrets|vars)\.(\w+) \}\}", file.read_text())) for file in FILES}
    named = set(re.findall(r"^\| (.+?) \| (?:secrets?|variable) \|", NEEDED, re.MULTILINE))
    assert set().union(*used.values()) == {word for cell in named for word in re.findall(r"`(\w+)`", cell)}
    for name, job in jobs():
        if name in {"pipeline.test", "pipeline.try"}:
            assert "secrets." not in str(job)
        else:
            assert job["environment"] == "production"
            assert job["concurrency"] == "production"


def test_a_release_that_fails_goes_back_and_what_is_deployed_is_always_recorded():
    steps = workflow(FOLDER / "release.yml")["jobs"]["release"]["steps"]
    verbs = [verb for step in steps for verb in re.findall(r"make ([a-z-]+)", step.get("run", ""))]
    assert verbs == ["release", "compare-versions", "canary", "loadtest", "promote", "rollback"]
    assert steps[-1]["if"] == "always()"
    assert "git add k8s/overlays/own" in steps[-1]["run"]


def test_only_what_the_run_changed_is_rolled_back():
    """A refused release changes nothing; going back would then take the stable version from the clients."""
    backs = [step for name, step in STEPS if "make rollback" in step.get("run", "") and name != "pipeline.try"]
    assert len(backs) == 2
    for step in backs:
        assert step["if"] == "failure()"
        assert step["run"].startswith("git diff --quiet k8s/overlays/own/release.yaml || make rollback ")


def test_what_is_tried_has_another_folder_than_what_is_deployed():
    pipeline = workflow(FOLDER / "pipeline.yml")["jobs"]
    assert pipeline["try"]["env"]["OWN"] not in {"", "k8s/overlays/own"}
    assert "OWN" not in pipeline["deploy"]["env"]


def test_jobs_end_and_need_each_other_in_order():
    pipeline = workflow(FOLDER / "pipeline.yml")["jobs"]
    assert {name: job.get("needs") for name, job in pipeline.items()} == {"test": None, "try": "test", "deploy": "try"}
    assert all(job["timeout-minutes"] <= 60 for _, job in jobs())


def test_actionlint_finds_nothing():
    actionlint = tool("actionlint", "go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.7")
    done = subprocess.run([actionlint, *FILES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
