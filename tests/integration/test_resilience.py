"""The short form of every scenario of tests/resilience: restarts, deaths, overload, discovery, canaries, deadlines."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.resilience.scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parents[2]
LONG = {"overload-defaults", "large-bodies"}  # tens of seconds each even in short: make test-resilience has them


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name not in LONG])
def test_what_is_promised_holds(scenario):
    if sys.platform != "linux" and scenario in {"model-restarts", "discovery", "discovery-dns"}:
        pytest.skip("needs loopback addresses beside 127.0.0.1")
    command = [sys.executable, "-m", "tests.resilience", scenario]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
