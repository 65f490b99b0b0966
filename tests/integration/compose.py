"""Which Compose there is, and a project of it."""

import json
import os
import shlex
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.tools import tool

ROOT = Path(__file__).resolve().parents[2]

START_S = 120.0
"""TensorFlow takes seconds to import, on a busy machine many."""


def compose_command() -> list[str]:
    """Docker's plugin, else Debian's docker-compose; TIDEGATE_TEST_COMPOSE names another. Skips where there is none."""
    if given := os.environ.get("TIDEGATE_TEST_COMPOSE"):
        return shlex.split(given)
    if shutil.which("docker"):
        plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if plugin.returncode == 0:
            return ["docker", "compose"]
    return [tool("docker-compose", "it or Docker's plugin is wanted")]


@dataclass(frozen=True, slots=True)
class Project:
    """Containers of compose.yaml under a name and on ports of their own."""

    name: str
    http_port: int
    ops_port: int
    variables: Mapping[str, str]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.http_port}"

    def compose(self, *arguments: str) -> str:
        ports = {"HTTP_PORT": str(self.http_port), "OPS_PORT": str(self.ops_port)}
        environment = {**os.environ, **ports, **self.variables}
        command = [*compose_command(), "--project-name", self.name, *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=2 * START_S
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    def containers(self, service: str) -> list[str]:
        return self.compose("ps", "--quiet", service).split()

    def up(self, **scale: int) -> None:
        """Start what is missing, stop what is too many; returns when the gateway is ready."""
        scaled = [part for service, count in scale.items() for part in ("--scale", f"{service}={count}")]
        self.compose("up", "--detach", "--no-build", *scaled)
        deadline = time.monotonic() + START_S
        while not self._ready():
            assert time.monotonic() < deadline, self.compose("logs", "--tail=20")
            time.sleep(0.2)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ops_port}/readyz", timeout=5):
                return True
        except OSError:
            return False

    def backends(self) -> set[str]:
        """Addresses of the model servers that the gateway asks."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ops_port}/status.json?history=0", timeout=5) as answer:
            document = json.load(answer)
        return {backend["address"] for backend in document["backends"] if backend["state"] == "ready"}


def inspect(container: str, template: str) -> str:
    done = subprocess.run(
        ["docker", "inspect", "--format", template, container], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.strip()
