"""The README's commands do what it says, against a running gateway and model server."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
SHELL = [
    line for block in re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]
ADDRESS = "http://127.0.0.1:8080"


@pytest.fixture(scope="module")
def gateway(free_ports, model_server) -> Iterator[str]:
    port = free_ports()
    environment = os.environ | {
        "TIDEGATE_HOST": "127.0.0.1",
        "TIDEGATE_HTTP_PORT": str(port),
        "TIDEGATE_OPS_PORT": str(free_ports()),
        "TIDEGATE_BACKENDS": f"static:{model_server.address}",
        "TIDEGATE_DRAIN_S": "0",
    }
    command = Path(sys.executable).with_name("tidegate-web")
    with subprocess.Popen([command], env=environment, stderr=subprocess.DEVNULL) as process:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(address, timeout=5):
                    break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield address
        process.send_signal(signal.SIGTERM)


def run(line: str, address: str) -> "subprocess.CompletedProcess[str]":
    words = shlex.split(line.replace(ADDRESS, address))
    if words[0] == "make":
        words.append(f"HOST={address}")
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_the_readme_has_commands_of_both_kinds():
    assert sum(line.startswith("curl ") for line in SHELL) >= 4
    assert sum(line.startswith("make loadtest ") for line in SHELL) == 1


@pytest.mark.parametrize("line", SHELL)
def test_a_command_of_the_readme_works(line, gateway):
    done = run(line, gateway)
    assert done.returncode == 0, done.stdout + done.stderr
    if '"one"' in line:
        assert "instances[0][1]: expected a number, came the text" in done.stdout
    elif line.startswith("curl"):
        assert '"error"' not in done.stdout
        assert done.stdout.startswith("{")
