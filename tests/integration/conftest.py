"""Gateways as processes, and a browser."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from form_picture import QUIET
from tests.tools import tool

GATEWAY = Path(sys.executable).with_name("tidegate-web")
START_S = 20


@dataclass
class GatewayProcess:
    """A gateway on loopback: its ports, its process and what it logs."""

    http_port: int
    ops_port: int
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.http_port}"

    @property
    def ops(self) -> str:
        return f"http://127.0.0.1:{self.ops_port}"

    def messages(self) -> list[str]:
        return [json.loads(line)["message"] for line in self.log.read_text().splitlines()]

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.ops}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


StartGatewayProcess = Callable[..., GatewayProcess]


@pytest.fixture(scope="session")
def start_gateway_process(tmp_path_factory: Any, free_ports: Any) -> Iterator[StartGatewayProcess]:
    """Start gateways with the settings given; those that still run at the end are ended."""
    started: list[GatewayProcess] = []

    def start(**settings: str) -> GatewayProcess:
        http_port, ops_port = free_ports(), free_ports()
        environment = os.environ | {
            "TIDEGATE_HOST": "127.0.0.1",
            "TIDEGATE_HTTP_PORT": str(http_port),
            "TIDEGATE_OPS_PORT": str(ops_port),
            "TIDEGATE_DRAIN_S": "0",
            **settings,
        }
        log = tmp_path_factory.mktemp("gateway") / "log"
        with log.open("wb") as output:
            process = subprocess.Popen([GATEWAY], env=environment, stdout=output, stderr=output)
        gateway = GatewayProcess(http_port, ops_port, process, log)
        started.append(gateway)
        deadline = time.monotonic() + START_S
        while not gateway.ready():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return gateway

    yield start
    for gateway in started:
        if gateway.process.poll() is None:
            gateway.process.kill()
            gateway.process.wait()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's chromium; for a module only, since its driver keeps this thread's event loop from others."""
    executable = tool("chromium", "apt-get install chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=QUIET)
        yield browser
        browser.close()
