"""The setting up of .venv, with a pip that takes its time and installs nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def script(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    script(tmp_path / "venv" / "bin" / "python", "/bin/sleep 0.2")
    script(tmp_path / "path" / "sleep", "exec /bin/sleep 0.05")  # instead of ten seconds
    return tmp_path / "venv"


def set_up(venv: Path, tier: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {
        "VENV": str(venv),
        "PYTHON": sys.executable,
        "PATH": f"{venv.parent / 'path'}{os.pathsep}{os.environ['PATH']}",
    }
    command = ["sh", "local/setup.sh", tier]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=30)


def test_the_tools_are_named_and_life_is_shown_where_nobody_sits_at_a_terminal(venv):
    (venv / "run.stamp").touch()
    done = set_up(venv, "dev")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Installing Locust, tidegate-hpa, tidegate-proof and the tools of tests and checks")
    assert "TensorFlow" not in done.stdout
    assert "\n  … " in done.stdout
    assert done.stderr == ""
    assert (venv / "dev.stamp").exists()


def test_a_first_time_tells_the_size_of_tensorflow(venv):
    assert "TensorFlow alone is about 270 MB" in set_up(venv, "run").stdout


def test_what_cannot_be_installed_leaves_no_stamp_and_says_what_to_do(venv):
    script(venv / "bin" / "python", "exit 1")
    done = set_up(venv, "run")
    assert done.returncode == 1
    assert "pip could not install everything" in done.stderr
    assert not (venv / "run.stamp").exists()
